"""Плохие данные: понятная ошибка до начала работы или законченная работа; на диске ничего лишнего."""

import csv
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modern_nets import cli
from tests.finetune.conftest import make_pictures, make_table

RESNET = ("--model", "tiny-resnet-five", "--epochs", "1")
BERT = ("--model", "tiny-bert-ru", "--epochs", "1")
GPT = ("--model", "tiny-gpt-ru", "--epochs", "1")
Run = Callable[..., str]


@pytest.fixture
def finished() -> None:
    """Работа в этой проверке не отказывает, а заканчивается."""


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Отказ не создаёт папки обучения."""
    yield
    if "finished" not in request.fixturenames:
        assert not (tmp_path / "обучение").exists()


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


class TestPictures:
    def test_folder_without_pictures(self, run: Run, tmp_path: Path) -> None:
        folder = tmp_path / "пусто"
        (folder / "класс").mkdir(parents=True)
        (folder / "класс" / "readme.txt").write_text("не картинка", encoding="utf-8")
        assert f"В {folder} нет картинок" in run("resnet", "--data", folder, *RESNET, code=1)

    def test_pictures_without_class_folders(self, run: Run, pictures: Path) -> None:
        assert "лежат прямо в папке" in run("resnet", "--data", pictures / "крест", *RESNET, code=1)

    def test_one_class(self, run: Run, tmp_path: Path) -> None:
        folder = make_pictures(tmp_path / "один", kinds=("крест",))
        assert "класс один — «крест»" in run("resnet", "--data", folder, *RESNET, code=1)

    def test_one_picture_a_class(self, run: Run, tmp_path: Path) -> None:
        folder = make_pictures(tmp_path / "мало", n=1)
        assert "Проверять не на чем" in run("resnet", "--data", folder, *RESNET, code=1)

    def test_missing_folder_and_file_instead_of_folder(self, run: Run, table: Path, tmp_path: Path) -> None:
        assert "нет. Наборы по имени: digits" in run("resnet", "--data", tmp_path / "нет", *RESNET, code=1)
        assert "файл, а нужна папка" in run("resnet", "--data", table, *RESNET, code=1)

    def test_every_picture_is_broken(self, run: Run, tmp_path: Path) -> None:
        folder = make_pictures(tmp_path / "битые", n=2)
        for path in folder.rglob("*.png"):
            path.write_bytes(path.read_bytes()[:60])
        assert "не открылась ни одна картинка из 4" in run("resnet", "--data", folder, *RESNET, code=1)

    def test_class_whose_pictures_are_all_broken(self, run: Run, pictures: Path) -> None:
        for path in (pictures / "крест").iterdir():
            path.write_bytes(b"\x89PNG")
        assert "у класса «крест» нет ни одного обучающего" in run("resnet", "--data", pictures, *RESNET, code=1)

    def test_class_only_in_validation(self, run: Run, tmp_path: Path) -> None:
        make_pictures(tmp_path / "д" / "train", n=3)
        make_pictures(tmp_path / "д" / "valid", n=2, kinds=("крест", "звезда"))
        assert "есть класс «звезда», а в" in run("resnet", "--data", tmp_path / "д", *RESNET, code=1)

    def test_empty_validation_folder(self, run: Run, tmp_path: Path) -> None:
        make_pictures(tmp_path / "д" / "train", n=3)
        (tmp_path / "д" / "valid").mkdir()
        assert "проверять не на чем" in run("resnet", "--data", tmp_path / "д", *RESNET, code=1)

    def test_run_folder_inside_the_data(self, run: Run, pictures: Path, tmp_path: Path) -> None:
        error = run("resnet", "--data", pictures, *RESNET, out="картинки/обучение", code=1)
        assert "внутри данных" in error and not (pictures / "обучение").exists()

    def test_cifar_that_is_not_there(self, run: Run, tmp_path: Path) -> None:
        error = run("resnet", "--data", "cifar10", "--data-dir", tmp_path, code=1)
        assert "cifar-10-batches-bin нет" in error and "--download" in error

    def test_set_that_cannot_be_downloaded(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from torchvision.datasets import utils

        asked = []

        def no_network(url: str, folder: str, md5: str) -> None:
            asked.append((url, folder, md5))
            raise OSError("сети нет")

        monkeypatch.setattr(utils, "download_and_extract_archive", no_network)
        error = run("resnet", "--data", "cifar10", "--download", "--data-dir", tmp_path, code=1)
        assert "Набор не скачался (сети нет)" in error
        ((url, folder, md5),) = asked
        assert url.endswith("cifar-10-binary.tar.gz") and folder == str(tmp_path) and len(md5) == 32

    def test_pets_that_are_not_there(self, run: Run, tmp_path: Path) -> None:
        assert "--download" in run("vit", "--data", "pets", "--data-dir", tmp_path, code=1)

    def test_folder_around_the_folders_of_classes(self, run: Run, tmp_path: Path) -> None:
        make_pictures(tmp_path / "архив" / "картинки")
        error = run("resnet", "--data", tmp_path / "архив", *RESNET, code=1)
        assert "внутри него папки квадрат, крест" in error and f"--data {tmp_path / 'архив' / 'картинки'}" in error

    def test_split_folders_without_classes(self, run: Run, tmp_path: Path) -> None:
        folder = make_pictures(tmp_path / "картинки", kinds=("train", "valid"))
        error = run("resnet", "--data", folder, *RESNET, code=1)
        assert "только train, valid" in error and str(folder / "train" / "кошки") in error

    @pytest.mark.usefixtures("finished")
    def test_what_is_not_a_picture_is_named(self, run: Run, pictures: Path) -> None:
        (pictures / "ёжик").mkdir()
        (pictures / "ёжик" / "1.heic").touch()
        (pictures / "крест" / "заметки.doc").touch()
        said = run("resnet", "--data", pictures, *RESNET)
        assert "ёжик — картинок нет" in said and "заметки.doc — не картинка" in said and "Классов — 2" in said

    def test_name_of_a_class_that_is_not_utf8(self, run: Run, pictures: Path, tmp_path: Path) -> None:
        try:
            (pictures / "крест").rename(os.fsdecode(os.fsencode(pictures) + b"/\xff"))
        except OSError:
            pytest.skip("эта файловая система других имён не хранит")
        assert "не UTF-8" in run("resnet", "--data", pictures, *RESNET, code=1)
        assert not (tmp_path / "обучение").exists()

    @pytest.mark.usefixtures("finished")
    def test_broken_files_among_good_ones(self, run: Run, pictures: Path, tmp_path: Path) -> None:
        torn = pictures / "крест" / "03.png"
        torn.write_bytes(torn.read_bytes()[:100])
        (pictures / "квадрат" / "текст.jpg").write_text("не картинка", encoding="utf-8")
        (pictures / "квадрат" / ".DS_Store.png").write_bytes(b"")
        grey = pictures / "крест" / "04.png"
        from PIL import Image

        Image.open(grey).convert("LA").save(grey)
        said = run("resnet", "--data", pictures, *RESNET)
        assert "Пропущено примеров — 2" in said and str(torn) in said and "текст.jpg" in said
        listed = rows_of(tmp_path / "обучение" / "skipped.csv")
        assert listed[0] == ["name", "reason"] and {Path(row[0]).name for row in listed[1:]} == {"03.png", "текст.jpg"}


class TestTables:
    def test_missing_column_names_those_there_are(self, run: Run, table: Path) -> None:
        error = run("bert", "--data", table, "--text-column", "отзыв", *BERT, code=1)
        assert "нет столбца «отзыв». Есть: «text», «label»" in error and "--text-column" in error
        error = run("bert", "--data", table, "--label-column", "метка", *BERT, code=1)
        assert "нет столбца «метка»" in error and "--label-column" in error

    @pytest.mark.usefixtures("finished")
    def test_empty_texts_are_counted_and_skipped(self, run: Run, table: Path, tmp_path: Path) -> None:
        with table.open("a", encoding="utf-8", newline="") as file:
            file.write(' ,да\n"две\nстроки",\nодна клетка\n\n')
        said = run("bert", "--data", table, *BERT)
        assert "Пропущено примеров — 3" in said
        assert [row[1] for row in rows_of(tmp_path / "обучение/skipped.csv")[1:]] == [
            "пустой текст",
            "нет метки",
            "клеток 1, а столбцов 2",
        ]

    def test_only_empty_texts(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "пусто.csv"
        path.write_text("text,label\n,да\n,нет\n", encoding="utf-8")
        assert "нет ни одной строки с текстом и меткой: строк — 2" in run("bert", "--data", path, *BERT, code=1)
        path.write_text("", encoding="utf-8")
        assert "пуст" in run("bert", "--data", path, *BERT, code=1)

    def test_one_label(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "один.csv"
        path.write_text("text,label\nа,да\nб,да\n", encoding="utf-8")
        assert "класс один — «да»" in run("bert", "--data", path, *BERT, code=1)

    def test_one_label_because_of_skipped_rows(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "запятые.csv"
        path.write_text("text,label\n" + "хорошо,да\nплохо, не берите,нет\n" * 5, encoding="utf-8")
        error = run("bert", "--data", path, *BERT, code=1)
        assert "класс один — «да»" in error
        assert "пропущено строк — 5" in error and "строка 3: клеток 3, а столбцов 2" in error and "в кавычки" in error

    def test_quote_that_is_not_closed(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "тексты.csv"
        lines = ["text,label", '"мило, мило",да', "скучно,нет", '"открыта и забыта,да'] + ["мило,да", "скучно,нет"] * 9
        path.write_text("\n".join(lines), encoding="utf-8")
        assert "кавычка, открытая в строке 4, не закрыта" in run("bert", "--data", path, *BERT, code=1)

    @pytest.mark.usefixtures("finished")
    def test_mark_of_byte_order_and_capital_letters(self, run: Run, tmp_path: Path) -> None:
        path = make_table(tmp_path / "тексты.csv", encoding="utf-8-sig", header=("Text", "LABEL"))
        assert "Классов — 2" in run("bert", "--data", path, "--encoding", "utf-8", *BERT)

    def test_columns_of_one_name(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "тексты.csv"
        path.write_text("text,text,label\nа,б,да\nв,г,нет\n", encoding="utf-8")
        assert "столбцов «text» — 2" in run("bert", "--data", path, *BERT, code=1)

    def test_excel_with_another_name(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "тексты.csv"
        path.write_bytes(b"PK\x03\x04" + bytes(100))
        assert "Excel" in run("bert", "--data", path, *BERT, code=1)

    def test_numbers_instead_of_classes(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "числа.csv"
        path.write_text("text,label\n" + "".join(f"слово,{i / 7:.3f}\n" for i in range(60)), encoding="utf-8")
        assert "разных меток — 60" in run("bert", "--data", path, *BERT, code=1)

    @pytest.mark.usefixtures("finished")
    def test_another_encoding_is_guessed_and_said(self, run: Run, tmp_path: Path) -> None:
        path = make_table(tmp_path / "тексты.csv", encoding="cp1251", header=("text", "label"))
        assert "угадана: cp1251" in run("bert", "--data", path, *BERT)

    def test_wrong_encoding_is_refused(self, run: Run, tmp_path: Path) -> None:
        path = make_table(tmp_path / "тексты.csv", encoding="cp1251")
        assert "не в кодировке utf-8" in run("bert", "--data", path, "--encoding", "utf-8", *BERT, code=1)
        assert "Кодировки «cp9999»" in run("bert", "--data", path, "--encoding", "cp9999", *BERT, code=1)
        path.write_bytes(bytes(range(256)) * 20)
        assert "кодировка не угадана" in run("bert", "--data", path, *BERT, code=1)

    def test_not_a_table(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "тексты.xlsx"
        path.write_bytes(b"PK\x03\x04")
        assert "не таблица" in run("bert", "--data", path, *BERT, code=1)
        assert "Файла" in run("bert", "--data", tmp_path / "нет.csv", *BERT, code=1)
        (tmp_path / "папка").mkdir()
        assert "нет train.tsv" in run("bert", "--data", tmp_path / "папка", *BERT, code=1)

    def test_validation_with_unknown_label_or_the_same_file(self, run: Run, table: Path, tmp_path: Path) -> None:
        other = tmp_path / "проверка.csv"
        other.write_text("text,label\nа,может быть\n", encoding="utf-8")
        assert "есть метка «может быть»" in run("bert", "--data", table, "--valid", other, *BERT, code=1)
        assert "один и тот же" in run("bert", "--data", table, "--valid", table, *BERT, code=1)
        assert "Файла" in run("bert", "--data", table, "--valid", tmp_path / "нет.csv", *BERT, code=1)

    def test_more_tokens_than_the_model_reads(self, run: Run, table: Path) -> None:
        error = run("bert", "--data", table, "--max-tokens", 33, *BERT, code=1)
        assert "--max-tokens 33, а таблица позиций модели рассчитана на 32" in error


class TestLanguage:
    def test_text_shorter_than_one_context(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "мало.txt"
        path.write_text("мама мыла раму\n", encoding="utf-8")
        error = run("gpt", "--data", path, *GPT, code=1)
        assert "Текст короток" in error and "окно — 32" in error and "--max-tokens" in error

    def test_empty_file_and_folder_without_texts(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "пусто.txt"
        path.write_text(" \n", encoding="utf-8")
        assert "пуст" in run("gpt", "--data", path, *GPT, code=1)
        (tmp_path / "папка").mkdir()
        assert "нет файлов .md, .py, .txt" in run("gpt", "--data", tmp_path / "папка", *GPT, code=1)
        assert "Нет ни файла, ни папки" in run("gpt", "--data", tmp_path / "нет.txt", *GPT, code=1)

    @pytest.mark.usefixtures("finished")
    def test_unreadable_files_among_good_ones(self, run: Run, tmp_path: Path) -> None:
        folder = tmp_path / "код"
        folder.mkdir()
        for i in range(3):
            (folder / f"{i}.txt").write_text(f"мама мыла раму {i}\n" * 9, encoding="utf-8")
        (folder / "пусто.py").write_text("", encoding="utf-8")
        (folder / "не текст.txt").write_bytes(bytes(range(256)))
        said = run("gpt", "--data", folder, *GPT)
        assert "Пропущено примеров — 2" in said and "пустой файл" in said and "кодировка не угадана" in said

    def test_gpt_has_no_head_to_freeze(self, run: Run, tmp_path: Path) -> None:
        assert "нет отдельной головы" in run("gpt", "--data", tmp_path, "--freeze", code=1)


class TestOptions:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--epochs", "0"), "--epochs — число не меньше 1"),
            (("--batch-size", "-1"), "--batch-size — число не меньше 1"),
            (("--learning-rate", "nan"), "--learning-rate — число больше нуля"),
            (("--freeze", "--from-scratch"), "--freeze учит одну голову"),
            (("--text-column", "x"), "--text-column — для bert, а учится resnet"),
            (("--max-tokens", "9"), "--max-tokens — для bert, gpt, а учится resnet"),
            (("--seed", "-1"), "--seed — число от 0"),
            (("--model", "tiny-resnt"), "Похожие имена: tiny-resnet"),
            (("--model", "tiny-vit"), "лежит модель vit, а нужна resnet"),
            (("--model", "./нет"), "Папки ./нет нет"),
        ],
    )
    def test_impossible_wishes(self, run: Run, words: tuple[str, ...], said: str) -> None:
        assert said in run("resnet", "--data", "digits", *words, code=1)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("rsnet", "--data", "digits", "--out", "x"), "архитектура — resnet, vit, bert, gpt, а пришло «rsnet»"),
            (
                ("resnet", "--data", "digits", "--out", "x", "--epochs", "много"),
                "--epochs — целое число, а пришло «много»",
            ),
            (("resnet", "--out", "x"), "Не хватает: --data"),
            (("resnet", "--data", "digits", "--out"), "После --out нет значения"),
            (("resnet", "--data", "digits", "--out", "x", "--wat"), "Лишнее: --wat"),
        ],
    )
    def test_misspelt_commands(self, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
        with pytest.raises(SystemExit) as stopped:
            cli.main(["finetune", *words])
        assert stopped.value.code == 2
        assert said in capsys.readouterr().err

    def test_sets_of_the_other_kind(self, run: Run) -> None:
        assert "reviews — набор текстов" in run("resnet", "--data", "reviews", code=1)
        assert "digits — набор картинок" in run("bert", "--data", "digits", code=1)

    def test_folder_that_is_not_a_model(self, run: Run, pictures: Path, tmp_path: Path) -> None:
        assert "нет config.json" in run("resnet", "--data", "digits", "--model", pictures, code=1)
        (tmp_path / "m").mkdir()
        (tmp_path / "m" / "config.json").write_text("{", encoding="utf-8")
        assert "не читается" in run("resnet", "--data", "digits", "--model", tmp_path / "m", code=1)

    @pytest.mark.usefixtures("finished")
    def test_learning_rate_that_breaks_the_training(self, run: Run, pictures: Path, tmp_path: Path) -> None:
        wild = ("--learning-rate", "1e30", "--model", "tiny-resnet-five", "--epochs", "9")
        error = run("resnet", "--data", pictures, *wild, code=1)
        assert "потери — " in error and "возьмите меньше" in error and not (tmp_path / "обучение/best").exists()
