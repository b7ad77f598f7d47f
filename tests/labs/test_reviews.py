"""Отзывы лабораторной: сколько их и каких, сказано в README рядом с ними и держится на самом деле."""

import csv
import re
from collections import Counter
from importlib.resources import files

import pytest

DATA = files("modern_nets") / "data"
README = (DATA / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reviews() -> list[dict[str, str]]:
    with (DATA / "reviews.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_domains_are_balanced(reviews):
    counts = Counter((review["domain"], review["label"]) for review in reviews)
    assert len(reviews) >= 500
    assert len(counts) == 2 * 7 and set(counts.values()) == {40}


def test_traits_are_those_of_the_readme(reviews):
    counts = Counter((review["trait"], review["label"]) for review in reviews)
    rows = re.findall(r"^\| `([\w-]+)` \| .* \| (\d+) \| (\d+) \| (\d+) \|$", README, re.MULTILINE)
    assert {row[0] for row in rows} == {trait for trait, _ in counts}
    for trait, unhappy, happy, both in rows:
        assert (counts[trait, "0"], counts[trait, "1"]) == (int(unhappy), int(happy))
        assert int(unhappy) + int(happy) == int(both)


def test_lengths_are_those_of_the_readme(reviews):
    lengths = {label: [len(r["english"].split()) for r in reviews if r["label"] == label] for label in "01"}
    unhappy, happy = (f"{sum(lengths[label]) / len(lengths[label]):.1f}".replace(".", ",") for label in "01")
    shortest, longest = min(lengths["0"] + lengths["1"]), max(lengths["0"] + lengths["1"])
    said = f"от {shortest} до {longest} слов: у недовольных в среднем {unhappy}, у довольных {happy}"
    assert said in " ".join(README.split())


@pytest.mark.parametrize("language", ["english", "russian"])
def test_no_review_is_empty_or_repeated(reviews, language):
    texts = [review[language].strip() for review in reviews]
    assert all(texts) and len(set(texts)) == len(texts)


def test_openings_do_not_repeat(reviews):
    openings = Counter(review["english"].split()[0].lower() for review in reviews)
    assert max(openings.values()) <= 7
