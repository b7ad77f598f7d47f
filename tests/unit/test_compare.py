"""Классы вывода: что считается тем же самым."""

import pytest

from docs_build.compare import difference, figure_difference, value_difference
from docs_build.pages import Options

EXACT = Options()
NEAR = Options(kind="near", tolerance=0.05)
TIMED = Options(kind="timed")
SAMPLED = Options(kind="sampled")


@pytest.mark.parametrize(
    ("old", "new", "options", "same"),
    [
        ("потеря 1.00", "потеря 1.00", EXACT, True),
        ("потеря 1.00", "потеря 1.01", EXACT, False),
        ("потеря 1.00", "потеря 1.04", NEAR, True),
        ("потеря 1.00", "потеря 1.10", NEAR, False),
        ("потеря 1.00", "точность 1.00", NEAR, False),
        ("потеря 1.00", "потеря -1.00", NEAR, False),
        ("потеря 1.00 и 2", "потеря 1.00", NEAR, False),
        ("разница 2.9e-06", "разница 2.95e-06", NEAR, True),
        ("разница 2.9e-06", "разница 2.9e-05", NEAR, False),
        ("потеря nan", "потеря 1.0", NEAR, False),
        ("  9.5 мс", " 10.5 мс", TIMED, True),
        ("9.5 мс", "9.5 с", TIMED, False),
        ("conv1 3", "conv2 3", NEAR, False),
        ("иванов\nпетров", "сидоров\nбелов", SAMPLED, True),
        ("иванов\nпетров", "сидоров", SAMPLED, False),
    ],
)
def test_text(old, new, options, same):
    assert (difference(old, new, options) == "") == same


def test_figure_of_trained_numbers_is_compared_by_its_words():
    old = '<svg><text x="1">эпоха</text><text>10</text><path d="M 1 2"/></svg>'
    assert figure_difference(old, old.replace("M 1 2", "M 1 3").replace(">10<", ">12<"), NEAR) == ""
    assert figure_difference(old, old.replace("эпоха", "шаг"), NEAR)
    assert figure_difference(old, old.replace("M 1 2", "M 1 3"), EXACT)


def test_ticks_of_a_logarithmic_axis_are_numbers_too():
    tick = '<text x="1"><tspan style="font-size: 10px">10</tspan><tspan>{}</tspan></text>'
    old, new = (
        "<svg><text>шаг обучения, мс</text>" + "".join(map(tick.format, ticks)) + "</svg>" for ticks in ["12", "01"]
    )
    assert figure_difference(old, new, TIMED) == ""
    assert figure_difference(old, new.replace("мс", "с"), TIMED)


@pytest.mark.parametrize(
    ("old", "new", "options", "same"),
    [
        (1.0, 1.04, NEAR, True),
        (1.0, 1.2, NEAR, False),
        (3, 4, EXACT, False),
        (True, False, NEAR, False),
        ("а", "б", NEAR, False),
        (None, 1.0, EXACT, False),
        (5.0, 9.0, TIMED, True),
    ],
)
def test_value(old, new, options, same):
    assert (value_difference(old, new, options) == "") == same
