"""Вопросы моделям под рукой одной функцией: буквы слова, имена, код, цифры.

Здесь же — проверка всего, что может ввести человек. Нужна библиотека tokenizers, для картинок ещё Pillow.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from modern_nets.bert import BertForMaskedLM
from modern_nets.embedded import at_hand
from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2
from modern_nets.pictures import pixel_values, read_picture
from modern_nets.vit import ViT

if TYPE_CHECKING:
    from PIL.Image import Image
    from tokenizers import Tokenizer

LETTERS = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
"""Буквы, которые знает tiny-bert-ru."""
HIDDEN = "_"
"""Знак закрытой буквы."""
LONGEST_WORD = 24
"""На словах не длиннее этого училась tiny-bert-ru."""
KINDS = ("фамилия", "имя", "место")
"""Что придумывает tiny-gpt-ru."""
INK = 60
"""Ярче этого (из 255) — уже чернила, темнее — фон."""
FLATTEST = 10
"""Во сколько раз рисунок цифры может быть вытянут."""
END_ID = 0
"""Номер токена <|endoftext|> в словарях обеих GPT."""


@dataclass(frozen=True)
class Guess:
    """Что сеть думает о закрытой букве.

    Attributes:
        place: Место буквы в слове, с единицы.
        letters: Самые вероятные буквы: (буква, вероятность), по убыванию.
    """

    place: int
    letters: list[tuple[str, float]]


@cache
def _tokenizer(name: str) -> "Tokenizer":
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(at_hand(name) / "tokenizer.json"))


@cache
def _bert() -> BertForMaskedLM:
    return BertForMaskedLM.from_pretrained(at_hand("tiny-bert-ru"))


@cache
def _gpt(name: str) -> GPT2:
    return GPT2.from_pretrained(at_hand(name))


@cache
def _vit() -> ViT:
    return ViT.from_pretrained(at_hand("tiny-vit"))


def guess_letters(word: str, n: int = 5) -> list[Guess]:
    """Угадывает закрытые буквы русского слова (tiny-bert-ru).

    Args:
        word: Слово, в котором буквы закрыты знаком «_»: «мол_ко».
        n: Сколько букв назвать на каждое место.

    Returns:
        По догадке на каждую закрытую букву.

    Raises:
        ValueError: слово пустое, слишком длинное, не из русских букв или в нём ничего не закрыто.
    """
    plain = _checked_word(word, extra=HIDDEN)
    if len(plain) > LONGEST_WORD:
        raise ValueError(f"Букв в слове — {len(plain)}, а сеть училась на словах не длиннее {LONGEST_WORD}.")
    if HIDDEN not in plain:
        raise ValueError(
            f"В слове «{plain}» ничего не закрыто: поставьте вместо буквы знак «{HIDDEN}», например «мол_ко»."
        )
    _check_count("n", n)
    if not 1 <= n <= len(LETTERS):
        raise ValueError(f"Назвать можно от 1 до {len(LETTERS)} букв, а просят {n}.")
    tokenizer = _tokenizer("tiny-bert-ru")
    encoded = tokenizer.encode(plain.replace(HIDDEN, "[MASK]"))
    with torch.no_grad():
        logits = _bert()(torch.tensor([encoded.ids])).logits[0]  # (T, V)
    guesses = []
    for place, letter in enumerate(plain):
        if letter == HIDDEN:
            prefix = "##" if place else ""
            ids = [tokenizer.token_to_id(prefix + letter) for letter in LETTERS]
            top = logits[place + 1, ids].softmax(dim=0).topk(n)
            letters = [(LETTERS[i], p) for i, p in zip(top.indices.tolist(), top.values.tolist(), strict=True)]
            guesses.append(Guess(place + 1, letters))
    return guesses


def invent_names(
    kind: str,
    start: str = "",
    *,
    n: int = 5,
    temperature: float = 1.0,
    top_p: float | None = None,
    seed: int = 0,
) -> list[str]:
    """Придумывает фамилии, имена или названия мест (tiny-gpt-ru).

    Args:
        kind: «фамилия», «имя» или «место».
        start: Начало, с которого продолжать.
        n: Сколько придумать.
        temperature: 0 — самое вероятное; больше — случайнее.
        top_p: Выбирать из самых вероятных букв, которые вместе набирают такую долю.
        seed: Зерно.

    Returns:
        Придуманные имена; среди них бывают и настоящие.

    Raises:
        ValueError: вид неизвестен, начало не из русских букв или слишком длинное, n меньше единицы.
    """
    if kind not in KINDS:
        raise ValueError(f"Вида «{_brief(kind)}» нет. Есть: {', '.join(KINDS)}.")
    _check_count("n", n)
    if n < 1:
        raise ValueError(f"Придумать можно хотя бы одно имя, а просят {n}.")
    start = _checked_word(start).capitalize() if start else ""
    tokenizer, model = _tokenizer("tiny-gpt-ru"), _gpt("tiny-gpt-ru")
    ids = torch.tensor([tokenizer.encode(f"{kind}:{start}").ids] * n)
    room = model.config.max_tokens - ids.shape[1]
    if room < 8:  # имени нужно место, чтобы кончиться
        raise ValueError(
            f"Букв в начале — {len(start)}, а сеть училась на именах короче {model.config.max_tokens - 8}."
        )
    generator = _generator(seed)
    answer = generate(model, ids, room, temperature=temperature, top_p=top_p, stop_tokens=[END_ID], generator=generator)
    return [text.removeprefix(f"{kind}:") for text in tokenizer.decode_batch(answer.tolist())]


def continue_code(
    code: str,
    max_new_tokens: int = 60,
    *,
    temperature: float = 0.0,
    top_p: float | None = None,
    seed: int = 0,
    truncate: bool = False,
) -> str:
    """Продолжает код на Python (tiny-gpt-py).

    Args:
        code: Начало кода; пустое — новый модуль.
        max_new_tokens: Сколько токенов дописать самое большее.
        temperature: 0 — всегда самый вероятный токен; больше — случайнее.
        top_p: Выбирать из самых вероятных, которые вместе набирают такую долю.
        seed: Зерно.
        truncate: Если начало не помещается в окно, прочесть только его конец.

    Returns:
        Начало вместе с продолжением.

    Raises:
        ValueError: начало не помещается в окно вместе с продолжением.
    """
    if not isinstance(code, str):
        raise ValueError(f"Нужна строка с кодом, а пришёл {type(code).__name__}.")
    try:
        code.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"В коде есть знак, которого в Unicode нет (место {error.start + 1}).") from error
    _check_count("max_new_tokens", max_new_tokens)
    tokenizer, model = _tokenizer("tiny-gpt-py"), _gpt("tiny-gpt-py")
    ids = [END_ID, *tokenizer.encode(code, add_special_tokens=False).ids]
    room = model.config.max_tokens - max_new_tokens
    if 1 <= room < len(ids):
        if not truncate:
            raise ValueError(
                f"В начале {len(ids)} токенов, просят {max_new_tokens} новых, а окно сети — "
                f"{model.config.max_tokens}. Сократите начало или прочтите только его конец: truncate=True."
            )
        ids = ids[-room:]
    generator = _generator(seed)
    answer = generate(
        model,
        torch.tensor([ids]),
        max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        stop_tokens=[END_ID],
        generator=generator,
    )
    return code + tokenizer.decode(answer[0, len(ids) :].tolist())


def recognize_digit(picture: "str | Path | Image", *, dark_on_light: bool | None = None) -> list[tuple[str, float]]:
    """Узнаёт рукописную цифру (tiny-vit).

    Args:
        picture: Файл с картинкой или картинка Pillow; цифра — во весь кадр.
        dark_on_light: Тёмные чернила на светлом; None — решить по углам кадра: там обычно фон.

    Returns:
        Цифры с вероятностями, по убыванию.

    Raises:
        FileNotFoundError: файла нет.
        ValueError: это не картинка, или она меньше 8 × 8, или одного цвета.
    """
    from PIL import ImageOps

    image = read_picture(picture, mode="L")
    size = _vit().config.image_size
    if min(image.size) < size:
        raise ValueError(f"Картинка {image.width} × {image.height} меньше {size} × {size}: цифру на ней не разобрать.")
    darkest, lightest = image.getextrema()
    if darkest == lightest:
        raise ValueError("Картинка одного цвета: цифры на ней нет.")
    if dark_on_light is None:
        edge = torch.tensor([image.getpixel(xy) for xy in _corners(image)]).float().mean()
        dark_on_light = bool(edge > (darkest + lightest) / 2)  # type: ignore[operator]
    if dark_on_light:
        image = ImageOps.invert(image)  # училась сеть на светлом по чёрному
    image = ImageOps.autocontrast(image)
    ink = image.point(lambda value: 255 * (value > INK)).getbbox()
    image = image.crop(ink) if ink else image  # училась сеть на цифрах во весь кадр
    if max(image.size) > FLATTEST * min(image.size):
        raise ValueError(f"Рисунок {image.width} × {image.height} слишком вытянут: на цифру это не похоже.")
    side = max(image.size)
    image = ImageOps.pad(image, (side, side))  # сеть сожмёт кадр в квадрат: пропорции цифры не должны пострадать
    with torch.no_grad():
        chances = _vit()(pixel_values(image, at_hand("tiny-vit"))).logits[0].softmax(dim=0)
    order = chances.argsort(descending=True).tolist()
    return [(str(digit), float(chances[digit])) for digit in order]


def _corners(image: "Image") -> list[tuple[int, int]]:
    right, bottom = image.width - 1, image.height - 1
    return [(0, 0), (right, 0), (0, bottom), (right, bottom)]


def _generator(seed: int) -> torch.Generator:
    _check_count("Зерно", seed)
    if not 0 <= seed < 2**63:
        raise ValueError(f"Зерно — целое число от 0 до 2**63 − 1, а пришло {_brief(seed)}.")
    return torch.Generator().manual_seed(seed)


def _check_count(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} — целое число, а пришло {_brief(value)}.")


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _checked_word(word: str, extra: str = "") -> str:
    """Слово строчными буквами; ошибка называет каждый знак, которого сеть не знает."""
    if not isinstance(word, str):
        raise ValueError(f"Нужна строка, а пришёл {type(word).__name__}.")
    plain = unicodedata.normalize("NFC", word).strip().lower()  # «й» из двух знаков — тоже «й»
    if not plain:
        raise ValueError("Слово пустое.")
    strange = sorted(set(plain) - set(LETTERS) - set(extra), key=plain.index)
    if strange:
        shown = ", ".join("пробел" if c.isspace() else f"«{c}»" for c in strange[:8])
        more = f" и ещё {len(strange) - 8}" if len(strange) > 8 else ""
        raise ValueError(f"Сеть знает только русские буквы, а в слове есть {shown}{more}.")
    return plain
