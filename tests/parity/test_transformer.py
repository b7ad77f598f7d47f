"""Transformer 2017 года против слоёв PyTorch."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from modern_nets.transformer import Transformer, TransformerConfig, sinusoidal_positions
from tests.parity.compare import compare
from tests.parity.pairs import BY_NAME, TOLERANCE, randomize

CONFIG = TransformerConfig(vocab_size=37, d_model=20, n_heads=5, n_layers=3, d_mlp=22, dropout=0.0)


def build(dtype: torch.dtype) -> tuple[Transformer, nn.Transformer]:
    """Наша модель и nn.Transformer с одними весами, без последних нормализаций: в статье их нет."""
    torch.manual_seed(0)
    reference = nn.Transformer(20, 5, 3, 3, 22, dropout=0.0, batch_first=True, dtype=dtype)
    reference.encoder.norm = reference.decoder.norm = None
    randomize(reference)
    ours = Transformer(CONFIG).to(dtype).load_torch_layers(reference)
    return ours.train(), reference.train()  # в eval PyTorch считает энкодер другим кодом


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_every_block_equals_pytorch(dtype: torch.dtype) -> None:
    ours, reference = build(dtype)
    source, target = torch.randn(4, 11, 20, dtype=dtype), torch.randn(4, 7, 20, dtype=dtype)
    padding = torch.arange(11) >= torch.tensor([[11], [4], [1], [7]])  # у PyTorch True — «нельзя»
    future = torch.ones(7, 7, dtype=torch.bool).triu(1)
    mask = ~padding[:, None, None, :]
    for i in range(3):
        theirs = reference.encoder.layers[i](source, src_key_padding_mask=padding)
        compare(f"encoder.{i}", ours.encoder[i](source, mask), theirs, TOLERANCE[dtype])
        theirs = reference.decoder.layers[i](target, source, future, memory_key_padding_mask=padding)
        compare(f"decoder.{i}", ours.decoder[i](target, source, None, mask), theirs, TOLERANCE[dtype])


def test_whole_model_and_its_gradients_equal_pytorch() -> None:
    ours, reference = build(torch.float64)
    source, target = torch.randint(0, 37, (4, 11)), torch.randint(0, 37, (4, 7))
    attention_mask = (torch.arange(11) < torch.tensor([[11], [4], [1], [7]])).long()
    future = torch.ones(7, 7, dtype=torch.bool).triu(1)
    labels = torch.randint(0, 37, (4, 7))
    output = ours(source, target, attention_mask, labels)
    padding = attention_mask == 0
    hidden = reference(
        ours.embed(source),
        ours.embed(target),
        tgt_mask=future,
        src_key_padding_mask=padding,
        memory_key_padding_mask=padding,
    )
    theirs = F.cross_entropy((hidden @ ours.embedding.weight.T).flatten(0, 1), labels.flatten())
    compare("decoder", output.last_hidden_state, hidden, 1e-10)
    compare("loss", output.loss, theirs, 1e-10)
    output.loss.backward()
    embedding_gradient = ours.embedding.weight.grad.clone()
    ours.embedding.weight.grad = None
    theirs.backward()
    compare("embedding", embedding_gradient, ours.embedding.weight.grad, 1e-10)
    mine = ours.encoder[0].attention
    joined = torch.cat([layer.weight.grad for layer in (mine.query, mine.key, mine.value)])
    compare("encoder.0.attention", joined, reference.encoder.layers[0].self_attn.in_proj_weight.grad, 1e-10)
    compare("decoder.2.mlp", ours.decoder[2].mlp.up.weight.grad, reference.decoder.layers[2].linear1.weight.grad, 1e-10)


def test_final_norms_are_not_silently_dropped() -> None:
    reference = nn.Transformer(20, 5, 3, 3, 22, batch_first=True)
    with pytest.raises(ValueError, match=r"encoder\.norm = reference\.decoder\.norm = None"):
        Transformer(CONFIG).load_torch_layers(reference)


@pytest.mark.parametrize(
    ("difference", "name"),
    [
        ({"nhead": 4}, "n_heads = 4"),
        ({"norm_first": True}, "norm_first = True"),
        ({"activation": "gelu"}, "activation = 'gelu'"),
        ({"activation": nn.GELU(approximate="tanh")}, "activation = 'gelu_tanh'"),
        ({"layer_norm_eps": 1e-6}, "layer_norm_eps = 1e-06"),
        ({"dim_feedforward": 24}, "форма"),
        ({"num_encoder_layers": 2}, "нет тензора"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_layers_of_another_kind_are_refused(difference: dict[str, object], name: str) -> None:
    """Формы совпали бы, а выходы — нет."""
    sizes = {"d_model": 20, "nhead": 5, "num_encoder_layers": 3, "num_decoder_layers": 3, "dim_feedforward": 22}
    reference = nn.Transformer(**(sizes | difference), batch_first=True)
    reference.encoder.norm = reference.decoder.norm = None
    with pytest.raises(ValueError, match=name):
        Transformer(CONFIG).load_torch_layers(reference)


def test_positions_follow_the_formula_of_the_paper() -> None:
    table = sinusoidal_positions(50, 8)
    for position in (0, 1, 7, 49):
        for i in range(4):
            angle = torch.tensor(position / 10_000 ** (2 * i / 8), dtype=torch.float64)
            assert table[position, 2 * i] == pytest.approx(angle.sin().item(), abs=1e-6)
            assert table[position, 2 * i + 1] == pytest.approx(angle.cos().item(), abs=1e-6)


def test_decoder_sees_neither_the_future_nor_padding() -> None:
    torch.manual_seed(0)
    model = Transformer(CONFIG).eval()
    source, target = torch.randint(0, 37, (2, 6)), torch.randint(0, 37, (2, 5))
    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
    before = model(source, target, mask).logits
    other_target, other_source = target.clone(), source.clone()
    other_target[:, 3:] = (other_target[:, 3:] + 1) % 37
    other_source[0, 4:] = (other_source[0, 4:] + 1) % 37
    after = model(other_source, other_target, mask).logits
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


def test_translation_of_a_padded_batch_equals_one_by_one() -> None:
    torch.manual_seed(3)
    model = Transformer(CONFIG).eval()
    randomize(model)
    source = torch.randint(3, 37, (3, 6))
    lengths = [6, 2, 4]
    mask = (torch.arange(6) < torch.tensor(lengths)[:, None]).long()
    options = {"start_token": 1, "stop_token": 2, "max_new_tokens": 9}
    together = model.translate(source, mask, **options)
    for row, length in enumerate(lengths):
        alone = model.translate(source[row : row + 1, :length], **options)[0].tolist()
        assert together[row].tolist()[: len(alone)] == alone
        assert set(together[row].tolist()[len(alone) :]) <= {2}


def test_it_learns_to_copy(tmp_path: Path) -> None:
    """Обучение, перевод, диск: вся модель вместе на задаче, ответ которой известен."""
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(vocab_size=8, d_model=32, n_heads=4, n_layers=1, d_mlp=64, dropout=0.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    start, stop = 1, 2
    for _ in range(250):
        source = torch.randint(3, 8, (64, 5))
        written = torch.cat([torch.full((64, 1), start), source], dim=1)
        labels = torch.cat([source, torch.full((64, 1), stop)], dim=1)
        optimizer.zero_grad()
        model(source, written, labels=labels).loss.backward()
        optimizer.step()
    model.eval()
    source = torch.randint(3, 8, (50, 5))
    copied = model.translate(source, start_token=start, stop_token=stop, max_new_tokens=6)
    assert (copied[:, 1:6] == source).all(dim=1).float().mean() > 0.9
    assert (copied[:, 6] == stop).float().mean() > 0.9
    model.save_pretrained(tmp_path)
    again = Transformer.from_pretrained(tmp_path)
    assert torch.equal(again.translate(source, start_token=1, stop_token=2, max_new_tokens=6), copied)


def test_translation_equals_marian(tmp_path: Path) -> None:
    """Переводчик той же архитектуры: жадный перевод пакета с заполнителями — тот же, что у transformers."""
    pair = BY_NAME["transformer-marian"]
    ours, reference = pair.build(tmp_path)
    inputs = pair.inputs(torch.float64)
    source, mask = inputs["input_ids"], inputs["attention_mask"]
    theirs = reference.generate(
        source, attention_mask=mask, num_beams=1, do_sample=False, max_new_tokens=9, bad_words_ids=[[36]]
    )
    translated = ours.translate(source, mask, start_token=36, stop_token=0, max_new_tokens=9, forbidden_tokens=[36])
    for row, their_row in zip(translated.tolist(), theirs.tolist(), strict=True):
        ends = [(line.index(0) if 0 in line else 9) for line in (row, their_row)]
        assert row[: ends[0]] == their_row[: ends[1]]
