"""Команда finetune от данных на диске до папки, которую читают и пакет, и transformers."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modern_nets.bert import BertForSequenceClassification
from modern_nets.finetune import models
from modern_nets.finetune.jobs import prepare
from modern_nets.finetune.options import DEFAULTS, MOST_EPOCHS, SMALL_MODEL_FACTOR, Options
from modern_nets.finetune.pictures import load_pictures
from modern_nets.finetune.run import Checks
from modern_nets.finetune.tasks import PictureTask
from modern_nets.gpt2 import GPT2
from modern_nets.pictures import pixel_values, read_picture
from modern_nets.resnet import ResNet
from modern_nets.training.processes import accelerator_for
from modern_nets.vit import ViT
from tests.finetune.conftest import make_pictures, make_table, metrics


def test_digits_are_learned_far_above_the_baseline(run: Callable[..., str], tmp_path: Path) -> None:
    said = run("resnet", "--data", "digits", "--epochs", 2, "--learning-rate", 0.01)
    folder = tmp_path / "обучение"
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert result["accuracy"]["low"] > 0.6 > 6 * result["most_frequent_class"]
    assert "самым частым классом — 9,7 %" in said and "Процессов: 1" in said
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "checkpoint.safetensors").exists(), "после конца обучения чекпоинт не нужен"
    rows = metrics(folder)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[0]["train_loss"] > rows[-1]["train_loss"]
    assert not (folder / "skipped.csv").exists()


def test_folder_of_pictures_becomes_a_model_that_transformers_reads(
    run: Callable[..., str], pictures: Path, tmp_path: Path
) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    run("vit", "--data", pictures, "--from-scratch", "--model", _colour_vit(tmp_path), "--epochs", 2)
    best = tmp_path / "обучение" / "best"
    theirs, ours = AutoModelForImageClassification.from_pretrained(best), ViT.from_pretrained(best)
    assert theirs.config.id2label == {0: "квадрат", 1: "крест"}
    image = read_picture(pictures / "крест" / "00.png")
    values = AutoImageProcessor.from_pretrained(best)(image, return_tensors="pt").pixel_values
    torch.testing.assert_close(values, pixel_values(image, best), atol=2e-2, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(theirs(values).logits, ours(values).logits, atol=1e-5, rtol=1e-4)


def _colour_vit(tmp_path: Path) -> Path:
    """Необученная ViT для цветных картинок 16 × 16 с нормировкой рядом."""
    from modern_nets.vit import ViTConfig

    folder = tmp_path / "vit"
    config = ViTConfig(image_size=16, patch_size=4, d_model=32, n_layers=2, n_heads=2, d_mlp=64, n_classes=3)
    torch.manual_seed(0)
    ViT(config).save_pretrained(folder)
    about = {"size": {"height": 16, "width": 16}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def test_frozen_body_does_not_move(run: Callable[..., str], pictures: Path, tmp_path: Path) -> None:
    from modern_nets import at_hand

    run("resnet", "--data", pictures, "--model", "tiny-resnet-five", "--freeze", "--epochs", 2)
    before = ResNet.from_pretrained(at_hand("tiny-resnet-five"), n_classes=2).state_dict()
    after = ResNet.from_pretrained(tmp_path / "обучение" / "best").state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"fc.weight", "fc.bias"}, "статистика BatchNorm замороженной сети тоже не меняется"


def test_frozen_bert_learns_its_head_and_the_layer_under_it(
    run: Callable[..., str], table: Path, tmp_path: Path
) -> None:
    before = models.start(
        Options(architecture="bert", data="тексты.csv", model="tiny-bert-ru", out=tmp_path), ["да", "нет"]
    )
    run("bert", "--data", table, "--model", "tiny-bert-ru", "--freeze", "--epochs", 1)
    after = BertForSequenceClassification.from_pretrained(tmp_path / "обучение/best").state_dict()
    moved = {name for name, old in before.model.state_dict().items() if not torch.equal(old, after[name])}
    assert moved == {f"{layer}.{kind}" for layer in ("classifier", "bert.pooler") for kind in ("weight", "bias")}


def test_run_folder_is_a_model_to_start_from(run: Callable[..., str], pictures: Path, tmp_path: Path) -> None:
    run("resnet", "--data", pictures, "--model", "tiny-resnet-five", "--epochs", 1, out="первое")
    said = run("resnet", "--data", pictures, "--model", tmp_path / "первое", "--epochs", 1, out="второе")
    assert "голова прежняя" in said, "взята лучшая модель первого обучения, с её классами"


def test_row_of_an_epoch_is_the_mean_over_its_steps(
    run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    after_step = Checks.after_step

    def spy(self: Checks, n_done: int, losses: list[float]) -> None:
        seen[:] = losses
        after_step(self, n_done, losses)

    monkeypatch.setattr(Checks, "after_step", spy)
    run("resnet", "--data", pictures, "--model", "tiny-resnet-five", "--epochs", 2, "--batch-size", 8)
    rows = metrics(tmp_path / "обучение")
    n = len(seen) // 2
    assert n > 1
    assert [row["train_loss"] for row in rows] == pytest.approx([sum(seen[:n]) / n, sum(seen[n:]) / n])


def test_unnamed_numbers_follow_the_model_and_the_data(pictures: Path, tmp_path: Path) -> None:
    """Сеть с нуля учится быстрее обученной, а маленький набор проходят больше раз."""
    asked = {
        from_scratch: prepare(
            Options(
                architecture="resnet",
                data=str(pictures),
                model="tiny-resnet",
                from_scratch=from_scratch,
                out=tmp_path / "обучение",
                workers=0,
            ),
            accelerator_for(torch.device("cpu")),
        ).identity
        for from_scratch in (False, True)
    }
    rates = DEFAULTS["resnet"].finetune, DEFAULTS["resnet"].scratch
    assert rates[0] < rates[1]
    assert [asked[kind]["learning_rate"] for kind in (False, True)] == pytest.approx(
        [rate * SMALL_MODEL_FACTOR for rate in rates]
    )
    assert asked[False]["epochs"] == MOST_EPOCHS > DEFAULTS["resnet"].epochs


def test_lack_of_memory_says_what_to_make_smaller(
    run: Callable[..., str], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(PictureTask, "loss_of", hungry)
    error = run("resnet", "--data", pictures, "--model", "tiny-resnet-five", "--epochs", 1, code=1)
    assert "Памяти не хватило" in error and "--batch-size" in error and "20.00 GiB" in error


def test_head_stays_only_for_the_same_classes(run: Callable[..., str], tmp_path: Path) -> None:
    said = run("vit", "--data", "digits", "--model", "tiny-vit", "--epochs", 1, "--batch-size", 500)
    assert "голова прежняя" in said
    assert metrics(tmp_path / "обучение")[0]["accuracy"] > 0.9, "tiny-vit цифры уже знает"
    digits = [str(i) for i in range(10)]
    for classes, from_scratch in ((digits, True), (digits[::-1], False), (digits[:9], False)):
        options = Options(architecture="vit", data="digits", model="tiny-vit", out=tmp_path, from_scratch=from_scratch)
        started = models.start(options, classes)
        assert started.has_new_head and started.model.config.n_classes == len(classes)
        assert list(started.model.hf_extra["id2label"].values()) == classes


def test_small_models_learn_faster_but_not_the_network_for_cifar10(tmp_path: Path) -> None:
    def rate(architecture: str, data: str, **asked: bool) -> float:
        options = Options(architecture=architecture, data=data, out=tmp_path, **asked)
        started = models.start(options, [str(i) for i in range(7)], is_small=True)
        return started.learning_rate(DEFAULTS[architecture], options)

    assert rate("vit", "cifar10", from_scratch=True) == 5e-4, "4 млн параметров: при 5e-3 она не учится"
    assert rate("resnet", "cifar10", from_scratch=True) == 1e-3
    assert rate("resnet", "digits", from_scratch=True) == 1e-2
    assert rate("resnet", "digits") == 3e-3
    assert rate("resnet", "digits", freeze=True) == 1e-3


def test_table_of_texts(run: Callable[..., str], table: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    run("bert", "--data", table, "--model", "tiny-bert-ru", "--epochs", 8)
    folder = tmp_path / "обучение"
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["accuracy"]["value"] == 1.0
    best = folder / "best"
    model, tokenizer = (kind.from_pretrained(best) for kind in (AutoModelForSequenceClassification, AutoTokenizer))
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
    assert [answer["label"] for answer in classify(["хорошо, мило", "плохо, скучно"])] == ["да", "нет"]


def test_sst2_as_it_lies_on_disk(run: Callable[..., str], tmp_path: Path) -> None:
    """Кавычки в TSV — обычные знаки, в конце фразы — пробел, проверочный файл зовётся dev.tsv."""
    folder = tmp_path / "SST-2"
    folder.mkdir()
    lines = ['"хорошее начало \t1', "скучно и пусто \t0", "мило ' очень ' \t1", 'плохо " совсем \t0'] * 3
    (folder / "train.tsv").write_text("\n".join(["sentence\tlabel", *lines, ""]), encoding="utf-8")
    (folder / "dev.tsv").write_text("\n".join(["sentence\tlabel", "всё плохо \t0", "мило \t1", ""]), encoding="utf-8")
    said = run("bert", "--data", folder, "--model", "tiny-bert-ru", "--epochs", 1)
    assert "обучающих текстов — 12, проверочных — 2" in said and "ропущено" not in said
    config = json.loads((tmp_path / "обучение/best/config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "0", "1": "1"}


def test_language_model_on_a_folder_of_code(run: Callable[..., str], tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "код"
    folder.mkdir()
    for i in range(12):
        (folder / f"{i}.py").write_text(f"мама мыла раму {i}\n" * 12, encoding="utf-8")
    (folder / "copy.txt").write_text((folder / "3.py").read_text(encoding="utf-8"), encoding="utf-8")
    said = run("gpt", "--data", folder, "--model", "tiny-gpt-ru", "--epochs", 2)
    rows = metrics(tmp_path / "обучение")
    assert [row["epoch"] for row in rows] == [0, 1, 2], "строка 0 — до обучения"
    assert rows[-1]["perplexity"] < rows[0]["perplexity"] / 3
    assert "такой же файл уже есть" in said
    result = json.loads((tmp_path / "обучение/result.json").read_text(encoding="utf-8"))
    # Русская буква — один токен из двух байтов, пробел и перевод строки — по байту.
    assert 0.5 < result["bits_per_byte"] / math.log2(rows[-1]["perplexity"]) < 0.65
    best = tmp_path / "обучение" / "best"
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        theirs, ours = AutoModelForCausalLM.from_pretrained(best)(ids).logits, GPT2.from_pretrained(best)(ids).logits
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)


def test_cifar10_binary_files(run: Callable[..., str], tmp_path: Path) -> None:
    """Файлы в точности такого вида, как в архиве cifar-10-binary.tar.gz, только короче."""
    folder = tmp_path / "data" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        labels = torch.arange(10, dtype=torch.uint8)[:, None]
        noise = torch.randint(256, (10, 3 * 32 * 32), generator=generator, dtype=torch.uint8)
        noise[:, :1024] = labels * 25  # красный слой выдаёт класс
        (folder / f"{name}.bin").write_bytes(torch.cat([labels, noise], dim=1).numpy().tobytes())
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta.txt").write_text("\n".join([*names, ""]), encoding="ascii")
    from modern_nets.finetune.pictures import load_pictures

    options = Options(architecture="resnet", data="cifar10", data_dir=tmp_path / "data", out=tmp_path)
    pictures = load_pictures(options)
    assert (len(pictures.split.train), len(pictures.split.valid), pictures.classes[9]) == (50, 10, "truck")
    image = pictures.image(7, "RGB")
    assert image.size == (32, 32) and image.getpixel((31, 31))[0] == 7 * 25 and pictures.labels[7] == 7
    (folder / "test_batch.bin").write_bytes(b"\0" * 3000)
    error = run("resnet", "--data", "cifar10", "--data-dir", tmp_path / "data", code=1)
    assert "test_batch.bin повреждён: в нём 3000 байт, а записи — по 3073" in error


def test_pets_are_read_from_their_own_layout(run: Callable[..., str], tmp_path: Path) -> None:
    base = tmp_path / "data" / "oxford-iiit-pet"
    (base / "annotations").mkdir(parents=True)
    made = make_pictures(base / "made", n=4)
    (base / "images").mkdir()
    lines = []
    for number, (kind, name) in enumerate((("квадрат", "Abyssinian"), ("крест", "great_pyrenees")), start=1):
        for path in sorted((made / kind).iterdir()):
            (base / "images" / f"{name}_{path.stem}.jpg").write_bytes(path.read_bytes())
            lines.append(f"{name}_{path.stem} {number} {number} 1")
    for part in ("trainval", "test"):
        (base / "annotations" / f"{part}.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    where = ("--data", "pets", "--data-dir", tmp_path / "data")
    said = run("resnet", *where, "--model", "tiny-resnet-five", "--epochs", 1)
    assert "обучающих картинок — 8, проверочных — 8" in said
    config = json.loads((tmp_path / "обучение/best/config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "Abyssinian", "1": "Great Pyrenees"}


def test_small_pictures_from_scratch_get_a_small_stem(tmp_path: Path) -> None:
    options = Options(architecture="resnet", data="cifar10", out=tmp_path, from_scratch=True)
    start = models.start(options, ["a", "b", "c"], is_small=True)
    assert start.model.config.stem == "small" and start.model.config.n_classes == 3
    assert start.settings is not None and start.settings["size"] == {"height": 32, "width": 32}


def test_train_is_also_a_name_of_a_class(run: Callable[..., str], tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "транспорт", n=5)
    (folder / "крест").rename(folder / "train")
    run("resnet", "--data", folder, "--model", "tiny-resnet-five", "--epochs", 1)
    config = json.loads((tmp_path / "обучение/best/config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "train", "1": "квадрат"}


def test_validation_folder_is_used_as_it_is(run: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "картинки"
    make_pictures(folder / "train", n=6)
    make_pictures(folder / "test", n=3, seed=1)
    said = run("resnet", "--data", folder, "--model", "tiny-resnet-five", "--epochs", 1)
    assert "обучающих картинок — 12, проверочных — 6" in said


def test_broken_pictures_do_not_shift_the_rest(tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "картинки"
    for part, n in (("train", 4), ("valid", 2)):
        for shade, kind in ((0, "тёмные"), (255, "светлые")):
            (folder / part / kind).mkdir(parents=True)
            for i in range(n):
                Image.new("L", (4, 4), shade).save(folder / part / kind / f"{i}.png")
    for broken in ("train/светлые/0.png", "train/тёмные/1.png", "valid/светлые/1.png"):
        (folder / broken).write_bytes(b"")
    found = load_pictures(Options(architecture="resnet", data=str(folder), out=tmp_path))
    shades = {"тёмные": 0, "светлые": 255}
    for part, expected in ((found.split.train, 6), (found.split.valid, 3)):
        assert len(part) == expected
        for index in part:
            assert found.image(index, "L").getpixel((0, 0)) == shades[found.classes[found.labels[index]]]
    assert len(found.skipped) == 3


def test_table_with_semicolons(run: Callable[..., str], tmp_path: Path) -> None:
    """Так сохраняет русский Excel."""
    path = tmp_path / "тексты.csv"
    lines = [f"мило, хорошо {i};да\nскучно, плохо {i};нет" for i in range(6)]
    path.write_text("\n".join(["text;label", *lines]), encoding="utf-8-sig")
    said = run("bert", "--data", path, "--model", "tiny-bert-ru", "--epochs", 1)
    assert "Классов — 2 (да, нет); обучающих текстов — 10" in said and "ропущено" not in said


@pytest.mark.parametrize(("column", "is_strange"), [("english", False), ("russian", True)])
def test_language_that_the_model_does_not_know_is_noticed(column: str, is_strange: bool, tmp_path: Path) -> None:
    options = Options(architecture="bert", data="reviews", text_column=column, out=tmp_path)
    about = prepare(options, accelerator_for(torch.device("cpu"))).about
    assert any("На слово приходится" in line for line in about) == is_strange


def test_validation_texts_are_not_learned(run: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "код"
    folder.mkdir()
    for i in range(4):
        (folder / f"{i}.txt").write_text(f"мама мыла раму {i}\n" * 12, encoding="utf-8")
    said = run("gpt", "--data", folder, "--valid", folder / "3.txt", "--model", "tiny-gpt-ru", "--epochs", 1)
    assert "среди обучающих — 1: на них модель не учится" in said
    asked = ("gpt", "--data", folder / "3.txt", "--valid", folder / "3.txt", "--model", "tiny-gpt-ru")
    assert "учить не на чем" in run(*asked, out="второе", code=1)


def test_split_folders_are_recognised_in_any_case(run: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "картинки"
    make_pictures(folder / "Train", n=6)
    make_pictures(folder / "Test", n=3, seed=1)
    said = run("resnet", "--data", folder, "--model", "tiny-resnet-five", "--epochs", 1)
    assert "Классов — 2 (квадрат, крест); обучающих картинок — 12, проверочных — 6" in said


def test_reviews_are_split_by_domain(tmp_path: Path) -> None:
    from modern_nets.finetune.texts import REVIEWS, load_texts

    with REVIEWS.open(encoding="utf-8", newline="") as file:
        domains = [row["domain"] for row in csv.DictReader(file)]
    held = set()
    for seed in range(5):
        texts = load_texts(Options(architecture="bert", data="reviews", out=tmp_path, seed=seed))
        train, valid = ({domains[i] for i in part} for part in texts.split)
        assert len(train) == 5 and len(valid) == 2 and not train & valid
        assert texts.classes == ["доволен", "недоволен"]
        held |= valid
    assert len(held) > 2, "какие области отложены, решает зерно"


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866", "utf-16", "utf-8-sig"])
def test_russian_encodings_are_recognised(run: Callable[..., str], tmp_path: Path, encoding: str) -> None:
    from modern_nets.finetune.tables import read_text

    path = make_table(tmp_path / "тексты.csv", encoding=encoding)
    text, found = read_text(path)
    assert found == encoding
    assert text.startswith('text,label\r\n"хорошо, мило 0",да')


@pytest.mark.parametrize(
    "text", ["Ça m'a plu, où était l'été ? Déjà à Noël, très cher.", "El niño comió piñón en León."]
)
def test_western_encoding_is_not_taken_for_russian(tmp_path: Path, text: str) -> None:
    from modern_nets.finetune.tables import read_text

    path = tmp_path / "text.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"кодировка не угадана.*--encoding"):
        read_text(path)
    assert read_text(path, "latin-1")[0] == text


def test_bf16_learns_too(run: Callable[..., str], pictures: Path, tmp_path: Path) -> None:
    run("resnet", "--data", pictures, "--model", "tiny-resnet-five", "--precision", "bf16", "--epochs", 1)
    best = ResNet.from_pretrained(tmp_path / "обучение" / "best")
    assert next(best.parameters()).dtype == torch.float32
    error = run("resnet", "--data", pictures, "--precision", "fp16", out="другая", code=1)
    assert "fp16 на процессоре не считают" in error
