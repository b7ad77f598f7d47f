"""Генерация: кэш, куски, заполнители слева и сравнение с `generate` библиотеки transformers."""

from pathlib import Path

import pytest
import torch
import transformers
from torch import nn

from modern_nets.generate import generate, next_token_probabilities, stream
from modern_nets.gpt2 import GPT2
from tests.parity.compare import compare, compare_layers
from tests.parity.pairs import BY_NAME, TOLERANCE, Pair, token_inputs


@pytest.fixture(params=[torch.float64, torch.float32], ids=str)
def models(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[GPT2, nn.Module]:
    """Крупные позиции: с обычными жадное продолжение — одно и то же слово, и сверять нечего."""
    pair = BY_NAME["gpt2"]
    _, reference = pair.build(tmp_path, request.param)
    with torch.no_grad():
        reference.transformer.wpe.weight.mul_(6)
    return pair.read(reference, tmp_path / "varied"), reference


def left_padded() -> tuple[torch.Tensor, torch.Tensor]:
    inputs = token_inputs(torch.float32, segments=False, padding_side="left")
    return inputs["input_ids"], inputs["attention_mask"]


def test_layers_of_a_left_padded_batch_equal_the_original(models: tuple[GPT2, nn.Module]) -> None:
    """transformers не считает позиции по маске сама: ей их дают, как это делает её `generate`."""
    ours, reference = models
    ids, mask = left_padded()
    dtype = ours.norm.weight.dtype
    pair = BY_NAME["gpt2"]
    positions = (mask.cumsum(-1) - 1).clamp(min=0)

    class Padded(Pair):
        def run_reference(self, reference: nn.Module, inputs: dict[str, torch.Tensor]) -> object:
            return reference(**inputs, position_ids=positions)

    padded = Padded("gpt2", pair.reference, GPT2, lambda _: {"input_ids": ids, "attention_mask": mask}, pair.layers)
    compare_layers(padded, ours, reference, dtype, valid=mask.bool())


@pytest.mark.parametrize("chunks", [[1] * 11, [4, 1, 6], [11], [2, 9], [10, 1]], ids=str)
@pytest.mark.parametrize("padded", [False, True])
@torch.no_grad()
def test_reading_in_pieces_equals_reading_at_once(
    models: tuple[GPT2, nn.Module], chunks: list[int], padded: bool
) -> None:
    model, _ = models
    ids, mask = left_padded()
    mask = mask if padded else torch.ones_like(mask)
    whole = model(ids, mask).logits
    caches, read, pieces = model.new_caches(11), 0, []
    for size in chunks:
        piece = ids[:, read : read + size]
        pieces.append(model(piece, mask[:, : read + size] if padded else None, caches=caches).logits)
        read += size
    compare("кэш", torch.cat(pieces, dim=1), whole, TOLERANCE[whole.dtype], valid=mask.bool())


def test_greedy_generation_equals_transformers(models: tuple[GPT2, nn.Module]) -> None:
    ours, reference = models
    ids, mask = left_padded()
    assert len({tuple(row) for row in generate(ours, ids, 8, attention_mask=mask)[:, 11:].tolist()}) == 4
    for row in range(4):
        prompt = ids[row : row + 1, mask[row].bool()]
        theirs = reference.generate(prompt, max_new_tokens=8, do_sample=False, pad_token_id=0)
        assert torch.equal(generate(ours, prompt, 8), theirs)
    theirs = reference.generate(ids, attention_mask=mask, max_new_tokens=8, do_sample=False, pad_token_id=0)
    assert torch.equal(generate(ours, ids, 8, attention_mask=mask), theirs)


def test_a_left_padded_batch_equals_one_by_one(models: tuple[GPT2, nn.Module]) -> None:
    model, _ = models
    ids, mask = left_padded()
    together = generate(model, ids, 8, attention_mask=mask)[:, 11:]
    alone = [generate(model, ids[row : row + 1, mask[row].bool()], 8)[0, -8:] for row in range(4)]
    assert torch.equal(together, torch.stack(alone))


def test_stop_tokens_end_each_row_on_its_own(models: tuple[GPT2, nn.Module]) -> None:
    ours, reference = models
    ids, mask = left_padded()
    free = generate(ours, ids, 8, attention_mask=mask)
    stop = int(free[0, 13])
    stopped = generate(ours, ids, 8, attention_mask=mask, stop_tokens=[stop])
    theirs = reference.generate(
        ids, attention_mask=mask, max_new_tokens=8, do_sample=False, eos_token_id=stop, pad_token_id=stop
    )
    assert torch.equal(stopped, theirs)
    alone = generate(ours, ids[:1], 8, stop_tokens=[stop])
    assert alone.shape[1] == 11 + free[0, 11:].tolist().index(stop) + 1


def test_a_finished_row_is_filled_with_the_first_of_the_stop_tokens(models: tuple[GPT2, nn.Module]) -> None:
    model, _ = models
    ids, mask = left_padded()
    free = generate(model, ids, 8, attention_mask=mask)
    stop = int(free[0, 13])
    other = next(token for token in range(37) if token not in free)
    for stops in ([stop, other], [other, stop]):
        row = generate(model, ids, 8, attention_mask=mask, stop_tokens=stops)[0, 11:].tolist()
        end = row.index(stop) + 1
        assert len(row) > end
        assert row[end:] == [stops[0]] * (len(row) - end)


def test_stream_gives_the_same_tokens_one_at_a_time(models: tuple[GPT2, nn.Module]) -> None:
    model, _ = models
    ids, mask = left_padded()
    seen: list[torch.Tensor] = []
    whole = generate(model, ids, 8, attention_mask=mask, on_token=seen.append)
    tokens = list(stream(model, ids, 8, attention_mask=mask))
    assert torch.equal(torch.stack(tokens, dim=1), whole[:, 11:])
    assert torch.equal(torch.stack(seen, dim=1), whole[:, 11:])


def test_sampling_repeats_with_its_seed_and_follows_the_probabilities(models: tuple[GPT2, nn.Module]) -> None:
    model, _ = models
    prompt = left_padded()[0][:1].expand(3000, -1)
    options = {"temperature": 1.3, "top_k": 5}
    first = generate(model, prompt, 1, generator=torch.Generator().manual_seed(5), **options)
    second = generate(model, prompt, 1, generator=torch.Generator().manual_seed(5), **options)
    assert torch.equal(first, second)
    with torch.no_grad():
        expected = next_token_probabilities(model(prompt[:1]).logits[:, -1], 1.3, top_k=5)[0]
    frequencies = torch.bincount(first[:, -1], minlength=37) / 3000
    assert (frequencies - expected).abs().max() < 0.04


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, None, None), (0.7, 6, None), (1.5, None, 0.8), (0.9, 9, 0.6)]
)
def test_probabilities_equal_the_filters_of_transformers(
    temperature: float, top_k: int | None, top_p: float | None
) -> None:
    logits = torch.randn(8, 37, generator=torch.Generator().manual_seed(0))
    filters = [transformers.TemperatureLogitsWarper(temperature)]
    filters += [transformers.TopKLogitsWarper(top_k)] if top_k else []
    filters += [transformers.TopPLogitsWarper(top_p)] if top_p else []
    theirs = logits
    for each in filters:
        theirs = each(None, theirs)
    ours = next_token_probabilities(logits, temperature, top_k=top_k, top_p=top_p)
    assert torch.allclose(ours, theirs.softmax(-1), atol=1e-6)


def test_probabilities_by_hand() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    expected = {0.5: [0.867, 0.117, 0.016], 1: [0.665, 0.245, 0.090], 2: [0.506, 0.307, 0.186]}
    for temperature, probabilities in expected.items():
        assert next_token_probabilities(logits, temperature)[0].tolist() == pytest.approx(probabilities, abs=6e-4)
    assert next_token_probabilities(logits, top_p=0.9)[0].tolist() == pytest.approx([0.731, 0.269, 0], abs=6e-4)
