"""Карточка модели: данные, рецепт, измеренное качество и то, чего модель не умеет."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import safe_open

from modern_nets.training.loop import History, Plan
from modern_nets.training.measures import decimal, percent
from modern_nets.training.shelf import write_json

BATCH_STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}
OPENCORPORA = (
    "словарь OpenCorpora (opencorpora.org, лицензия CC BY-SA 3.0) из пакета `pymorphy3-dicts-ru` (лицензия MIT); "
    "веса распространяются на условиях CC BY-SA 3.0"
)
DIGITS = (
    "1797 рукописных цифр 8 × 8 из scikit-learn — часть набора Optical Recognition of Handwritten Digits "
    "(E. Alpaydin, C. Kaynak, репозиторий UCI, лицензия CC BY 4.0). Учат 1000 картинок, проверяют 797; почерки "
    "тех и других могут быть одни и те же. Длительность обучения и разброс начальных позиций ViT подобраны по этим же "
    "797 картинкам, так что точность чуть завышена"
)
LETTERS_LIMITS = (
    "Знает только русские буквы и по одному слову за раз: что слово значит и что стоит рядом, ей неизвестно. "
    "Несуществующее слово дополнит так же уверенно. Отложенные слова бывают роднёй обучающих "
    "(«лесник» и «лесничий»): это часть языка, но и часть результата."
)
ABOUT: dict[str, dict[str, str]] = {
    "tiny-bert-ru": {
        "title": "BERT, которая угадывает закрытые буквы русского слова",
        "data": "русские словоформы; " + OPENCORPORA + ". Отложены 5 % слов вместе со всеми формами",
        "limits": LETTERS_LIMITS,
        "use": "from transformers import BertForMaskedLM, BertTokenizer\n\n"
        "tokenizer = BertTokenizer.from_pretrained(folder)\nmodel = BertForMaskedLM.from_pretrained(folder)",
    },
    "tiny-left-ru": {
        "title": "Соперница tiny-bert-ru: тот же размер и те же слова, но каждая буква — только по буквам слева",
        "data": "русские словоформы; " + OPENCORPORA + ". Отложены 5 % слов вместе со всеми формами",
        "limits": LETTERS_LIMITS,
        "use": "from transformers import BertTokenizer, GPT2LMHeadModel\n\n"
        "tokenizer = BertTokenizer.from_pretrained(folder)\nmodel = GPT2LMHeadModel.from_pretrained(folder)",
    },
    "tiny-gpt-ru": {
        "title": "GPT-2, которая придумывает фамилии, имена и названия мест",
        "data": "мужские фамилии, имена и географические названия; " + OPENCORPORA + ". Отложены 5 % имён; "
        "на других 5 % подобраны размер сети и длительность обучения",
        "limits": "Сочиняет правдоподобное, а не настоящее: придуманная фамилия может кому-то принадлежать, "
        "придуманного города может не быть. Женских фамилий, отчеств и составных названий не знает.",
        "use": "from transformers import GPT2LMHeadModel, GPT2Tokenizer\n\n"
        "tokenizer = GPT2Tokenizer.from_pretrained(folder)\nmodel = GPT2LMHeadModel.from_pretrained(folder)\n"
        'inputs = tokenizer("фамилия:Шир", return_tensors="pt")',
    },
    "tiny-gpt-py": {
        "title": "GPT-2, которая продолжает код на Python",
        "data": "исходный код стандартной библиотеки Python (лицензия PSF-2.0), без тестов и таблиц кодировок; "
        "отложены целые модули и пакеты. В других версиях Python библиотека немного другая, и обученная заново "
        "модель будет не той же",
        "limits": "Пишет код, похожий на настоящий, но смысла его не понимает: имена берёт из головы, скобки закрывает "
        "не всегда. Окно — 256 токенов. Местами повторяет обучающий текст слово в слово (доля измерена): "
        "такие куски остаются под лицензией PSF.",
        "use": "from transformers import GPT2LMHeadModel, GPT2Tokenizer\n\n"
        "tokenizer = GPT2Tokenizer.from_pretrained(folder)\nmodel = GPT2LMHeadModel.from_pretrained(folder)",
    },
    "tiny-vit": {
        "title": "Vision Transformer, который узнаёт рукописные цифры",
        "data": DIGITS,
        "limits": "Узнаёт одну цифру во весь кадр, светлую на чёрном, 8 × 8 точек. На всякую другую картинку тоже "
        "ответит цифрой, и нередко уверенно.",
        "use": "from transformers import ViTForImageClassification, ViTImageProcessor\n\n"
        "processor = ViTImageProcessor.from_pretrained(folder)\n"
        "model = ViTForImageClassification.from_pretrained(folder)",
    },
    "tiny-resnet": {
        "title": "ResNet, которая узнаёт рукописные цифры",
        "data": DIGITS,
        "limits": "Узнаёт одну цифру во весь кадр, светлую на чёрном, 8 × 8 точек. Начало сети — для маленьких "
        "картинок, и transformers такую папку не читает: только `modern_nets`.",
        "use": "from modern_nets.resnet import ResNet\n\nmodel = ResNet.from_pretrained(folder)",
    },
    "tiny-resnet-five": {
        "title": "ResNet, обученная на цифрах 0–4: начало для опытов с дообучением",
        "data": DIGITS + ". Взяты только цифры от 0 до 4",
        "limits": "Цифр от 5 до 9 не видела и назовёт их какой-нибудь из своих пяти.",
        "use": "from modern_nets.resnet import ResNet\n\nmodel = ResNet.from_pretrained(folder, n_classes=5)",
    },
    "tiny-vit-five": {
        "title": "Vision Transformer, обученный на цифрах 0–4: начало для опытов с дообучением",
        "data": DIGITS + ". Взяты только цифры от 0 до 4",
        "limits": "Цифр от 5 до 9 не видел и назовёт их какой-нибудь из своих пяти.",
        "use": "from modern_nets.vit import ViT\n\nmodel = ViT.from_pretrained(folder, n_classes=5)",
    },
    "tiny-mlp": {
        "title": "Многослойный перцептрон на рукописных цифрах: с ним сравнивают ResNet и ViT",
        "data": DIGITS,
        "limits": "Не знает, какие пиксели соседние: сдвинутую на несколько точек цифру узнаёт плохо.",
        "use": "from modern_nets.mlp import PictureMLP\n\nmodel = PictureMLP.from_pretrained(folder)",
    },
}
"""О каждой модели: что это, на чём обучена, чего не умеет и как её загрузить."""


def finish(name: str, folder: Path, history: History, plan: Plan, quality: dict[str, Any]) -> None:
    """Дописывает в папку обученной модели измерения (quality.json) и карточку (README.md).

    Args:
        name: Имя модели.
        folder: Её папка.
        history: Как шло обучение.
        plan: План обучения.
        quality: Измерения.
    """
    minutes = round(history.seconds_per_step * plan.n_steps / 60, 1)
    write_json({"training_minutes": minutes, **quality}, folder / "quality.json")
    (folder / "README.md").write_text(card(name, folder, plan), encoding="utf-8")


def card(name: str, folder: Path, plan: Plan) -> str:
    """Текст карточки по файлам модели.

    Args:
        name: Имя модели.
        folder: Её папка с весами и измерениями.
        plan: План обучения.

    Returns:
        Markdown.
    """
    about = ABOUT[name]
    imports, lines = about["use"].split("\n\n")
    quality = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
    weights = folder / "model.safetensors"
    with safe_open(weights, "pt") as file:
        keys = [key for key in file.keys() if key.rpartition(".")[2] not in BATCH_STATISTICS]  # noqa: SIM118
        shapes = [file.get_slice(key).get_shape() for key in keys]
    parameters = f"{sum(math.prod(shape) for shape in shapes):_}".replace("_", " ")
    minutes = quality["training_minutes"]
    duration = f"{decimal(minutes, 0)} мин" if minutes >= 1 else "меньше минуты"
    megabytes = decimal(weights.stat().st_size / 1e6, 2)
    return f"""# {name}

{about["title"]}.

- **Параметров:** {parameters}; файл — {megabytes} МБ: веса хранятся в float16, вычисления — в float32.
- **Данные:** {about["data"]}.
- **Рецепт:** `modern-nets train {name}`; AdamW, {plan.n_steps} шагов, наибольшая скорость обучения
  {_short(plan.learning_rate)} (разгон {_short(100 * plan.warmup)} % шагов, затем косинус), затухание весов
  {_short(plan.weight_decay)}, зерно {plan.seed}.
- **Время обучения:** {duration} на двух ядрах процессора.

## Качество

Измерено командой `modern-nets evaluate {name}` на этих самых весах. В скобках — 95-процентный интервал и число
примеров; там, где обучений несколько, — наименьшее и наибольшее.

{quality_table(name, quality)}

## Чего не умеет

{about["limits"]}

## Как загрузить

```python
from modern_nets import at_hand
{imports}

folder = at_hand("{name}")
{lines}
```
"""


def quality_table(name: str, quality: dict[str, Any]) -> str:
    """Измерения модели — таблицей Markdown.

    Args:
        name: Имя модели.
        quality: Измерения.

    Returns:
        Строки таблицы.
    """
    rows = quality_rows(name, quality)
    return "\n".join(["| Что | Значение |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in rows)])


def quality_rows(name: str, quality: dict[str, Any]) -> list[tuple[str, str]]:
    """Измерения модели словами.

    Args:
        name: Имя модели.
        quality: Измерения.

    Returns:
        Пары: что измерено и сколько вышло.
    """
    family = "digits" if "accuracy" in quality else name
    families: dict[str, Callable[[dict[str, Any]], list[tuple[str, str]]]] = {
        "tiny-bert-ru": _letters_rows,
        "tiny-left-ru": lambda q: [("угадано букв, видны только левые", _share(q["one_letter"]["left"]))],
        "tiny-gpt-ru": _names_rows,
        "tiny-gpt-py": _code_rows,
        "digits": _digits_rows,
    }
    return families[family](quality)


def _letters_rows(quality: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("отложенных существительных", str(quality["nouns"]))]
    one = quality["one_letter"]
    rows += [("закрыта одна случайная буква: видны обе стороны", _share(one["both"]))]
    rows += [("то же место, видна только левая сторона (tiny-left-ru)", _share(one["left"]))]
    always = quality["always"]
    rows += [(f"всегда отвечать «{always['letter']}»", _share(always))]
    for side, edge, where in ("right", "последняя буква", "справа"), ("left", "первая буква", "слева"):
        for n, pair in quality[f"by_letters_to_the_{side}"].items():
            what = edge if n == "0" else f"букв {where}: {n}"
            rows += [(f"{what} — обе стороны / только левая", f"{_share(pair['both'])} / {_share(pair['left'])}")]
    return rows


def _names_rows(quality: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("бит на букву отложенных имён", _value(quality["bits_per_letter"])),
        ("то же, 5-граммы со сглаживанием Кнезера — Нея", _value(quality["five_gram_bits_per_letter"])),
        ("выигрыш у 5-грамм на тех же именах, бит на букву", _value(quality["saved_bits_per_letter"])),
    ]
    for kind, bits in quality["by_kind"].items():
        both = f"{_value(bits['bits_per_letter'])} / {_value(bits['five_gram_bits_per_letter'])}"
        rows += [(f"вид «{kind}»: модель / 5-граммы", both)]
    for kind, invented in quality["invented"].items():
        rows += [
            (f"вид «{kind}», придумано 1000: есть в обучающих", _share(invented["copied"])),
            (f"вид «{kind}»: настоящие, но не из обучающих", _share(invented["guessed"])),
        ]
    return rows


def _code_rows(quality: dict[str, Any]) -> list[tuple[str, str]]:
    modules = quality["modules"]
    return [
        ("бит на байт отложенных модулей", _value(quality["bits_per_byte"])),
        ("то же, `xz -9e`", decimal(quality["xz_bits_per_byte"], 2)),
        ("то же, 5-граммы над байтами", _value(quality["five_gram_bits_per_byte"])),
        ("функций, продолженных без синтаксических ошибок", _share(quality["parsed"])),
        ("отрезков по 50 знаков, стоящих в обучающем тексте", _share(quality["copied_50_characters"])),
        ("то же в отложенных модулях, написанных людьми", _share(quality["copied_50_characters_of_real_code"])),
        ("бит на байт, `xz -9e`, прочитавший обучающий текст", decimal(quality["xz_after_training_text"], 2)),
        ("Python", quality["python"]),
        ("файлов обучающих / отложенных", f"{modules['learned']} / {modules['held_out']}"),
    ]


def _digits_rows(quality: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("верных ответов на отложенных картинках", _share(quality["accuracy"]))]
    if "five_seeds" in quality:
        rows += [("пять обучений с разных зёрен, среднее", _seeds(quality["five_seeds"]))]
    for shots, pair in quality.get("transfer", {}).items():
        both = " / ".join(_seeds(pair[kind]) for kind in ("pretrained", "scratch"))
        rows += [(f"цифры 5–9, примеров на цифру {shots}: дообучена / с нуля", both)]
        rows += [("выигрыш дообучения на тех же примерах", _seeds(pair["gain"]))]
    return rows


def _share(measured: dict[str, Any]) -> str:
    interval = f"{percent(measured['low'])}–{percent(measured['high'])}"
    return f"{percent(measured['value'])} ({interval}; примеров {measured['n']})"


def _seeds(measured: dict[str, Any]) -> str:
    return f"{percent(measured['value'])} (от {percent(measured['low'])} до {percent(measured['high'])})"


def _value(measured: dict[str, Any]) -> str:
    interval = f"{decimal(measured['low'], 2)}–{decimal(measured['high'], 2)}"
    return f"{decimal(measured['value'], 2)} ({interval}; кусков {measured['n']})"


def _short(value: float) -> str:
    return f"{value:g}".replace(".", ",")
