"""tiny-bert-ru: BERT, которая угадывает закрытые буквы русского слова, и её соперница слева направо.

Данные — словоформы словаря pymorphy3; отложены целые слова со всеми формами.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from modern_nets.ask import LETTERS, LONGEST_WORD
from modern_nets.bert import BertConfig, BertForMaskedLM
from modern_nets.embedded import at_hand
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.training.loop import History, Plan, train
from modern_nets.training.measures import share
from modern_nets.training.processes import Batch
from modern_nets.training.russian import is_held_out, words_and_nouns
from modern_nets.training.shelf import cached, save_model, save_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)
# WordPiece: буква в начале слова и она же в продолжении — разные токены.
VOCABULARY = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
FIRST, NEXT = len(SPECIAL), len(SPECIAL) + len(LETTERS)
MAX_TOKENS = 32
N_WORDS = 512
PLAN = Plan(n_steps=2000, learning_rate=2e-3, save_every=200)
BERT = BertConfig(
    vocab_size=len(VOCABULARY),
    max_tokens=MAX_TOKENS,
    d_model=128,
    n_layers=4,
    n_heads=4,
    d_mlp=512,
    dropout=0.0,
    attention_dropout=0.0,
)
LEFT = GPT2Config(
    vocab_size=len(VOCABULARY),
    max_tokens=MAX_TOKENS,
    d_model=128,
    n_layers=4,
    n_heads=4,
    dropout=0.0,
    embedding_dropout=0.0,
    attention_dropout=0.0,
)


def build(folder: Path, run_folder: Path, device: torch.device, plan: Plan) -> History:
    """Обучает tiny-bert-ru.

    Args:
        folder: Куда положить готовую модель.
        run_folder: Где держать чекпоинт и разобранный словарь.
        device: На чём учить.
        plan: Сколько и как учить.

    Returns:
        Потери и время шага.
    """
    words = TrainingWords(run_folder)
    torch.manual_seed(plan.seed)
    model = BertForMaskedLM(BERT).to(device)

    def draw(step: int) -> Batch:
        letters = words.draw()  # (B, L)
        # Закрываем одну, две или три буквы: чаще одну. Одна остаётся всегда.
        n_hidden = torch.multinomial(torch.tensor([0.5, 0.3, 0.2]), len(letters), replacement=True) + 1
        n_hidden = n_hidden.clamp(max=letters.shape[1] - 1)
        order = torch.rand(letters.shape).argsort(dim=1).argsort(dim=1)
        return letters, order < n_hidden[:, None]

    def loss_of(model: Any, letters: Tensor, hidden: Tensor) -> Tensor:
        input_ids, attention_mask = encode(letters, hidden)
        answers, _ = encode(letters, torch.zeros_like(hidden))
        logits = model(input_ids, attention_mask).logits[:, 1:-1]  # без [CLS] и [SEP]
        return F.cross_entropy(logits[hidden], answers[:, 1:-1][hidden])

    def n_answers(letters: Tensor, hidden: Tensor) -> int:
        return int(hidden.sum())

    history = train(model, draw, loss_of, plan, run_folder, count=n_answers, title="tiny-bert-ru")
    save_bert_tokenizer(folder)
    save_model(model, folder)
    return history


def build_left(folder: Path, run_folder: Path, device: torch.device, plan: Plan) -> History:
    """Обучает tiny-left-ru: сеть того же размера на тех же словах, но каждая буква — по буквам слева от неё.

    Соперница получает вопрос на каждой букве слова, а tiny-bert-ru — на одной-трёх: поблажка слабой стороне.

    Args:
        folder: Куда положить готовую модель.
        run_folder: Где держать чекпоинт и разобранный словарь.
        device: На чём учить.
        plan: Сколько и как учить.

    Returns:
        Потери и время шага.
    """
    words = TrainingWords(run_folder)
    torch.manual_seed(plan.seed)
    model = GPT2(LEFT).to(device)

    def draw(step: int) -> Batch:
        return (words.draw(),)

    def loss_of(model: Any, letters: Tensor) -> Tensor:
        input_ids, _ = encode(letters, torch.zeros_like(letters, dtype=torch.bool))
        logits = model(input_ids[:, :-1]).logits  # ответы — буквы и [SEP]: слово кончилось
        return F.cross_entropy(logits.flatten(0, 1), input_ids[:, 1:].flatten())

    history = train(model, draw, loss_of, plan, run_folder, title="tiny-left-ru")
    save_bert_tokenizer(folder)
    save_model(model, folder, bos_token_id=CLS, eos_token_id=SEP)
    return history


class TrainingWords:
    """Обучающие слова: половина пакетов — из существительных, половина — из любых словоформ.

    В пакете слова одной длины: заполнители не нужны, и шаг вдвое дешевле.

    Args:
        run_folder: Где лежит или будет лежать разобранный словарь.
    """

    def __init__(self, run_folder: Path) -> None:
        words, nouns = dictionary(run_folder)
        self.pools = [
            by_length(spell([word for word in nouns if not is_held_out(word)])),
            by_length(spell([word for word, lemma in words if not is_held_out(lemma)])),
        ]

    def draw(self) -> Tensor:
        """Случайные слова одной длины; длины встречаются так же часто, как в словаре.

        Returns:
            Номера букв от 0, форма (B, L).
        """
        pool = self.pools[int(torch.randint(2, ()))]
        sizes = torch.tensor([len(group) for group in pool], dtype=torch.float)
        group = pool[int(torch.multinomial(sizes, 1))]
        return group[torch.randint(len(group), (N_WORDS,))]


def by_length(letters: Tensor) -> list[Tensor]:
    """Раскладывает слова по длине.

    Args:
        letters: Номера букв, форма (B, L); −1 — слово кончилось.

    Returns:
        По таблице (сколько слов, длина) на каждую длину, какая встретилась.
    """
    lengths = (letters >= 0).sum(dim=1)
    return [letters[lengths == n][:, :n] for n in lengths.unique().tolist()]


def dictionary(run_folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Слова и существительные; разобранный словарь остаётся рядом с папками чекпоинтов, один на обе модели.

    Args:
        run_folder: Папка чекпоинта.

    Returns:
        Словоформы с начальными формами и существительные.
    """
    return cached(run_folder.parent / "words.json", lambda: words_and_nouns(LONGEST_WORD))


def spell(words: Sequence[str]) -> Tensor:
    """Слова → номера букв.

    Args:
        words: Слова из русских строчных букв.

    Returns:
        Номера от 0, форма (B, L); −1 — слово кончилось.
    """
    number = {letter: i for i, letter in enumerate(LETTERS)}
    rows = [torch.tensor([number[letter] for letter in word], dtype=torch.int8) for word in words]
    return pad_sequence(rows, batch_first=True, padding_value=-1)


def encode(letters: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Номера букв → токены, ровно те, что даст BertTokenizer.

    Args:
        letters: Номера букв, форма (B, L); −1 — слово кончилось.
        hidden: Какие буквы закрыты, форма (B, L).

    Returns:
        Токены и маска заполнителей, обе формы (B, L + 2).
    """
    letters = letters.long()
    # Первая в слове буква — и та, что за [MASK]: он разрывает слово.
    is_first = F.pad(hidden[:, :-1], (1, 0), value=True)
    tokens = letters + torch.where(is_first, FIRST, NEXT)
    tokens = tokens.masked_fill(hidden, MASK).masked_fill(letters < 0, PAD)
    n_letters = (letters >= 0).sum(dim=1, keepdim=True)  # (B, 1)
    input_ids = F.pad(F.pad(tokens, (1, 0), value=CLS), (0, 1), value=PAD).scatter(1, n_letters + 1, SEP)
    attention_mask = (torch.arange(input_ids.shape[1], device=letters.device) < n_letters + 2).long()
    return input_ids, attention_mask


def save_bert_tokenizer(folder: Path) -> None:
    """Пишет токенизатор, который режет слово на буквы; его читает BertTokenizer.

    Args:
        folder: Куда писать.
    """
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    # strip_accents: иначе «й» стала бы «и», а «ё» — «е».
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    save_tokenizer(
        tokenizer,
        folder,
        tokenizer_class="BertTokenizer",
        model_max_length=MAX_TOKENS,
        do_lower_case=True,
        strip_accents=False,
    )
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")


def measure(folder: Path, run_folder: Path, device: torch.device) -> dict[str, Any]:
    """Измеряет, сколько закрытых букв отложенных существительных угадывают обе сети.

    В каждом слове закрывается по очереди каждая буква. Соперница выбирает только из букв: конец слова
    не в счёт, раз известно, что буква там есть.

    Args:
        folder: Папка tiny-bert-ru; tiny-left-ru лежит рядом или под рукой.
        run_folder: Где разобранный словарь.
        device: На чём считать.

    Returns:
        Доли угаданного: обеими сетями, по месту буквы, и доля самой частой буквы.
    """
    rival = folder.with_name("tiny-left-ru")
    held_out, learned = held_out_nouns(run_folder)
    both = guessed_from_both_sides(held_out, folder, device)
    left = guessed_from_the_left(held_out, rival if rival.is_dir() else at_hand("tiny-left-ru"), device)
    letters = spell(held_out)
    real = letters >= 0
    n_right = real.flip(1).cumsum(1).flip(1) - 1  # сколько букв справа, (B, L)
    n_left = torch.arange(letters.shape[1]).expand_as(letters)
    frequent = Counter("".join(learned)).most_common(1)[0][0]

    def compare(chosen: Tensor) -> dict[str, Any]:
        n = int(chosen.sum())
        return {"both": share(int((both & chosen).sum()), n), "left": share(int((left & chosen).sum()), n)}

    one = one_letter_a_word(real)
    is_frequent = int((letters[one] == LETTERS.index(frequent)).sum())
    return {
        "nouns": len(held_out),
        "one_letter": compare(one),
        "all_letters": compare(real),
        "always": {"letter": frequent, **share(is_frequent, len(held_out))},
        "by_letters_to_the_right": {str(n): compare(real & (n_right == n)) for n in range(12)},
        "by_letters_to_the_left": {str(n): compare(real & (n_left == n)) for n in range(12)},
    }


def measure_left(folder: Path, run_folder: Path, device: torch.device) -> dict[str, Any]:
    """Измеряет, сколько букв отложенных существительных угадывает соперница.

    Args:
        folder: Папка tiny-left-ru.
        run_folder: Где разобранный словарь.
        device: На чём считать.

    Returns:
        Доля угаданных букв, по одной на слово.
    """
    held_out, _ = held_out_nouns(run_folder)
    one = one_letter_a_word(spell(held_out) >= 0)
    guessed = guessed_from_the_left(held_out, folder, device)
    return {"nouns": len(held_out), "one_letter": {"left": share(int((guessed & one).sum()), len(held_out))}}


def held_out_nouns(run_folder: Path) -> tuple[list[str], list[str]]:
    """Существительные для проверки и для обучения.

    Слово не проверяют, если так же пишется форма обучающего: «вода» — ещё и форма от «вод».

    Args:
        run_folder: Где разобранный словарь.

    Returns:
        Отложенные и обучающие.
    """
    words, nouns = dictionary(run_folder)
    seen = {word.replace("ё", "е") for word, lemma in words if not is_held_out(lemma)}
    held_out = [word for word in nouns if is_held_out(word) and word.replace("ё", "е") not in seen]
    return held_out, [word for word in nouns if not is_held_out(word)]


def one_letter_a_word(real: Tensor) -> Tensor:
    """По случайной букве на слово: буквы одного слова зависимы, и интервал по всем вышел бы слишком узким.

    Args:
        real: Где стоят буквы, форма (B, L).

    Returns:
        Какие выбраны, форма (B, L).
    """
    order = torch.rand(real.shape, generator=torch.Generator().manual_seed(0)).masked_fill(~real, -1)
    return F.one_hot(order.argmax(dim=1), real.shape[1]).bool()


def guessed_from_both_sides(words: Sequence[str], folder: Path, device: torch.device) -> Tensor:
    """Какие буквы угадывает BERT, если закрывать их по одной.

    Args:
        words: Слова.
        folder: Папка модели.
        device: На чём считать.

    Returns:
        Таблица (B, L).
    """
    model = BertForMaskedLM.from_pretrained(folder).to(device)

    def logits_of(letters: Tensor) -> Iterator[Tensor]:
        for place in range(letters.shape[1]):
            hidden = torch.zeros_like(letters, dtype=torch.bool)
            hidden[:, place] = letters[:, place] >= 0
            yield model(*encode(letters, hidden)).logits[:, place + 1]

    return _guessed(words, logits_of, device)


def guessed_from_the_left(words: Sequence[str], folder: Path, device: torch.device) -> Tensor:
    """Какие буквы угадывает модель слева направо.

    Args:
        words: Слова.
        folder: Папка модели.
        device: На чём считать.

    Returns:
        Таблица (B, L).
    """
    model = GPT2.from_pretrained(folder).to(device)

    def logits_of(letters: Tensor) -> Iterator[Tensor]:
        input_ids, _ = encode(letters, torch.zeros_like(letters, dtype=torch.bool))
        return iter(model(input_ids).logits[:, :-2].unbind(dim=1))  # над [CLS] — первая буква

    return _guessed(words, logits_of, device)


@torch.no_grad()
def _guessed(words: Sequence[str], logits_of: Callable[[Tensor], Iterator[Tensor]], device: torch.device) -> Tensor:
    """Таблица (B, L) верных ответов; logits_of даёт оценки букв, по тензору (B, V) на место."""
    tables = []
    for letters in spell(words).to(device).long().split(512):
        columns = [best_letter(logits, i) == letters[:, i] for i, logits in enumerate(logits_of(letters))]
        tables.append(torch.stack(columns, dim=1))
    return torch.cat(tables).cpu()


def best_letter(logits: Tensor, place: int) -> Tensor:
    """Самая вероятная буква: из начальных на первом месте, из продолжающих на других.

    Args:
        logits: Оценки токенов, форма (B, V).
        place: Место буквы в слове.

    Returns:
        Номера букв от 0, форма (B,).
    """
    start = FIRST if place == 0 else NEXT
    return logits[:, start : start + len(LETTERS)].argmax(dim=1)
