"""tiny-gpt-py: GPT-2, которая продолжает код на Python.

Данные — стандартная библиотека; модули целиком делятся на обучающие и отложенные.
"""

import ast
import lzma
import math
import platform
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.training.loop import History, Plan, train
from modern_nets.training.measures import ratio, share
from modern_nets.training.ngrams import NGrams
from modern_nets.training.processes import Batch
from modern_nets.training.python_source import is_held_out, standard_library
from modern_nets.training.shelf import END, save_gpt2_tokenizer, save_model

PLAN = Plan(n_steps=2200, learning_rate=1.5e-3, weight_decay=0.1, save_every=200)
N_ROWS = 8
CONFIG = GPT2Config(
    vocab_size=2048,
    max_tokens=256,
    d_model=224,
    n_layers=6,
    n_heads=7,
    dropout=0.0,
    embedding_dropout=0.0,
    attention_dropout=0.0,
)


def build(folder: Path, run_folder: Path, device: torch.device, plan: Plan) -> History:
    """Обучает токенизатор и модель и кладёт их в папку.

    Args:
        folder: Куда положить готовую модель.
        run_folder: Где держать чекпоинт.
        device: На чём учить.
        plan: Сколько и как учить.

    Returns:
        Потери и время шага.
    """
    learned, _ = split()
    tokenizer = train_tokenizer(learned.values())
    ids = encode(tokenizer, learned.values())
    torch.manual_seed(plan.seed)
    model = GPT2(CONFIG).to(device)
    windows = torch.arange(CONFIG.max_tokens + 1)

    def draw(step: int) -> Batch:
        starts = torch.randint(len(ids) - CONFIG.max_tokens, (N_ROWS, 1))
        return (ids[starts + windows],)  # (B, T + 1)

    def loss_of(model: Any, rows: Tensor) -> Tensor:
        logits = model(rows[:, :-1]).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())

    history = train(model, draw, loss_of, plan, run_folder, title="tiny-gpt-py")
    save_gpt2_tokenizer(tokenizer, folder, END, CONFIG.max_tokens)
    save_model(model, folder, bos_token_id=0, eos_token_id=0)
    return history


def split() -> tuple[dict[str, str], dict[str, str]]:
    """Делит модули стандартной библиотеки.

    Returns:
        Обучающие и отложенные: путь → текст.
    """
    sources = standard_library()
    learned = {path: text for path, text in sources.items() if not is_held_out(path)}
    return learned, {path: text for path, text in sources.items() if is_held_out(path)}


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Обучает BPE над байтами: вне словаря не окажется ни один текст.

    Args:
        texts: Обучающие тексты.

    Returns:
        Токенизатор; номер 0 — конец текста.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=CONFIG.vocab_size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Iterable[str]) -> Tensor:
    """Тексты → одна лента токенов; перед каждым текстом стоит токен конца предыдущего.

    Args:
        tokenizer: Токенизатор библиотеки tokenizers.
        texts: Тексты.

    Returns:
        Номера токенов, форма (N,).
    """
    end = tokenizer.token_to_id(END)
    encoded = tokenizer.encode_batch(list(texts))
    return torch.tensor([token for text in encoded for token in [end, *text.ids]])


def measure(folder: Path, run_folder: Path, device: torch.device) -> dict[str, Any]:
    """Измеряет биты на байт отложенных модулей, синтаксис продолжений и долю списанного.

    Args:
        folder: Папка модели.
        run_folder: Не нужна: данные у каждого свои.
        device: На чём считать.

    Returns:
        Биты модели, архиватора и 5-грамм; доли верных по синтаксису и списанных продолжений.
    """
    learned, held_out = split()
    held_out = {path: text for path, text in held_out.items() if text.strip()}  # бывают и пустые __init__.py
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = GPT2.from_pretrained(folder).to(device)
    ours = [text_bits(model, encode(tokenizer, [text]), device) for text in held_out.values()]
    learned_text = "".join(learned.values())
    training_text, test_text = learned_text.encode(), "".join(held_out.values()).encode()
    five_grams = NGrams(as_bytes(training_text).unfold(0, 5, 1), 256)
    rival = [five_grams.bits(as_bytes(b"\n" * 4 + t.encode()).unfold(0, 5, 1)).sum() for t in held_out.values()]
    continued = continuations(model, tokenizer, held_out, device)
    generated = [text for _, text in continued]
    return {
        "python": platform.python_version(),
        "modules": {"learned": len(learned), "held_out": len(held_out)},
        "bytes": {"learned": len(training_text), "held_out": len(test_text)},
        "bits_per_byte": bits_per_byte(ours, held_out),
        "five_gram_bits_per_byte": bits_per_byte(rival, held_out),
        "xz_bits_per_byte": round(8 * xz(test_text) / len(test_text), 4),
        # Архиватору показали весь обучающий текст: сколько прибавил отложенный.
        "xz_after_training_text": round(8 * (xz(training_text + test_text) - xz(training_text)) / len(test_text), 4),
        "parsed": share(sum(is_python(whole_function(p + text, p)) for p, text in continued), len(continued)),
        "copied_50_characters": copied_windows(generated, learned_text),
        "copied_50_characters_of_real_code": copied_windows(real_pieces(held_out), learned_text),
    }


def bits_per_byte(bits: Sequence[Tensor], texts: dict[str, str]) -> dict[str, Any]:
    """Биты на байт; независимыми считаются пакеты: модули одного пакета похожи.

    Args:
        bits: Биты каждого модуля.
        texts: Путь → текст модуля, в том же порядке.

    Returns:
        Отношение с интервалом.
    """
    packages: dict[str, list[float]] = {}
    for cost, (path, text) in zip(bits, texts.items(), strict=True):
        total = packages.setdefault(path.split("/")[0], [0.0, 0.0])
        total[0] += float(cost)
        total[1] += len(text.encode())
    return ratio(*torch.tensor(list(packages.values())).T)


@torch.no_grad()
def text_bits(model: GPT2, ids: Tensor, device: torch.device) -> Tensor:
    """Сколько битов модель тратит на текст; у каждого токена слева не меньше половины окна.

    Args:
        model: Модель.
        ids: Токены текста, первый — конец предыдущего текста, форма (N,).
        device: На чём считать.

    Returns:
        Биты: тензор из одного числа.
    """
    size = model.config.max_tokens
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, max(1, len(ids) - 1), size // 2):
        first = max(0, start - size // 2)
        window = ids[first : start + size // 2 + 1].to(device)
        losses = torch.nn.functional.cross_entropy(model(window[None, :-1]).logits[0], window[1:], reduction="none")
        total += losses[start - first :].sum().cpu().double()
    return total / math.log(2)


def as_bytes(text: bytes) -> Tensor:
    """Байты → номера.

    Args:
        text: Байты.

    Returns:
        Числа от 0 до 255, форма (N,).
    """
    return torch.frombuffer(bytearray(text), dtype=torch.uint8)


def xz(text: bytes) -> int:
    """Размер текста, сжатого как `xz -9e`.

    Args:
        text: Байты.

    Returns:
        Число байтов.
    """
    return len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))


def continuations(
    model: GPT2, tokenizer: Tokenizer, texts: dict[str, str], device: torch.device, n: int = 200
) -> list[tuple[str, str]]:
    """Продолжает функции отложенных модулей от заголовка.

    Начало кончается двоеточием, без перевода строки: в обучающем тексте он склеен с отступом в один токен,
    и начало, оборванное посреди такого токена, сбило бы модель.

    Args:
        model: Модель.
        tokenizer: Её токенизатор.
        texts: Путь → текст модуля.
        device: На чём считать.
        n: Сколько функций.

    Returns:
        Пары (начало, продолжение); начало — строки от `def` до двоеточия включительно.
    """
    headers = [
        header.group(0)
        for text in texts.values()
        for header in re.finditer(r"^def \w+\([^()]*\):$", text, flags=re.MULTILINE)
    ]
    chosen = random.Random(0).sample(headers, min(n, len(headers)))
    generator = torch.Generator(device).manual_seed(0)
    pairs = []
    for header in chosen:
        ids = torch.tensor([tokenizer.encode(END + header).ids], device=device)
        room = model.config.max_tokens - ids.shape[1]
        answer = generate(model, ids, min(160, room), temperature=0.7, top_p=0.95, stop_tokens=[0], generator=generator)
        pairs.append((header, tokenizer.decode(answer[0, ids.shape[1] :].tolist())))
    return pairs


def whole_function(text: str, header: str) -> str:
    """Оставляет от продолжения одну функцию: до первой строки без отступа; недописанная строка отбрасывается.

    Args:
        text: Заголовок с продолжением.
        header: Заголовок.

    Returns:
        Текст функции.
    """
    first, *lines = text[len(header) :].split("\n")
    body = [first]
    for line in lines[:-1]:
        if line.strip() and not line[0].isspace():
            break
        body.append(line)
    return header + "\n".join(body) + "\n"


def is_python(text: str) -> bool:
    """Разбирает ли Python этот текст.

    Args:
        text: Код.

    Returns:
        True, если `ast.parse` не нашёл ошибок.
    """
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def copied_windows(texts: Sequence[str], training_text: str, size: int = 50) -> dict[str, Any]:
    """Доля отрезков, которые слово в слово стоят в обучающем тексте.

    Args:
        texts: Проверяемые тексты.
        training_text: Обучающий текст.
        size: Длина отрезка в символах.

    Returns:
        Доля с интервалом; отрезки не перекрываются.
    """
    pieces = [text[i : i + size] for text in texts for i in range(0, len(text) - size + 1, size)]
    return share(sum(piece in training_text for piece in pieces), len(pieces))


def real_pieces(texts: dict[str, str], length: int = 500, n: int = 200) -> list[str]:
    """Отрезки отложенных модулей: столько же повторов бывает и у людей.

    Args:
        texts: Путь → текст.
        length: Длина отрезка.
        n: Сколько отрезков.

    Returns:
        Отрезки.
    """
    joined = "".join(texts.values())
    pick = random.Random(0)
    return [joined[i : i + length] for i in (pick.randrange(len(joined) - length) for _ in range(n))]
