"""Плохой вход: понятная ошибка по-русски, которая называет оба числа или поле, и ничего не испорчено."""

import copy
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modern_nets.attention import KVCache, MultiHeadAttention, attention, causal_mask, padding_mask
from modern_nets.bert import Bert, BertConfig, BertForMaskedLM, BertForSequenceClassification
from modern_nets.files import torchvision_checkpoint
from modern_nets.generate import generate, next_token_probabilities, pick_token, stream
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.layers import MLP
from modern_nets.resnet import ResNet, ResNetConfig, resnet18
from modern_nets.transformer import Transformer, TransformerConfig, sinusoidal_positions
from modern_nets.vit import ViT, ViTConfig

SMALL = {"d_model": 8, "n_layers": 1, "n_heads": 2, "d_mlp": 16}
BERT = Bert(BertConfig(vocab_size=20, max_tokens=512, **SMALL))
MASKED = BertForMaskedLM(BertConfig(vocab_size=20, max_tokens=12, **SMALL))
CLASSIFIER = BertForSequenceClassification(BertConfig(vocab_size=20, max_tokens=12, n_classes=3, **SMALL))
GPT = GPT2(GPT2Config(vocab_size=20, max_tokens=12, **SMALL)).eval()
VIT = ViT(ViTConfig(image_size=8, patch_size=4, n_classes=3, **SMALL))
RESNET = ResNet(ResNetConfig(depths=(1,), widths=(4,), stem_width=4, n_classes=3))
SEQ = Transformer(TransformerConfig(vocab_size=20, **SMALL))
DEEP = GPT2(GPT2Config(vocab_size=20, max_tokens=12, **(SMALL | {"n_layers": 2}))).eval()
IDS = torch.arange(10)[None]
LAYER = MultiHeadAttention(8, 2)


def tokens(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape, dtype=torch.long)


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "heads do not divide width": (lambda: MultiHeadAttention(10, 4), r"10.*4"),
    "tokens of another width": (lambda: LAYER(torch.zeros(1, 3, 9)), r"ширины 8.*\(1, 3, 9\)"),
    "context of another width": (lambda: LAYER(torch.zeros(1, 3, 8), torch.zeros(1, 3, 7)), r"ширины 8.*\(1, 3, 7\)"),
    "queries and keys of other widths": (
        lambda: attention(torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(2, 4)),
        "3.*4",
    ),
    "mask of numbers": (lambda: LAYER(torch.zeros(1, 3, 8), mask=torch.ones(3, 3)), r"булевой.*float32"),
    "mask of one axis": (lambda: padding_mask(torch.ones(3)), r"\(B, S\).*\(3,\)"),
    "no tokens in causal mask": (lambda: causal_mask(0), "0"),
    "negative past": (lambda: causal_mask(2, n_past=-1), "-1"),
    "no room in cache": (lambda: KVCache(0), "0"),
    "cache overflow": (lambda: KVCache(2).append(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4)), r"на 2 .*3"),
    "tokens without a batch": (lambda: LAYER(torch.zeros(3, 8)), r"\(B, T, D\).*\(3, 8\)"),
    "context of another batch": (
        lambda: LAYER(torch.zeros(2, 3, 8), torch.zeros(3, 3, 8)),
        r"\(2, 3, 8\).*\(3, 3, 8\)",
    ),
    "mask of another shape": (
        lambda: LAYER(torch.zeros(1, 3, 8), mask=tokens(4, 4).bool()),
        r"\(4, 4\).*\(1, 2, 3, 3\)",
    ),
    "mask of one row": (lambda: LAYER(torch.zeros(1, 3, 8), mask=tokens(3).bool()), r"\(3,\).*\(1, 2, 3, 3\)"),
    "keys and values in cache": (
        lambda: KVCache(2).append(torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 1, 5)),
        r"\(1, 2, 1, 4\).*\(1, 2, 1, 5\)",
    ),
    "unknown activation": (lambda: MLP(8, 16, activation="gelo"), r"«gelo».*gelu"),
    "bert: 600 tokens": (lambda: BERT(tokens(1, 600)), r"600.*512"),
    "bert: no batch axis": (lambda: BERT(tokens(5)), r"\(B, T\).*\(5,\)"),
    "bert: empty": (lambda: BERT(tokens(1, 0)), r"Пустой.*\(1, 0\)"),
    "bert: not integers": (lambda: BERT(torch.zeros(1, 3)), "float32"),
    "bert: id too large": (lambda: BERT(tokens(1, 3) + 20), r"20 вне словаря.*0 до 19"),
    "bert: negative id": (lambda: BERT(tokens(1, 3) - 1), r"-1 вне словаря"),
    "bert: mask of another length": (lambda: BERT(tokens(2, 5), tokens(2, 4)), r"\(2, 4\).*\(2, 5\)"),
    "bert: list of ids": (lambda: BERT([[1, 2]]), "тензором.*list"),
    "bert: additive mask": (lambda: BERT(tokens(1, 3), torch.tensor([[0.0, 0.0, -1e9]])), r"-1000000000.*== 0"),
    "bert: mask of a half": (lambda: BERT(tokens(1, 3), torch.full((1, 3), 0.5)), "0.5"),
    "bert: segments are floats": (lambda: BERT(tokens(1, 3), None, torch.zeros(1, 3)), "отрезков.*float32"),
    "bert: padding out of range": (lambda: BertConfig(vocab_size=20, pad_token_id=20), "20.*20"),
    "bert: segment out of range": (lambda: BERT(tokens(1, 3), None, tokens(1, 3) + 2), r"отрезка 2"),
    "bert: segments of another shape": (lambda: BERT(tokens(1, 3), None, tokens(1, 2)), r"\(1, 2\).*\(1, 3\)"),
    "masked lm: labels of another shape": (lambda: MASKED(tokens(1, 3), labels=tokens(1, 2)), r"\(1, 2\).*\(1, 3\)"),
    "masked lm: nothing to predict": (lambda: MASKED(tokens(1, 3), labels=tokens(1, 3) - 100), "−100"),
    "classifier: label out of range": (
        lambda: CLASSIFIER(tokens(2, 3), labels=torch.tensor([0, 3])),
        r"3 вне классов.*2",
    ),
    "classifier: labels are floats": (lambda: CLASSIFIER(tokens(2, 3), labels=torch.zeros(2)), r"int64.*float32"),
    "classifier: one class": (
        lambda: CLASSIFIER.new_head(1)(tokens(2, 3), labels=tokens(2)) and CLASSIFIER.new_head(3),
        "Класс один",
    ),
    "classifier: head of no classes": (lambda: CLASSIFIER.new_head(0), "n_classes = 0"),
    "vit: head of no classes": (lambda: VIT.new_head(0), "n_classes = 0"),
    "resnet: head of no classes": (lambda: RESNET.new_head(0), "n_classes = 0"),
    "gpt2: mask of twos": (lambda: GPT(tokens(1, 3), torch.tensor([[0, 2, 2]])), "стоит 2"),
    "gpt2: one cache for two blocks": (lambda: DEEP(tokens(1, 3), caches=[KVCache(4)] * 2), "Один кэш"),
    "gpt2: cache of no tokens": (lambda: GPT.new_caches(0), "0"),
    "gpt2: negative logits_to_keep": (lambda: GPT(tokens(1, 3), logits_to_keep=-1), "-1"),
    "gpt2: labels of dropped logits": (
        lambda: GPT(tokens(1, 3), labels=tokens(1, 3), logits_to_keep=2),
        "logits_to_keep.*2",
    ),
    "gpt2: longer than the table": (lambda: GPT(tokens(1, 13)), r"13.*12"),
    "gpt2: one token and labels": (lambda: GPT(tokens(1, 1), labels=tokens(1, 1)), "один токен"),
    "gpt2: labels of another shape": (lambda: GPT(tokens(2, 3), labels=tokens(2, 2)), r"\(2, 2\).*\(2, 3\)"),
    "gpt2: too few caches": (lambda: GPT(tokens(1, 3), caches=GPT.new_caches() * 2), r"2.*1"),
    "generate: beyond the context": (lambda: stream(GPT, IDS, 5), r"10.*5.*15.*12"),
    "generate: nothing to write": (lambda: generate(GPT, IDS, 0), "0"),
    "generate: right padding": (lambda: generate(GPT, IDS, 1, attention_mask=(IDS < 5).long()), "слева"),
    "generate: empty prompt": (lambda: generate(GPT, tokens(1, 0), 1), "Пустой"),
    "generate: negative temperature": (lambda: stream(GPT, IDS, 1, temperature=-1.0), "-1"),
    "generate: not a number": (lambda: stream(GPT, IDS, 1, temperature=float("nan")), "nan"),
    "generate: top_k of zero": (lambda: stream(GPT, IDS, 1, top_k=0), "top_k.*0"),
    "generate: top_p above one": (lambda: stream(GPT, IDS, 1, top_p=1.5), "top_p.*1.5"),
    "generate: stop token out of range": (lambda: stream(GPT, IDS, 1, stop_tokens=[20]), "20 вне словаря"),
    "generate: stop token without a list": (lambda: stream(GPT, IDS, 1, stop_tokens=3), r"\[3\]"),
    "pick: top_k of zero": (lambda: pick_token(torch.zeros(3), 0, top_k=0), "top_k.*0"),
    "generate: cut without temperature": (lambda: stream(GPT, IDS, 1, top_p=0.9), r"top_p = 0\.9.*temperature=1"),
    "probabilities at zero": (lambda: next_token_probabilities(torch.zeros(1, 3), 0.0), "жадный"),
    "vit: another size": (lambda: VIT(torch.zeros(1, 3, 12, 8)), r"12 × 8.*8 × 8"),
    "vit: greyscale": (lambda: VIT(torch.zeros(1, 1, 8, 8)), r"3 каналами.*каналов 1"),
    "vit: no batch axis": (lambda: VIT(torch.zeros(3, 8, 8)), r"\(B, C, H, W\)"),
    "vit: bytes": (lambda: VIT(torch.zeros(1, 3, 8, 8, dtype=torch.uint8)), "uint8"),
    "vit: not a tensor": (lambda: VIT([1]), "тензором.*list"),
    "vit: empty": (lambda: VIT(torch.zeros(0, 3, 8, 8)), "Пустой"),
    "vit: patches do not fit": (lambda: ViTConfig(image_size=30, patch_size=16), r"30.*16"),
    "vit: labels without a head": (
        lambda: ViT(ViTConfig(image_size=8, patch_size=4, n_classes=0, **SMALL))(torch.zeros(1, 3, 8, 8), tokens(1)),
        "new_head",
    ),
    "resnet: channels": (lambda: RESNET(torch.zeros(1, 4, 32, 32)), r"3 каналами.*каналов 4"),
    "resnet: label out of range": (lambda: RESNET(torch.zeros(1, 3, 32, 32), tokens(1) + 7), "7"),
    "resnet: one tiny image in training": (lambda: RESNET.train()(torch.zeros(1, 3, 4, 4)), r"\(3, 4, 4\).*BatchNorm"),
    "resnet: too narrow bottleneck": (lambda: ResNetConfig(block="bottleneck", depths=(1,), widths=(2,)), "2"),
    "resnet: depths are floats": (lambda: ResNetConfig(depths=(1.0,), widths=(4,)), r"depths.*1\.0"),
    "resnet: unknown block": (lambda: ResNetConfig(block="botleneck"), r"«botleneck».*bottleneck"),
    "resnet: unknown stem": (lambda: ResNetConfig(stem="cifar"), r"«cifar»"),
    "resnet: depths and widths": (lambda: ResNetConfig(depths=(2, 2), widths=(64,)), r"2.*1"),
    "resnet: zero depth": (lambda: ResNetConfig(depths=(2, 0, 2, 2)), "depths"),
    "transformer: batches": (lambda: SEQ(tokens(2, 3), tokens(3, 3)), r"2.*3"),
    "transformer: id": (lambda: SEQ(tokens(1, 3), tokens(1, 3) + 25), "25"),
    "transformer: mask": (lambda: SEQ(tokens(1, 3), tokens(1, 3), tokens(1, 4)), r"\(1, 4\).*\(1, 3\)"),
    "transformer: decode another batch": (lambda: SEQ.decode(tokens(1, 3), torch.zeros(2, 3, 8)), r"2.*1"),
    "transformer: decode mask": (lambda: SEQ.decode(tokens(1, 3), torch.zeros(1, 3, 8), tokens(1, 4)), r"\(1, 4\)"),
    "transformer: stop token": (lambda: SEQ.translate(IDS, start_token=1, stop_token=20), "20 вне словаря"),
    "transformer: forbidden token": (
        lambda: SEQ.translate(IDS, start_token=1, stop_token=2, forbidden_tokens=[-1]),
        "-1 вне словаря",
    ),
    "transformer: nothing to write": (
        lambda: SEQ.translate(IDS, start_token=1, stop_token=2, max_new_tokens=0),
        "max_new_tokens = 0",
    ),
    "transformer: epsilon that marian does not write": (
        lambda: TransformerConfig(marian=True, layer_norm_eps=1e-6),
        "layer_norm_eps",
    ),
    "transformer: odd width": (lambda: sinusoidal_positions(4, 7), "7"),
    "config: negative size": (lambda: GPT2Config(n_layers=-1), r"n_layers.*-1"),
    "config: dropout of one": (lambda: GPT2Config(dropout=1.0), r"dropout.*1.0"),
    "config: negative epsilon": (lambda: GPT2Config(layer_norm_eps=-1.0), r"layer_norm_eps.*-1\.0"),
    "config: true for a size": (lambda: GPT2Config(n_layers=True), "n_layers.*True"),
    "preset: without weights": (
        lambda: Transformer.from_pretrained("transformer-base"),
        "«transformer-base».*весов на этой машине нет",
    ),
    "preset: unknown to torchvision": (lambda: torchvision_checkpoint("resnet19"), "«resnet19».*resnet18"),
    "preset: unknown": (lambda: ResNet.from_pretrained("resnet19"), r"resnet19.*resnet1[0-9]"),
    "preset: typo in a hub name": (lambda: GPT2.from_pretrained("gpt2-larg"), r"gpt2-larg.*gpt2-large"),
    "folder: missing in home": (lambda: Bert.from_pretrained("~/no-such-folder"), "no-such-folder"),
    "folder: missing": (lambda: Bert.from_pretrained("./no-such-folder"), "no-such-folder"),
}


@pytest.mark.parametrize("case", CASES)
def test_error_names_what_came_and_what_was_expected(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    act, pattern = CASES[case]
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        act()
    message = str(caught.value)
    assert re.search(pattern, message, re.DOTALL), message
    assert re.search("[а-яё]{3}", message), f"не по-русски: {message}"


def test_a_rejected_input_leaves_the_cache_as_it_was() -> None:
    caches = GPT.new_caches(4)
    first = GPT(IDS[:, :3], caches=caches).logits
    with pytest.raises(ValueError, match="на 4"):
        GPT(IDS[:, 3:6], caches=caches)
    with pytest.raises(ValueError, match="вне словаря"):
        GPT(IDS[:, 3:4] + 90, caches=caches)
    assert [cache.n_tokens for cache in caches] == [3]
    continued = GPT(IDS[:, 3:4], caches=caches).logits
    assert torch.allclose(continued, GPT(IDS[:, :4]).logits[:, -1:], atol=1e-5)
    assert first.shape == (1, 3, 20)


def test_a_cache_of_another_batch_is_refused() -> None:
    caches = GPT.new_caches()
    GPT(IDS[:, :2], caches=caches)
    with pytest.raises(ValueError, match="новый кэш"):
        GPT(IDS[:, 2:3].expand(2, -1), caches=caches)


def test_caches_of_an_interrupted_read_are_refused() -> None:
    caches = DEEP.new_caches()
    DEEP(IDS[:, :2], caches=caches)
    caches[1].n_tokens = 1
    with pytest.raises(ValueError, match="разное число токенов"):
        DEEP(IDS[:, 2:3], caches=caches)


def test_a_cache_of_other_numbers_is_refused() -> None:
    caches = GPT.new_caches()
    GPT(IDS[:, :2], caches=caches)
    with pytest.raises(ValueError, match=r"float32.*float64"):
        copy.deepcopy(GPT).double()(IDS[:, 2:3], caches=caches)


def test_a_cache_begun_in_inference_mode_is_not_continued_outside() -> None:
    caches = GPT.new_caches()
    with torch.inference_mode():
        GPT(IDS[:, :2], caches=caches)
    with pytest.raises(ValueError, match="inference_mode"):
        GPT(IDS[:, 2:3], caches=caches)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    GPT.save_pretrained(tmp_path)
    return tmp_path


def change_config(folder: Path, **fields: Any) -> None:
    data = json.loads((folder / "config.json").read_text()) | fields
    (folder / "config.json").write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("fields", "pattern"),
    [
        ({"activation_function": "mish"}, r"activation_function = 'mish'"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx = True"),
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"rope_theta": 10000.0}, "rope_theta"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings"),
        ({"model_type": "gptj"}, r"'gptj'.*'gpt2'"),
        ({"n_head": 3}, r"8.*3"),
        ({"n_layer": "один"}, "n_layers"),
        ({"dtype": "float33"}, "float33"),
        ({"dtype": "int64"}, "int64"),
        ({"activation_function": ["gelu"]}, "activation_function"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_config_that_is_not_implemented_is_refused(folder: Path, fields: dict[str, Any], pattern: str) -> None:
    change_config(folder, **fields)
    with pytest.raises(ValueError, match=pattern):
        GPT2.from_pretrained(folder)


def test_config_without_a_field_is_refused(folder: Path) -> None:
    data = json.loads((folder / "config.json").read_text())
    del data["n_embd"]
    (folder / "config.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match="n_embd"):
        GPT2.from_pretrained(folder)


def test_one_error_lists_every_wrong_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.ln_f.bias"]
    tensors["transformer.wpe.weight"] = torch.zeros(7, 8)
    tensors["transformer.h.9.ln_1.bias"] = torch.zeros(8)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError) as caught:
        GPT2.from_pretrained(folder)
    message = str(caught.value)
    assert "нет тензора: transformer.ln_f.bias (8,)" in message
    assert "transformer.wpe.weight в файле (7, 8), у модели (12, 8)" in message
    assert "лишний тензор: transformer.h.9.ln_1.bias (8,)" in message


def test_weights_that_are_not_fractions_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.ln_f.bias"] = tensors["transformer.ln_f.bias"].to(torch.int8)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"ln_f\.bias в файле torch\.int8"):
        GPT2.from_pretrained(folder)


def test_classifier_without_its_pooler_is_refused(tmp_path: Path) -> None:
    """Так выглядит и чужая голова: классификатор токенов зовётся в файле так же, а слоя pooler у него нет."""
    CLASSIFIER.new_head(3).save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({name: t for name, t in tensors.items() if "pooler" not in name}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"нет тензора: bert\.pooler\.dense\.weight"):
        BertForSequenceClassification.from_pretrained(tmp_path)


def test_labels_of_another_number_of_classes_are_refused(tmp_path: Path) -> None:
    VIT.save_pretrained(tmp_path)
    change_config(tmp_path, id2label={"0": "кот", "1": "пёс"})
    with pytest.raises(ValueError, match=r"2.*3"):
        ViT.from_pretrained(tmp_path)


def test_a_choice_of_torchvision_weights_is_not_ignored(tmp_path: Path) -> None:
    VIT.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="IMAGENET1K_V1"):
        ViT.from_pretrained(tmp_path, weights="IMAGENET1K_V1")


def test_truncated_file_is_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors не читается"):
        GPT2.from_pretrained(folder)


@pytest.mark.parametrize(
    "content", [b"", b"not a safetensors file", pickle.dumps({"weight": 1})], ids=["empty", "text", "pickle"]
)
def test_file_of_another_format_is_refused(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="не читается как safetensors"):
        GPT2.from_pretrained(folder)


class Trap:
    """Объект, чтение которого из pickle оставило бы след."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_pickle_is_refused_and_never_opened(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(folder / "opened")))
    with pytest.raises(ValueError, match=r"pickle.*save_pretrained"):
        GPT2.from_pretrained(folder)
    assert not (folder / "opened").exists()


def test_broken_json_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="JSON"):
        GPT2.from_pretrained(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"нет config\.json"):
        GPT2.from_pretrained(folder)


def test_a_file_in_place_of_a_folder_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="нужна папка"):
        GPT2.from_pretrained(folder / "model.safetensors")


def test_failed_write_keeps_the_old_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("modern_nets.checkpoints.save_file", full_disk)
    with pytest.raises(OSError, match="space"):
        resnet18(depths=(1,), widths=(4,), stem_width=4).save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before} == before


def test_failed_write_leaves_no_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: Any) -> None:
        raise PermissionError("locked")

    monkeypatch.setattr("os.replace", locked)
    with pytest.raises(OSError, match=r"не записалась.*locked"):
        GPT.save_pretrained(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_two_writes_at_once_do_not_spoil_each_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any, **options: Any) -> None:
        save_file(*args, **options)
        monkeypatch.undo()
        DEEP.save_pretrained(folder)

    monkeypatch.setattr("modern_nets.checkpoints.save_file", interrupted)
    GPT.save_pretrained(folder)
    assert torch.equal(GPT2.from_pretrained(folder)(IDS).logits, GPT(IDS).logits)


@pytest.mark.parametrize("files", [None, [], {"wte.weight": 3}], ids=str)
def test_index_without_a_table_is_refused(files: Any, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    with pytest.raises(ValueError, match=r"index\.json нет таблицы weight_map"):
        GPT2.from_pretrained(folder)


def test_weights_are_as_readable_as_any_new_file(tmp_path: Path) -> None:
    """Папку модели открывает и сосед по общей машине: особых прав у весов нет."""
    (tmp_path / "plain").touch()
    GPT.save_pretrained(tmp_path / "model")
    ordinary = (tmp_path / "plain").stat().st_mode
    assert {path.stat().st_mode for path in (tmp_path / "model").iterdir()} == {ordinary}


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OSError, match=r"не записалась.*taken"):
        GPT.save_pretrained(tmp_path / "taken")


def test_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    GPT.save_pretrained("~/модель")
    assert (tmp_path / "модель" / "config.json").is_file()
    assert torch.equal(GPT2.from_pretrained("~/модель")(IDS).logits, GPT(IDS).logits)


def test_loaded_weights_do_not_depend_on_the_file(folder: Path) -> None:
    """Файл можно перезаписать или удалить, пока модель работает."""
    model = GPT2.from_pretrained(folder)
    before = model(IDS).logits
    path = folder / "model.safetensors"
    path.write_bytes(bytes(len(path.read_bytes())))
    assert torch.equal(model(IDS).logits, before)
