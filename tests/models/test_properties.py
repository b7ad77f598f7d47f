"""Свойства внимания, масок, кэша и выбора токена на произвольных формах."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from modern_nets.attention import KVCache, MultiHeadAttention, attention, causal_mask, padding_mask
from modern_nets.generate import generate, next_token_probabilities, pick_token
from modern_nets.gpt2 import GPT2, GPT2Block, GPT2Config
from modern_nets.resnet import BasicBlock, Bottleneck, ResidualBlock
from modern_nets.transformer import DecoderBlock, TransformerConfig

settings.register_profile("models", max_examples=40, deadline=None, derandomize=True)
settings.load_profile("models")

sizes = st.integers(1, 7)
seeds = st.integers(0, 2**31)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@st.composite
def masked_inputs(draw: st.DrawFn) -> tuple[MultiHeadAttention, Tensor, Tensor, Tensor]:
    """Слой, запросы, контекст и маска любой приводимой формы; строки бывают закрыты целиком."""
    n_heads, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    n_batch, n_queries, n_keys = draw(sizes), draw(sizes), draw(sizes)
    torch.manual_seed(draw(seeds))
    layer = MultiHeadAttention(n_heads * width, n_heads).double()
    x = torch.randn(n_batch, n_queries, n_heads * width, dtype=torch.float64)
    context = torch.randn(n_batch, n_keys, n_heads * width, dtype=torch.float64)
    shape = (
        n_batch if draw(st.booleans()) else 1,
        n_heads if draw(st.booleans()) else 1,
        n_queries if draw(st.booleans()) else 1,
        n_keys,
    )
    density = draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    return layer, x, context, torch.rand(shape) < density


@given(masked_inputs())
def test_fused_attention_equals_the_formula(inputs: tuple[MultiHeadAttention, Tensor, Tensor, Tensor]) -> None:
    layer, x, context, mask = inputs
    weights: list[Tensor] = []
    by_formula = layer(x, context, mask, attentions=weights)
    assert torch.allclose(layer(x, context, mask), by_formula, atol=1e-12)
    sums = weights[0].sum(-1)
    open_rows = mask.expand_as(weights[0]).any(-1)
    assert torch.allclose(sums, open_rows.double(), atol=1e-12)
    assert not weights[0].isnan().any()
    assert (weights[0][~mask.expand_as(weights[0])] == 0).all()


@given(masked_inputs())
def test_gradients_of_both_paths_are_equal_and_finite(
    inputs: tuple[MultiHeadAttention, Tensor, Tensor, Tensor],
) -> None:
    layer, x, context, mask = inputs
    gradients = []
    for attentions in (None, []):
        layer.zero_grad()
        layer(x, context, mask, attentions=attentions).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in layer.parameters() if p.grad is not None]))
    assert gradients[0].isfinite().all()
    assert torch.allclose(gradients[0], gradients[1], atol=1e-9)


@given(seeds, st.integers(2, 8))
def test_attention_does_not_know_the_order_of_tokens(seed: int, n_tokens: int) -> None:
    torch.manual_seed(seed)
    layer, x = MultiHeadAttention(6, 2).double(), torch.randn(1, n_tokens, 6, dtype=torch.float64)
    order = torch.randperm(n_tokens)
    assert torch.allclose(layer(x)[:, order], layer(x[:, order]), atol=1e-12)


@given(seeds, sizes, sizes)
def test_output_is_within_the_values(seed: int, n_queries: int, n_keys: int) -> None:
    generator = seeded(seed)
    q, k, v = (torch.randn(n, 3, generator=generator) for n in (n_queries, n_keys, n_keys))
    out, _ = attention(q, k, v)
    assert (out <= v.amax(0) + 1e-5).all() and (out >= v.amin(0) - 1e-5).all()


@given(sizes, st.integers(0, 5))
def test_causal_mask_lets_each_token_see_the_past_and_itself(n_tokens: int, n_past: int) -> None:
    mask = causal_mask(n_tokens, n_past=n_past)
    for row in range(n_tokens):
        assert mask[row].tolist() == [key <= n_past + row for key in range(n_past + n_tokens)]


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=4))
def test_padding_mask_keeps_each_row_its_own(rows: list[list[bool]]) -> None:
    mask = padding_mask(torch.tensor(rows).long())
    assert mask.shape == (len(rows), 1, 1, 4)
    assert mask[:, 0, 0].tolist() == rows


@given(seeds, st.lists(st.integers(1, 4), min_size=1, max_size=5), st.booleans())
def test_cache_in_any_pieces_equals_one_read(seed: int, pieces: list[int], explicit_mask: bool) -> None:
    torch.manual_seed(seed)
    layer, total = MultiHeadAttention(6, 2).double(), sum(pieces)
    x = torch.randn(2, total, 6, dtype=torch.float64)
    whole = layer(x, mask=causal_mask(total))
    cache, outputs, read = KVCache(total), [], 0
    with torch.no_grad():
        for size in pieces:
            mask = causal_mask(size, n_past=read) if explicit_mask else None
            outputs.append(layer(x[:, read : read + size], mask=mask, is_causal=not explicit_mask, cache=cache))
            read += size
    assert torch.allclose(torch.cat(outputs, 1), whole, atol=1e-12)


@given(seeds, st.integers(2, 9), st.data())
def test_the_future_changes_nothing_in_the_past(seed: int, n_tokens: int, data: st.DataObject) -> None:
    torch.manual_seed(seed)
    model = GPT2(GPT2Config(vocab_size=11, max_tokens=9, d_model=6, n_layers=2, n_heads=2)).eval()
    ids = torch.randint(0, 11, (1, n_tokens))
    first_changed = data.draw(st.integers(1, n_tokens - 1))
    other = ids.clone()
    other[:, first_changed:] = (other[:, first_changed:] + 1) % 11
    assert torch.equal(model(ids).logits[:, :first_changed], model(other).logits[:, :first_changed])


def test_one_row_of_logits_needs_no_batch() -> None:
    logits = torch.tensor([0.0, 3.0, 1.0, 2.0])
    assert pick_token(logits).item() == 1
    assert pick_token(logits, 1.0, top_k=1).item() == 1
    assert (next_token_probabilities(logits, top_k=2, top_p=0.99) > 0).tolist() == [False, True, False, True]


@given(seeds, st.floats(0.05, 5), st.integers(1, 12) | st.none(), st.floats(0.01, 1) | st.none())
def test_probabilities_keep_the_likeliest(
    seed: int, temperature: float, top_k: int | None, top_p: float | None
) -> None:
    logits = torch.randn(3, 9, generator=seeded(seed)) * 3
    plain = (logits / temperature).softmax(-1)
    kept = next_token_probabilities(logits, temperature, top_k=top_k, top_p=top_p)
    assert torch.allclose(kept.sum(-1), torch.ones(3), atol=1e-5)
    assert torch.equal(kept.argmax(-1), logits.argmax(-1))
    for row in range(3):
        chosen = kept[row] > 0
        if top_k is not None:
            assert chosen.sum() <= top_k
        if chosen.any() and not chosen.all():
            assert plain[row][chosen].min() >= plain[row][~chosen].max() - 1e-7
        if top_p is not None and top_k is None:
            assert plain[row][chosen].sum() >= top_p - 1e-5


@given(seeds, st.integers(1, 6), st.integers(1, 5))
@settings(max_examples=15)
def test_cached_generation_equals_rereading_the_whole_text(seed: int, n_prompt: int, n_new: int) -> None:
    torch.manual_seed(seed)
    model = GPT2(GPT2Config(vocab_size=11, max_tokens=12, d_model=6, n_layers=2, n_heads=2)).double().eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    ids = torch.randint(0, 11, (2, n_prompt))
    expected = ids
    for _ in range(n_new):
        expected = torch.cat([expected, model(expected).logits[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(generate(model, ids, n_new), expected)


@pytest.mark.parametrize("block", [ResidualBlock, BasicBlock, Bottleneck])
@given(st.sampled_from([(4, 4), (4, 8), (8, 4)]), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=15)
def test_block_gives_the_promised_shape(
    block: type, channels: tuple[int, int], stride: int, height: int, width: int
) -> None:
    in_dim, out_dim = channels
    out = block(in_dim, out_dim, stride).eval()(torch.randn(1, in_dim, height, width))
    assert out.shape == (1, out_dim, -(-height // stride), -(-width // stride))
    assert (out >= 0).all()


@given(seeds, st.integers(2, 6), st.integers(2, 6))
def test_a_padding_mask_never_opens_the_future(seed: int, n_tokens: int, n_real: int) -> None:
    """Блоку дают только маску заполнителей, и будущее всё равно закрыто."""
    torch.manual_seed(seed)
    blocks = [
        GPT2Block(GPT2Config(d_model=6, n_layers=1, n_heads=2)).eval(),
        DecoderBlock(TransformerConfig(d_model=6, n_layers=1, n_heads=2)).eval(),
    ]
    x, context = torch.randn(1, n_tokens, 6), torch.randn(1, 3, 6)
    mask = padding_mask((torch.arange(n_tokens) < n_real).long()[None])
    other = torch.cat([x[:, :1], torch.randn(1, n_tokens - 1, 6)], dim=1)
    for block in blocks:
        inputs = (context,) if isinstance(block, DecoderBlock) else ()
        assert torch.equal(block(x, *inputs, mask)[:, 0], block(other, *inputs, mask)[:, 0])
