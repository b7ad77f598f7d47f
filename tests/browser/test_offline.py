"""Сайт, открытый с диска: ничего не просит у сети, помещается на экран телефона, отдаёт код целиком."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page

from tests.browser.conftest import PHONE, Visit


def test_no_page_asks_the_network_for_anything(visits: dict[str, Visit]) -> None:
    assert {name: visit.foreign for name, visit in visits.items() if visit.foreign} == {}


def test_no_page_complains_in_the_console(visits: dict[str, Visit]) -> None:
    assert {name: visit.complaints for name, visit in visits.items() if visit.complaints} == {}


def test_no_page_scrolls_sideways_on_a_phone(visits: dict[str, Visit]) -> None:
    too_wide = {
        name: (visit.width, visit.widest[:3])
        for name, visit in visits.items()
        if visit.width > PHONE["width"] or visit.widest
    }
    assert too_wide == {}


def test_copy_button_gives_the_code_itself(visits: dict[str, Visit], documents: dict[str, BeautifulSoup]) -> None:
    for name, visit in visits.items():
        blocks = documents[name].select("article .highlight:not(.output) pre > code")
        assert len(visit.copied) == len(blocks), name
        for block, copied in zip(blocks, visit.copied, strict=True):
            if "language-console" in block.find_parent(class_="highlight").get("class"):
                # Из примера для терминала копируются одни команды, без «$» и без ответов; у длинных — все строки.
                commands: list[str] = []
                for line in block.get_text().splitlines():
                    if line.startswith("$ ") or (commands and commands[-1].endswith("\\")):
                        commands.append(line.removeprefix("$ "))
                assert commands, name
                assert [line for line in copied.splitlines() if line] == commands, name
            else:
                assert copied == block.get_text().rstrip(), name


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("тензоры", "тензор"),
        ("тензорами", "тензор"),
        ("внимания", "вниман"),
        ("ещё", "еще"),
        ("еще", "еще"),
        ("nn.Linear", "linear"),
        ("MultiHeadAttention", "multiheadattention"),
        ("layernorm", "layernorm"),
        ("softmax", "softmax"),
        ("перплексия", "перплекс"),
        ("свёртка", "свертк"),
        ("свертками", "свертк"),
        ("остаточная связь", "остаточн"),
        ('"остаточная связь"', "связь"),
        ("перпл", "перпл"),
    ],
)
def test_search_finds_word_forms_and_names(search_page: Page, query: str, found: str) -> None:
    search(search_page, query)
    marks = search_page.locator(".md-search-result__link mark").all_text_contents()
    assert any(mark.lower().replace("ё", "е").startswith(found) for mark in marks), marks


def test_search_result_opens_the_page(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    search(page, "тензорами")
    # Первая строка ведёт на страницу целиком, следующие — на место в ней.
    page.locator(".md-search-result__link[href*='h=%']").first.click()
    page.wait_for_url("**/*h=*")
    page.locator("article mark[data-md-highlight]").first.wait_for(state="attached", timeout=10_000)


@pytest.fixture(scope="module")
def search_page(browser: Browser, site: Path) -> Iterator[Page]:
    """Одна вкладка на все запросы: указатель строится при первом."""
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    yield page
    page.close()


def search(page: Page, query: str) -> None:
    """Набирает запрос и ждёт ответа."""
    box = page.locator("[data-md-component=search-query]")
    results = page.locator(".md-search-result__link")
    for text in ("", query):
        box.fill(text)
        box.press("End")  # поиск слушает клавиши, а fill их не нажимает
        results.first.wait_for(state="attached" if text else "detached", timeout=10_000)


# Что красит тема: элементы и свойство, в котором лежит краска.
THEMED = [
    ("body", "backgroundColor"),
    ("article h1", "color"),
    ("figure [class*=tint-]", "fill"),
    ("figure [class*=ink-]", "fill"),
    ("figure [class*=line-]", "stroke"),
    ("figure.plot [style*='fill: var(--plot']", "fill"),
    ("figure.plot [style*='stroke: var(--plot']", "stroke"),
]


def colours(page: Page) -> list[tuple[str, str]]:
    """Цвета всего, что красит тема: образец элемента и его вычисленный цвет."""
    read = "(elements, name) => elements.map(element => getComputedStyle(element)[name])"
    return [
        (selector, colour)
        for selector, name in THEMED
        for colour in page.locator(selector).evaluate_all(read, name)
        if colour != "none"
    ]


def test_theme_switch_repaints_page_drawings_and_plots(
    page: Page, site: Path, documents: dict[str, BeautifulSoup]
) -> None:
    name = next(
        name for name, tree in documents.items() if tree.select_one("figure.drawing") and tree.select_one("figure.plot")
    )
    page.goto((site / name).as_uri())
    light = colours(page)
    assert len({selector for selector, _ in light}) >= 5, f"на странице {name} почти нет красок темы"

    page.get_by_title("Включить тёмную тему").click()
    dark = colours(page)
    assert [before for before, after in zip(light, dark, strict=True) if before == after] == []

    page.reload()
    assert colours(page) == dark, "выбор темы забыт"
    page.get_by_title("Включить светлую тему").click()
    assert colours(page) == light


def test_theme_follows_the_system(browser: Browser, site: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto((site / "index.html").as_uri())
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
    page.close()


@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_theme_text_has_contrast(page: Page, site: Path, scheme: str) -> None:
    """Надписи на подложках и цветные надписи читаются: контраст не ниже 4,5 : 1 (WCAG AA)."""
    page.goto((site / "index.html").as_uri())
    page.evaluate("scheme => document.body.setAttribute('data-md-color-scheme', scheme)", scheme)
    palette = page.evaluate(PALETTE)
    page_colour, text = palette.pop("page"), palette.pop("text")
    ratios = {
        name: round(contrast(text, colour) if name.startswith("tint") else contrast(colour, page_colour), 2)
        for name, colour in palette.items()
    }
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


PALETTE = """
() => {
  const probe = document.body.appendChild(document.createElement("i"))
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })
  const ground = getComputedStyle(document.body).backgroundColor
  const rgb = colour => {
    for (const layer of [ground, colour]) {
      canvas.fillStyle = layer
      canvas.fillRect(0, 0, 1, 1)
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
  }
  const names = [0, 1, 2, 3, 4].flatMap(n => [`tint-${n}`, `line-${n}`])
  const palette = { page: rgb(ground), text: rgb(getComputedStyle(document.querySelector("article")).color) }
  for (const name of names) {
    probe.style.color = `var(--${name})`
    palette[name] = rgb(getComputedStyle(probe).color)
  }
  return palette
}
"""


def contrast(first: list[int], second: list[int]) -> float:
    """Контраст двух цветов по формуле WCAG 2."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def luminance(rgb: list[int]) -> float:
    """Относительная яркость цвета."""
    channels = [value / 255 for value in rgb]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_question_is_answered_from_the_keyboard(page: Page, site: Path) -> None:
    """Вариант раскрывается клавишей, объясняет себя и до этого не выдаёт, верен ли он."""
    page.goto((site / "comparison.html").as_uri())
    right, wrong = page.locator(".quiz details.yes").first, page.locator(".quiz details.no").first
    look = """element => {
        const style = getComputedStyle(element.querySelector("summary"), "::before");
        return [style.backgroundColor, style.borderColor, style.borderWidth, style.maskImage].join();
    }"""
    assert right.evaluate(look) == wrong.evaluate(look)
    assert not right.get_by_text("Верно.").is_visible()
    right.locator("summary").focus()
    page.keyboard.press("Enter")
    assert right.get_by_text("Верно.").is_visible()
    assert right.evaluate(look) != wrong.evaluate(look)


def test_chooser_answers_by_input_and_output(page: Page, site: Path) -> None:
    page.goto((site / "comparison.html").as_uri())
    page.get_by_text("Текст", exact=True).click()
    page.get_by_text("Новый текст", exact=True).first.click()
    assert page.get_by_text("её учили продолжать").is_visible()
    assert not page.get_by_text("Предобученная ResNet-18 или ResNet-50").is_visible()
