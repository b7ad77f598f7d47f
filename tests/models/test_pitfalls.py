"""Известные ловушки: то, на чём спотыкаются учащиеся и чужие переносы моделей."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from modern_nets.attention import MultiHeadAttention, attention
from modern_nets.bert import Bert, BertConfig, BertForMaskedLM
from modern_nets.gpt2 import GPT2, GPT2Config, next_token_loss
from modern_nets.resnet import ResidualBlock, ResNet, ResNetConfig
from modern_nets.transformer import Transformer, TransformerConfig
from modern_nets.vit import ViT, ViTConfig

SMALL = {"d_model": 64, "n_layers": 2, "n_heads": 4, "d_mlp": 128}


@pytest.mark.parametrize(("in_dim", "out_dim", "stride"), [(64, 128, 1), (64, 64, 2), (64, 64, 1)])
def test_shortcut_is_projected_whenever_shapes_differ(in_dim: int, out_dim: int, stride: int) -> None:
    block = ResidualBlock(in_dim, out_dim, stride)
    assert isinstance(block.shortcut, nn.Identity) == (in_dim == out_dim and stride == 1)
    assert block(torch.randn(2, in_dim, 8, 8)).shape == (2, out_dim, 8 // stride, 8 // stride)


def test_layer_norm_divides_by_the_biased_deviation() -> None:
    model = Bert(BertConfig(vocab_size=5, max_tokens=4, d_model=4, n_layers=1, n_heads=1, d_mlp=4))
    normalized = model.embedding_norm(torch.tensor([1.0, 0, 0, 0]))
    assert normalized[0].item() == pytest.approx(math.sqrt(3), abs=1e-4)


def test_a_closed_row_gives_zeros_in_every_path() -> None:
    torch.manual_seed(0)
    mask = torch.tensor([[True, True], [False, False]])
    q = torch.randn(1, 1, 2, 4)
    out, weights = attention(q, q, q, mask)
    assert (weights[..., 1, :] == 0).all() and (out[..., 1, :] == 0).all()
    fused = nn.functional.scaled_dot_product_attention(q, q, q, mask)
    assert torch.equal(fused[..., 1, :], out[..., 1, :])
    layer, x = MultiHeadAttention(4, 1), torch.randn(1, 2, 4)
    assert torch.equal(layer(x, mask=mask)[0, 1], layer.output.bias)
    collected: list[torch.Tensor] = []
    assert torch.equal(layer(x, mask=mask, attentions=collected)[0, 1], layer.output.bias)


def test_each_row_of_a_batch_has_its_own_mask() -> None:
    torch.manual_seed(0)
    model = Bert(BertConfig(vocab_size=20, max_tokens=8, **SMALL)).eval()
    ids = torch.randint(1, 20, (2, 8))
    mask = torch.tensor([[1] * 8, [1] * 3 + [0] * 5])
    together = model(ids, mask).last_hidden_state
    assert torch.allclose(together[0], model(ids[:1]).last_hidden_state[0], atol=1e-5)
    assert torch.allclose(together[1, :3], model(ids[1:, :3]).last_hidden_state[0], atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_pictures_take_the_number_type_of_the_model(dtype: torch.dtype) -> None:
    """Массивы NumPy приходят в float64, а модель держит float32."""
    torch.manual_seed(0)
    vit = ViT(ViTConfig(image_size=32, patch_size=8, n_classes=4, **SMALL)).eval()
    resnet = ResNet(ResNetConfig(depths=(1,), widths=(8,), stem_width=8, n_classes=4)).eval()
    images = torch.randn(1, 3, 32, 32, dtype=dtype)
    for model in (vit, resnet):
        assert torch.equal(model(images).logits, model(images.float()).logits)


def test_padding_row_learns_only_if_there_is_no_padding_token() -> None:
    for pad_token_id in (0, None):
        model = Bert(BertConfig(vocab_size=5, pad_token_id=pad_token_id, **SMALL))
        model(torch.tensor([[0, 1, 2]])).last_hidden_state.square().sum().backward()
        assert (model.token_embedding.weight.grad[0] == 0).all() == (pad_token_id == 0)


@pytest.mark.parametrize("kind", [GPT2, BertForMaskedLM])
def test_fresh_model_guesses(kind: type) -> None:
    torch.manual_seed(0)
    ids = torch.randint(0, 5000, (4, 32))
    model = kind(kind.CONFIG(vocab_size=5000, **SMALL))
    assert model(ids, labels=ids).loss.item() == pytest.approx(math.log(5000), rel=0.05)


def test_labels_are_shifted_once() -> None:
    """Логиты на месте t уверенно называют токен t + 1: потери — ноль. С двойным сдвигом или без него — нет."""
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    logits = nn.functional.one_hot(ids.roll(-1, 1), 10).float() * 100
    assert next_token_loss(logits, ids).item() == pytest.approx(0, abs=1e-6)
    assert nn.functional.cross_entropy(logits[0], ids[0]).item() > 10
    assert nn.functional.cross_entropy(logits[0, :-2], ids[0, 2:]).item() > 10


def test_labels_of_minus_100_are_not_counted() -> None:
    torch.manual_seed(0)
    model = GPT2(GPT2Config(vocab_size=20, **SMALL)).eval()
    ids = torch.randint(0, 20, (2, 9))
    labels = ids.clone()
    labels[1] = -100
    assert model(ids, labels=labels).loss.item() == pytest.approx(model(ids[:1], labels=ids[:1]).loss.item(), abs=1e-6)


def models() -> list[nn.Module]:
    torch.manual_seed(0)
    return [
        ResNet(ResNetConfig(depths=(1, 1), widths=(8, 16), stem_width=8, n_classes=4)),
        ViT(ViTConfig(image_size=32, patch_size=8, n_classes=4, dropout=0.1, **SMALL)),
        Bert(BertConfig(vocab_size=20, **SMALL)),
        GPT2(GPT2Config(vocab_size=20, **SMALL)),
        Transformer(TransformerConfig(vocab_size=20, **SMALL)),
    ]


def run(model: nn.Module, **options: bool) -> tuple:
    torch.manual_seed(1)
    ids = torch.randint(0, 20, (2, 7))
    if isinstance(model, ResNet | ViT):
        return model(torch.randn(2, 3, 32, 32), **options)
    return model(ids, ids, **options) if isinstance(model, Transformer) else model(ids, **options)


@pytest.mark.parametrize("model", models(), ids=lambda model: type(model).__name__)
def test_loader_returns_a_model_that_answers_the_same_twice(model: nn.Module, tmp_path) -> None:
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path)
    assert not loaded.training
    first, second = run(loaded), run(loaded)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True) if isinstance(a, torch.Tensor))
    assert all(p.requires_grad for p in loaded.parameters())


@pytest.mark.parametrize("model", models()[1:], ids=lambda model: type(model).__name__)
def test_attention_on_request_changes_no_output(model: nn.Module) -> None:
    model.eval()
    plain, with_weights = run(model), run(model, return_attention=True)
    for a, b in zip(plain[:-1], with_weights[:-1], strict=True):
        assert a is b is None or torch.allclose(a, b, atol=1e-5)
    weights = with_weights[-1]
    assert plain[-1] is None and len(weights) == 2
    assert torch.allclose(weights[0].sum(-1), torch.ones(weights[0].shape[:-1]), atol=1e-5)


@pytest.mark.parametrize("model", models(), ids=lambda model: type(model).__name__)
def test_every_parameter_learns(model: nn.Module) -> None:
    """Градиент доходит до каждого параметра: ничего не забыто в прямом проходе."""
    outputs = run(model)
    sum(out.square().sum() for out in outputs if isinstance(out, torch.Tensor)).backward()
    idle = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert idle == []


@pytest.mark.parametrize("model", models(), ids=lambda model: type(model).__name__)
def test_outputs_stay_on_the_device_of_the_model(model: nn.Module) -> None:
    """На устройстве meta любое создание тензора не там, где модель, — ошибка."""
    config = model.config
    with torch.device("meta"):
        empty = type(model)(config)
    images, ids = torch.empty(2, 3, 32, 32, device="meta"), torch.zeros(2, 7, dtype=torch.long, device="meta")
    inputs = (images,) if isinstance(model, ResNet | ViT) else (ids, ids) if isinstance(model, Transformer) else (ids,)
    for out in empty(*inputs):
        assert out is None or out.device.type == "meta"


def test_package_needs_only_torch_and_safetensors() -> None:
    code = """
import importlib, pkgutil, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("transformers", "torchvision", "huggingface_hub", "sklearn", "PIL", "matplotlib"):
            raise ImportError("нужна библиотека " + name)
sys.meta_path.insert(0, Block())
import modern_nets
for info in pkgutil.iter_modules(modern_nets.__path__):
    importlib.import_module(f"modern_nets.{info.name}")
from modern_nets.gpt2 import GPT2, GPT2Config
import tempfile
with tempfile.TemporaryDirectory() as folder:
    GPT2(GPT2Config(vocab_size=9, max_tokens=4, d_model=4, n_layers=1, n_heads=1)).save_pretrained(folder)
    GPT2.from_pretrained(folder)
    try:
        GPT2.from_pretrained("gpt2")
    except FileNotFoundError as error:
        assert "huggingface_hub" in str(error), error
    else:
        raise AssertionError("ошибки нет")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
