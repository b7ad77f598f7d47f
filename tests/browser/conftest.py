"""Браузер, который открывает собранный сайт с диска."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, find_chromium

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Один Chromium на все проверки."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("Chromium не найден: поставьте пакет chromium, чтобы проверить сайт в браузере")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Новая вкладка без памяти о прошлых проверках, широкий экран, светлая тема."""
    context = browser.new_context(viewport={"width": 1300, "height": 900}, color_scheme="light")
    yield context.new_page()
    context.close()


@dataclass
class Visit:
    """Что браузер заметил, открыв страницу с диска на экране телефона."""

    width: int
    widest: list[str]
    copied: list[str]
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def visits(browser: Browser, site: Path, documents: dict[str, BeautifulSoup]) -> dict[str, Visit]:
    """Каждая страница, открытая по одному разу."""
    return {name: visit(browser, site / name) for name in documents}


def visit(browser: Browser, path: Path) -> Visit:
    """Открывает страницу, раскрывает всё свёрнутое и нажимает все кнопки «Скопировать код»."""
    foreign: list[str] = []
    complaints: list[str] = []
    context = browser.new_context(viewport=PHONE)
    context.on("request", lambda request: None if is_local(request.url) else foreign.append(request.url))
    context.on("requestfailed", lambda request: complaints.append(f"не загрузилось: {request.url}"))
    page = context.new_page()
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    page.evaluate("document.querySelectorAll('article pre > code').forEach(code => code.scrollIntoView())")
    page.wait_for_timeout(300)
    seen = Visit(
        width=page.evaluate("document.documentElement.scrollWidth"),
        widest=page.evaluate(WIDEST),
        copied=page.evaluate(COPY_ALL),
        foreign=foreign,
        complaints=complaints,
    )
    context.close()
    return seen


def is_local(url: str) -> bool:
    """Адрес, за которым не надо идти в сеть."""
    return url.startswith(("file:", "data:", "blob:", "about:"))


# Элементы, вылезшие за край экрана сами, а не внутри того, что прокручивается.
WIDEST = """
() => [...document.querySelectorAll("article *")]
  .filter(element => {
    if (element.getBoundingClientRect().right <= innerWidth + 1) return false
    for (let box = element.parentElement; box; box = box.parentElement)
      if (box !== document.body && getComputedStyle(box).overflowX !== "visible") return false
    return true
  })
  .map(element => element.outerHTML.slice(0, 120))
"""

# Текст, который попадает в буфер обмена при нажатии каждой кнопки.
COPY_ALL = """
() => {
  const copied = []
  document.addEventListener("copy", event => copied.push(event.target.value), { capture: true })
  for (const button of document.querySelectorAll("article .highlight:not(.output) [data-md-type=copy]"))
    button.click()
  return copied
}
"""
