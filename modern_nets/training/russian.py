"""Русские слова и имена из словаря pymorphy3.

Данные собрал проект OpenCorpora (opencorpora.org), лицензия CC BY-SA 3.0; пакет pymorphy3-dicts-ru — лицензия MIT.
"""

import zlib
from collections.abc import Iterator

from modern_nets.ask import KINDS, LETTERS
from modern_nets.training.measures import point_of

NAMES = dict(zip(("Surn", "Name", "Geox"), KINDS, strict=True))
# Имена собственные, сокращения и организации — не слова: по ним не угадать соседних букв.
NOT_WORDS = {"Surn", "Name", "Patr", "Geox", "Orgn", "Trad", "Abbr", "Init"}


def dictionary_entries(beginning: str = "") -> Iterator[tuple[str, str, frozenset[str]]]:
    """Проходит по словоформам словаря: всего их около пяти миллионов, это минуты две.

    Args:
        beginning: Только слова с этим началом.

    Yields:
        Словоформа, её начальная форма, признаки (граммемы). Только слова из русских букв, без дефисов.
    """
    import pymorphy3

    dictionary = pymorphy3.MorphAnalyzer().dictionary
    suffixes, prefixes, tags = dictionary.suffixes, dictionary.paradigm_prefixes, dictionary.gramtab
    alphabet = set(LETTERS)
    for word, (paradigm_id, form) in dictionary.words.iteritems(beginning):
        if not alphabet.issuperset(word):
            continue
        paradigm = dictionary.paradigms[paradigm_id]
        n_forms = len(paradigm) // 3  # подряд: хвосты форм, признаки форм, приставки форм
        prefix, suffix = prefixes[paradigm[2 * n_forms + form]], suffixes[paradigm[form]]
        stem = word[len(prefix) : len(word) - len(suffix)]
        lemma = prefixes[paradigm[2 * n_forms]] + stem + suffixes[paradigm[0]]
        yield word, lemma, tags[paradigm[n_forms + form]].grammemes


def words_and_nouns(longest: int, beginning: str = "") -> tuple[list[tuple[str, str]], list[str]]:
    """Слова для угадывания букв.

    Args:
        longest: Самое длинное слово.
        beginning: Только слова с этим началом.

    Returns:
        Словоформы с их начальными формами (начальные — все, из прочих каждая восьмая: форм одного слова
        бывает больше сотни) и отдельно существительные в именительном падеже. По алфавиту, без повторов.
    """
    words: set[tuple[str, str]] = set()
    nouns: set[str] = set()
    for word, lemma, grammemes in dictionary_entries(beginning):
        if not 3 <= len(word) <= longest or NOT_WORDS & grammemes:
            continue
        if word == lemma or zlib.crc32(word.encode()) % 8 == 0:
            words.add((word, lemma))
        if word == lemma and {"NOUN", "nomn", "sing"} <= grammemes:
            nouns.add(word)
    return sorted(words), sorted(nouns)


def names(beginning: str = "") -> dict[str, list[str]]:
    """Фамилии (мужские: женские отличаются от них лишь окончанием), имена и названия мест.

    Args:
        beginning: Только имена с этим началом, строчными буквами.

    Returns:
        Вид → имена по алфавиту, без повторов, с прописной буквы.
    """
    found: dict[str, set[str]] = {kind: set() for kind in NAMES.values()}
    for word, lemma, grammemes in dictionary_entries(beginning):
        if word == lemma and "nomn" in grammemes and len(word) >= 3 and not {"Abbr", "Init", "Infr"} & grammemes:
            for grammeme, kind in NAMES.items():
                if grammeme in grammemes:
                    found[kind].add(word.capitalize())
    return {kind: sorted(group) for kind, group in found.items()}


def is_held_out(lemma: str, percent: int = 5) -> bool:
    """Отложено ли слово для проверки: решает хеш начальной формы, поэтому все её формы — по одну сторону.

    Args:
        lemma: Начальная форма.
        percent: Сколько процентов слов отложить.

    Returns:
        True, если в обучении слова быть не должно.
    """
    return point_of(lemma) < percent / 100
