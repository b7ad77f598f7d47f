"""Соперники и меры: n-граммы, интервалы, деление данных на обучающие и отложенные."""

import itertools

import pytest
import torch

from modern_nets.training import code, letters, names, python_source, russian
from modern_nets.training.measures import ratio, seeds, share
from modern_nets.training.ngrams import NGrams


def test_ngram_probabilities_sum_to_one() -> None:
    torch.manual_seed(0)
    text = torch.randint(4, (200,))
    model = NGrams(text.unfold(0, 3, 1), 5)  # символа 4 в тексте нет
    for context in itertools.product(range(5), repeat=2):
        windows = torch.tensor([[*context, symbol] for symbol in range(5)])
        chances = model.probabilities(windows)
        assert chances.sum().item() == pytest.approx(1)
        assert (chances > 0).all(), "символ, которого не было, получил вероятность 0"


def test_bigram_by_hand() -> None:
    """Пары ab, ab, ac, ba. Вычет: (сколько пар по разу) / (по разу + 2 · по два) = 2 / (2 + 2) = 1/2.

    После a: две b и одна c, разных продолжений два. P(b | a) = (2 − 1/2) / 3 + (1/2 · 2 / 3) · P(b).
    Низший порядок считает разных левых соседей: у a, b, c по одному, вычет у него 3/3 = 1,
    и P(b) = (1 − 1) / 3 + (1 · 3 / 3) · 1/3 = 1/3.
    """
    model = NGrams(torch.tensor([[0, 1], [0, 1], [0, 2], [1, 0]]), 3)
    chances = model.probabilities(torch.tensor([[0, 1], [0, 2], [0, 0], [2, 1]]))
    expected = [1.5 / 3 + 1 / 3 / 3, 0.5 / 3 + 1 / 3 / 3, 1 / 3 / 3, 1 / 3]
    assert chances.tolist() == pytest.approx(expected)


def test_ngrams_refuse_symbols_out_of_bounds() -> None:
    with pytest.raises(ValueError, match="от 0 до 2"):
        NGrams(torch.tensor([[0, 3]]), 3)
    with pytest.raises(ValueError, match="не помещаются в 64 бита"):
        NGrams(torch.zeros(5, 9, dtype=torch.long), 256)
    with pytest.raises(ValueError, match="окна из 2 номеров от 0 до 2"):
        NGrams(torch.tensor([[0, 1]]), 3).probabilities(torch.tensor([[0, 7]]))
    with pytest.raises(ValueError, match="окна формы"):
        NGrams(torch.zeros(0, 3, dtype=torch.long), 3)


def test_share_and_its_interval() -> None:
    measured = share(42, 100)
    assert measured["value"] == 0.42
    # Границы Уилсона для 42 из 100 (Newcombe, 1998, способ 3).
    assert (measured["low"], measured["high"]) == (0.328, 0.5179)
    assert share(0, 10)["low"] == pytest.approx(0, abs=1e-4)
    assert share(0, 10)["high"] > 0.2
    with pytest.raises(ValueError, match="хотя бы один"):
        share(0, 0)


def test_ratio_weighs_pieces_by_size() -> None:
    measured = ratio(torch.tensor([10.0, 40.0]), torch.tensor([10, 20]))
    assert measured["value"] == round(50 / 30, 4)
    assert measured["low"] < measured["value"] < measured["high"]
    assert seeds([0.9, 1.0]) == {"value": 0.95, "low": 0.9, "high": 1.0, "runs": [0.9, 1.0]}


def test_all_forms_of_a_word_are_on_one_side() -> None:
    forms: dict[str, set[bool]] = {}
    for word, lemma, _ in russian.dictionary_entries("лес"):
        forms.setdefault(lemma, set()).add(russian.is_held_out(lemma))
        assert word.startswith("лес")
    assert len(forms) > 100
    assert all(len(sides) == 1 for sides in forms.values())
    held_out = sum(True in sides for sides in forms.values())
    assert 0.01 < held_out / len(forms) < 0.12


def test_names_are_split_in_three_parts() -> None:
    parts = [names.part(f"Имя{i}") for i in range(4000)]
    assert {part: round(parts.count(part) / 4000, 1) for part in set(parts)} == {
        "обучение": 0.9,
        "выбор": pytest.approx(0.05, abs=0.06),
        "проверка": pytest.approx(0.05, abs=0.06),
    }
    groups = {"фамилия": ["Белов", "Орлов"], "место": ["Орлов"]}
    chosen = [names.select(groups, part) for part in ("обучение", "выбор", "проверка")]
    assert sorted(itertools.chain(*chosen)) == sorted([("фамилия", "Белов"), ("фамилия", "Орлов"), ("место", "Орлов")])


def test_held_out_modules_are_whole_packages() -> None:
    learned, held_out = code.split()
    tops = [{path.split("/")[0] for path in part} for part in (learned, held_out)]
    assert tops[0].isdisjoint(tops[1])
    assert len(held_out) > 20
    assert "argparse.py" in learned
    assert not any("test" in path.split("/")[:-1] for path in python_source.standard_library())


def test_training_tokens_are_those_of_the_tokenizer(tmp_path) -> None:
    """Сеть учили на токенах, которые читателю даст BertTokenizer."""
    from transformers import BertTokenizer

    letters.save_bert_tokenizer(tmp_path)
    tokenizer = BertTokenizer.from_pretrained(tmp_path)
    for text in "мол[MASK]ко", "[MASK]жик", "ё[MASK][MASK]ж", "йод", "чаща":
        plain = text.replace("[MASK]", "_")
        spelled = letters.spell([plain.replace("_", "а")])
        hidden = torch.tensor([[letter == "_" for letter in plain]])
        input_ids, attention_mask = letters.encode(spelled, hidden)
        expected = tokenizer(text)
        assert input_ids[0].tolist() == expected.input_ids, text
        assert attention_mask[0].tolist() == expected.attention_mask


def test_words_of_different_length_are_padded() -> None:
    spelled = letters.spell(["кот", "ёж"])
    input_ids, attention_mask = letters.encode(spelled, torch.zeros_like(spelled, dtype=torch.bool))
    assert input_ids[1, 3].item() == letters.SEP
    assert input_ids[1, 4].item() == letters.PAD
    assert attention_mask[1].tolist() == [1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("def f():\n    return 1\n\nx = 2\n", "def f():\n    return 1\n\n"),
        ("def f():\n    return (1\n", "def f():\n    return (1\n"),
        ("def f():\n    return 1\n    if x and", "def f():\n    return 1\n"),
    ],
)
def test_function_is_cut_before_the_next_statement(text: str, kept: str) -> None:
    assert code.whole_function(text, "def f():") == kept


def test_empty_continuation_is_not_python() -> None:
    assert not code.is_python(code.whole_function("def f():\n", "def f():"))
    assert code.is_python("def f():\n    pass\n")


def test_copied_windows() -> None:
    training = "0123456789" * 3 + "abcdefghij"
    measured = code.copied_windows(["0123456789", "abcdefghiX", "abc"], training, size=10)
    assert (measured["value"], measured["n"]) == (0.5, 2)
