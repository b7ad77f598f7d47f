"""Работа для цикла: данные, модель, задача и числа, с которыми её учить."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from accelerate import Accelerator

from modern_nets.finetune import models
from modern_nets.finetune.data import Skip, Split
from modern_nets.finetune.options import (
    DEFAULTS,
    FEWEST_BATCHES,
    FEWEST_STEPS,
    MOST_EPOCHS,
    SMALLEST_BATCH,
    Options,
)
from modern_nets.finetune.pictures import load_pictures
from modern_nets.finetune.tasks import NextTokenTask, PictureTask, Task, TextTask
from modern_nets.finetune.texts import load_corpus, load_texts, token_tape
from modern_nets.training.measures import decimal
from modern_nets.training.processes import one_by_one

MOST_STEPS_UNSAVED = 500
"""Чекпоинт пишется раз в эпоху, но не реже чем через столько шагов."""
MOST_BERT_TOKENS, MOST_GPT_TOKENS = 256, 512
"""Сколько токенов читать, если не сказано: память растёт быстрее длины."""
MOST_TOKENS_A_WORD = 4
"""У знакомого языка токенов на слово меньше двух; если их столько, слова рассыпались на буквы."""
FEWEST_WORDS = 1000
"""Словарь меньше этого — из одних букв: рассыпаться нечему."""
SHOWN_CLASSES = 10
"""Сколько имён классов назвать на экране."""
MOST_AT_ONCE = 1000
"""По столько текстов разбирает токенизатор: описание токена занимает в сто раз больше места, чем номер."""


@dataclass
class Job:
    """Всё, что нужно циклу.

    Attributes:
        task: Задача.
        start: Модель.
        identity: По чему узнать обучение.
        skipped: Пропущенные примеры.
        baseline: Точность того, кто всегда называет класс, самый частый среди обучающих; None у GPT.
        about: Строки для экрана: какие данные.
        n_answers: Сколько токенов предсказывает GPT на проверке.
        n_bytes: Сколько байтов в проверочном тексте GPT.
    """

    task: Task
    start: models.Start
    identity: dict[str, Any]
    skipped: list[Skip]
    baseline: float | None
    about: list[str]
    n_answers: int = 0
    n_bytes: int = 0


def prepare(options: Options, accelerator: Accelerator) -> Job:
    """Читает данные и модель и выбирает числа, которых не назвали.

    Args:
        options: Просьба.
        accelerator: Связь с другими процессами.

    Returns:
        Работа для цикла.

    Raises:
        ValueError, OSError: данные или модель не подходят.
    """
    defaults = DEFAULTS[options.architecture]
    job = {"bert": _text_job, "gpt": _language_job}.get(options.architecture, _picture_job)(options, accelerator)
    smallest = job.task.epochs.n // job.task.epochs.n_batches
    if smallest < accelerator.num_processes:
        raise ValueError(
            f"В наименьшем пакете примеров — {smallest}, а процессов — {accelerator.num_processes}: "
            "кому-то не достанется ни одного. Увеличьте пакет (--batch-size) или запустите меньше процессов."
        )
    job.identity |= {
        "architecture": options.architecture,
        "model": job.start.source,
        "freeze": options.freeze,
        "parameters": job.start.n_parameters,
        "n_train": job.task.epochs.n,
        "n_valid": job.task.n_valid,
        "epochs": options.epochs or _epochs(defaults.epochs, job.task.epochs.n_batches),
        "batch_size": job.task.epochs.batch_size,
        "learning_rate": job.start.learning_rate(defaults, options),
        "seed": options.seed,
        "save_every": options.save_every or min(MOST_STEPS_UNSAVED, job.task.epochs.n_batches),
        "precision": options.precision,
    }
    return job


def _picture_job(options: Options, accelerator: Accelerator) -> Job:
    with one_by_one(accelerator):
        pictures = load_pictures(options)
    with one_by_one(accelerator):
        start = models.start(options, pictures.classes, is_small=pictures.is_small)
    augment = options.augment or pictures.augment
    task = PictureTask(
        pictures,
        start.settings or {},
        batch_size=_batch_size(options, len(pictures.split.train)),
        seed=options.seed,
        augment=augment,
        workers=options.workers,
        accelerator=accelerator,
    )
    identity = pictures.identity | {"classes": pictures.classes, "augment": augment}
    about = [_sizes(pictures.classes, "картинок", pictures.split)]
    return Job(task, start, identity, pictures.skipped, _most_frequent(pictures.labels, pictures.split), about)


def _text_job(options: Options, accelerator: Accelerator) -> Job:
    texts = load_texts(options)
    with one_by_one(accelerator):
        start = models.start(options, texts.classes)
    n_tokens = _window(options, start, MOST_BERT_TOKENS)
    start.limit_tokens(n_tokens)
    tokenizer = start.tokenizer
    assert tokenizer is not None
    tokenizer.enable_truncation(n_tokens)
    ids, cut = [], 0
    for first in range(0, len(texts.texts), MOST_AT_ONCE):
        for encoding in tokenizer.encode_batch_fast(texts.texts[first : first + MOST_AT_ONCE]):
            ids.append(encoding.ids)
            cut += bool(encoding.overflowing)
    tokenizer.no_truncation()
    task = TextTask(
        [ids[i] for i in texts.split.train],
        [texts.labels[i] for i in texts.split.train],
        [ids[i] for i in texts.split.valid],
        [texts.labels[i] for i in texts.split.valid],
        pad_token_id=start.model.config.pad_token_id or 0,
        batch_size=_batch_size(options, len(texts.split.train)),
        seed=options.seed,
    )
    about = [_sizes(texts.classes, "текстов", texts.split), *texts.notes]
    per_word = sum(map(len, ids)) / sum(len(text.split()) for text in texts.texts)
    if per_word > MOST_TOKENS_A_WORD and tokenizer.get_vocab_size() > FEWEST_WORDS:
        about.append(
            f"На слово приходится {decimal(per_word, 1)} токена: этого языка словарь модели почти не знает. "
            "Возьмите модель, обученную на нём (--model)."
        )
    if cut:
        about.append(f"Текстов длиннее {n_tokens} токенов — {cut}: от них взято начало (--max-tokens).")
    identity = texts.identity | {"classes": texts.classes, "max_tokens": n_tokens}
    return Job(task, start, identity, texts.skipped, _most_frequent(texts.labels, texts.split), about)


def _language_job(options: Options, accelerator: Accelerator) -> Job:
    corpus = load_corpus(options)
    with one_by_one(accelerator):
        start = models.start(options)
    n_tokens = _window(options, start, MOST_GPT_TOKENS)
    tokenizer = start.tokenizer
    assert tokenizer is not None
    tapes = [token_tape(part, tokenizer) for part in (corpus.train, corpus.valid)]
    if len(tapes[0]) <= n_tokens or len(tapes[1]) < 2:
        raise ValueError(
            f"Текст короток: обучающих токенов — {len(tapes[0])}, проверочных — {len(tapes[1])}, а окно — {n_tokens}. "
            f"Нужно больше {n_tokens} обучающих: добавьте текста или уменьшите окно (--max-tokens)."
        )
    batch_size = _batch_size(options, len(tapes[0]) // n_tokens)
    task = NextTokenTask(*tapes, n_tokens=n_tokens, batch_size=batch_size, seed=options.seed)
    about = [f"Обучающих токенов — {len(tapes[0])}, проверочных — {len(tapes[1])}; окно — {n_tokens}.", *corpus.notes]
    identity = corpus.identity | {"max_tokens": n_tokens}
    n_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in corpus.valid)
    return Job(task, start, identity, corpus.skipped, None, about, len(tapes[1]) - 1, n_bytes)


def _window(options: Options, start: models.Start, usual: int) -> int:
    longest = start.model.config.max_tokens
    if options.max_tokens is not None and options.max_tokens > longest:
        raise ValueError(f"--max-tokens {options.max_tokens}, а таблица позиций модели рассчитана на {longest}.")
    return options.max_tokens or min(usual, longest)


def _sizes(classes: list[str], what: str, split: Split) -> str:
    """Сколько чего; классы названы, чтобы лишний бросился в глаза."""
    named = ", ".join(classes[:SHOWN_CLASSES]) + (", …" if len(classes) > SHOWN_CLASSES else "")
    return (
        f"Классов — {len(classes)} ({named}); обучающих {what} — {len(split.train)}, проверочных — {len(split.valid)}."
    )


def _most_frequent(labels: list[int], split: Split) -> float:
    """Точность того, кто всегда называет класс, самый частый среди обучающих примеров."""
    frequent = Counter(labels[i] for i in split.train).most_common(1)[0][0]
    return sum(labels[i] == frequent for i in split.valid) / len(split.valid)


def _batch_size(options: Options, n_train: int) -> int:
    usual = DEFAULTS[options.architecture].batch_size
    return options.batch_size or min(usual, max(SMALLEST_BATCH, n_train // FEWEST_BATCHES))


def _epochs(usual: int, n_batches: int) -> int:
    return max(usual, min(MOST_EPOCHS, math.ceil(FEWEST_STEPS / n_batches)))
