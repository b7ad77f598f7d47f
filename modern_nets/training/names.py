"""tiny-gpt-ru: GPT-2, которая придумывает фамилии, имена и названия мест.

Данные — словарь pymorphy3; отложены целые имена, к какому бы виду они ни относились.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from modern_nets import ask
from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.training import russian
from modern_nets.training.loop import History, Plan, train
from modern_nets.training.measures import point_of, ratio, share
from modern_nets.training.ngrams import NGrams
from modern_nets.training.processes import Batch
from modern_nets.training.shelf import END, cached, save_gpt2_tokenizer, save_model

KINDS = {kind: f"{kind}:" for kind in ask.KINDS}
LETTERS = ask.LETTERS + ask.LETTERS.upper()
MAX_TOKENS = 32
PLAN = Plan(n_steps=4000, learning_rate=2e-3, weight_decay=0.1, save_every=400)
N_NAMES = 128
CONFIG = GPT2Config(
    vocab_size=1 + 256 + len(LETTERS) + len(KINDS),
    max_tokens=MAX_TOKENS,
    d_model=128,
    n_layers=4,
    n_heads=4,
    dropout=0.15,
    embedding_dropout=0.1,
    attention_dropout=0.1,
)


def build(folder: Path, run_folder: Path, device: torch.device, plan: Plan) -> History:
    """Обучает tiny-gpt-ru.

    Args:
        folder: Куда положить готовую модель.
        run_folder: Где держать чекпоинт и разобранный словарь.
        device: На чём учить.
        plan: Сколько и как учить.

    Returns:
        Потери и время шага.
    """
    tokenizer = letters_tokenizer()
    rows = encode(tokenizer, select(dictionary(run_folder), "обучение"))
    torch.manual_seed(plan.seed)
    model = GPT2(CONFIG).to(device)

    def draw(step: int) -> Batch:
        batch = rows[torch.randint(len(rows), (N_NAMES,))]  # (B, T)
        return (batch[:, : int((batch >= 0).sum(dim=1).max())],)

    def loss_of(model: Any, batch: Tensor) -> Tensor:
        logits = model(batch[:, :-1].clamp(min=0)).logits  # −1 справа: причинная маска его скрывает
        return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), ignore_index=-1)

    def n_answers(batch: Tensor) -> int:
        return int((batch[:, 1:] >= 0).sum())

    history = train(model, draw, loss_of, plan, run_folder, count=n_answers, title="tiny-gpt-ru")
    save_gpt2_tokenizer(tokenizer, folder, END, MAX_TOKENS)
    save_model(model, folder, bos_token_id=0, eos_token_id=0)
    return history


def dictionary(run_folder: Path) -> dict[str, list[str]]:
    """Имена по видам; разобранный словарь остаётся в папке.

    Args:
        run_folder: Папка.

    Returns:
        Вид → имена.
    """
    return cached(run_folder / "names.json", russian.names)


def part(name: str) -> str:
    """К какой части относится имя: решает его хеш.

    Args:
        name: Имя.

    Returns:
        «проверка» у 5 % имён, «выбор» у других 5 % (по ним выбраны размер и длительность обучения), иначе «обучение».
    """
    point = point_of(name)
    return "проверка" if point < 0.05 else "выбор" if point < 0.10 else "обучение"


def select(groups: dict[str, list[str]], wanted: str) -> list[tuple[str, str]]:
    """Имена одной части.

    Args:
        groups: Вид → имена.
        wanted: Часть, как в `part`.

    Returns:
        Пары (вид, имя).
    """
    return [(kind, name) for kind, group in groups.items() for name in group if part(name) == wanted]


def letters_tokenizer() -> Tokenizer:
    """BPE над байтами, в котором склеены только байты одной буквы: русская буква — один токен.

    Returns:
        Токенизатор: конец текста, 256 байтов, буквы, приставки видов.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_of = {letter: pre_tokenizers.ByteLevel(False).pre_tokenize_str(letter)[0][0] for letter in LETTERS}
    vocabulary = {token: i for i, token in enumerate([END, *alphabet, *bytes_of.values()])}
    merges = [(pair[0], pair[1]) for pair in bytes_of.values()]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    tokenizer.add_tokens([AddedToken(prefix, normalized=False) for prefix in KINDS.values()])
    return tokenizer


def encode(tokenizer: Tokenizer, names: Iterable[tuple[str, str]]) -> Tensor:
    """Имена → токены: приставка вида, буквы, конец.

    Args:
        tokenizer: Токенизатор.
        names: Пары (вид, имя).

    Returns:
        Номера токенов, форма (B, T); −1 — строка кончилась.
    """
    texts = [f"{KINDS[kind]}{name}{END}" for kind, name in names]
    rows = [torch.tensor(encoded.ids) for encoded in tokenizer.encode_batch(texts)]
    return pad_sequence(rows, batch_first=True, padding_value=-1)


def measure(folder: Path, run_folder: Path, device: torch.device) -> dict[str, Any]:
    """Измеряет биты на букву отложенных имён и долю списанного среди придуманных.

    Args:
        folder: Папка модели.
        run_folder: Где разобранный словарь.
        device: На чём считать.

    Returns:
        Биты модели и лучшей из двух 5-грамм, доли списанных, угаданных и новых имён по видам.
    """
    groups = dictionary(run_folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = GPT2.from_pretrained(folder).to(device)
    learned, held_out = select(groups, "обучение"), select(groups, "проверка")
    rows = encode(tokenizer, held_out)
    sizes = (rows[:, 1:] >= 0).sum(dim=1)  # буквы и конец слова
    ours = name_bits(model, rows, device)
    rivals = [ngram_bits(learned, held_out, by_kind) for by_kind in (False, True)]
    rival = min(rivals, key=lambda bits: float(bits.sum()))
    result: dict[str, Any] = {
        "bits_per_letter": ratio(ours, sizes),
        "five_gram_bits_per_letter": ratio(rival, sizes),
        "saved_bits_per_letter": ratio(rival - ours, sizes),  # на тех же именах: интервал уже, чем у двух порознь
        "by_kind": {},
        "invented": {},
    }
    known = {kind: {name for k, name in learned if k == kind} for kind in KINDS}
    hidden = {kind: set(groups[kind]) - known[kind] for kind in KINDS}
    for number, kind in enumerate(KINDS):
        of_kind = torch.tensor([k == kind for k, _ in held_out])
        result["by_kind"][kind] = {
            "bits_per_letter": ratio(ours[of_kind], sizes[of_kind]),
            "five_gram_bits_per_letter": ratio(rival[of_kind], sizes[of_kind]),
        }
        names = invent(model, tokenizer, kind, 1000, seed=number)
        result["invented"][kind] = {
            "copied": share(sum(name in known[kind] for name in names), len(names)),
            "guessed": share(sum(name in hidden[kind] for name in names), len(names)),
            "different": len(set(names)),
            "examples": [name for name in names if name not in known[kind]][:12],
        }
    return result


@torch.no_grad()
def name_bits(model: GPT2, rows: Tensor, device: torch.device) -> Tensor:
    """Сколько битов модель тратит на каждое имя вместе с его концом.

    Args:
        model: Модель.
        rows: Токены имён, форма (B, T); −1 — строка кончилась.
        device: На чём считать.

    Returns:
        Биты, форма (B,).
    """
    rows = rows.to(device)
    logits = model(rows[:, :-1].clamp(min=0)).logits
    losses = F.cross_entropy(logits.transpose(1, 2), rows[:, 1:], ignore_index=-1, reduction="none")  # (B, T)
    return losses.sum(dim=1).cpu() / math.log(2)


def ngram_bits(learned: Sequence[tuple[str, str]], names: Sequence[tuple[str, str]], by_kind: bool) -> Tensor:
    """Сколько битов тратит на имена 5-граммная модель.

    Args:
        learned: По каким именам считать.
        names: Какие имена оценить.
        by_kind: Своя модель у каждого вида (True) или одна на все виды.

    Returns:
        Биты, форма (B,).
    """
    if by_kind:
        result = torch.zeros(len(names), dtype=torch.float64)
        for kind in KINDS:
            index = torch.tensor([k == kind for k, _ in names])
            same = [[pair for pair in pairs if pair[0] == kind] for pairs in (learned, names)]
            result[index] = ngram_bits(same[0], same[1], by_kind=False)
        return result
    number = {symbol: i for i, symbol in enumerate([*KINDS, END, *LETTERS])}

    def windows(kind: str, name: str) -> Tensor:
        symbols = [kind] * 4 + [*name, END]
        return torch.tensor([number[symbol] for symbol in symbols]).unfold(0, 5, 1)

    model = NGrams(torch.cat([windows(*pair) for pair in learned]), len(number))
    return torch.stack([model.bits(windows(*pair)).sum() for pair in names])


def invent(model: GPT2, tokenizer: Tokenizer, kind: str, n: int, seed: int = 0) -> list[str]:
    """Придумывает имена при температуре 1, без отсечений.

    Args:
        model: Модель.
        tokenizer: Её токенизатор.
        kind: Вид: «фамилия», «имя» или «место».
        n: Сколько.
        seed: Зерно.

    Returns:
        Имена.
    """
    device = next(model.parameters()).device
    start = torch.tensor([tokenizer.encode(KINDS[kind]).ids] * n, device=device)
    generator = torch.Generator(device).manual_seed(seed)
    ids = generate(model, start, MAX_TOKENS - start.shape[1], temperature=1.0, stop_tokens=[0], generator=generator)
    return tokenizer.decode_batch(ids[:, 1:].tolist())
