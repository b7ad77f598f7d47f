"""Собранные страницы, прочитанные как текст: ссылки, описания рисунков, вес, чужие адреса."""

import gzip
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from bs4 import BeautifulSoup

LESSONS = ("resnet", "transformer", "bert", "gpt", "vit")
LIMIT = 60 * 1024
REMOTE = re.compile(r"^(https?:)?//", re.IGNORECASE)
CDN = re.compile(r"unpkg\.com|jsdelivr|cdnjs|googleapis|gstatic|esm\.sh", re.IGNORECASE)
CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)

Documents = dict[str, BeautifulSoup]


def test_every_heading_has_an_address(documents: Documents) -> None:
    nameless = {
        name: [heading.get_text() for heading in tree.select("article :is(h2, h3, h4)") if not heading.get("id")]
        for name, tree in documents.items()
    }
    assert {name: headings for name, headings in nameless.items() if headings} == {}


def test_ids_do_not_repeat_on_a_page(documents: Documents) -> None:
    repeated = {
        name: [each for each, count in Counter(tag["id"] for tag in tree.select("[id]")).items() if count > 1]
        for name, tree in documents.items()
    }
    assert {name: ids for name, ids in repeated.items() if ids} == {}


def test_every_local_link_leads_somewhere(documents: Documents, site: Path) -> None:
    ids = {name: {tag["id"] for tag in tree.select("[id]")} for name, tree in documents.items()}
    broken = []
    for name, tree in documents.items():
        for link in tree.select("a[href]"):
            address, anchor = (unquote(part) for part in urldefrag(link["href"]))
            if re.match(r"[a-z]+:", address):
                continue
            target = (site / name).parent.joinpath(address).resolve() if address else site / name
            known = ids.get(target.relative_to(site).as_posix()) if target.is_relative_to(site) else None
            if not target.exists() or (anchor and known is not None and anchor not in known):
                broken.append(f"{name}: {link['href']}")
    assert broken == []


def test_every_contents_line_leads_to_a_heading(documents: Documents) -> None:
    for name, tree in documents.items():
        ids = {tag["id"] for tag in tree.select("article [id]")}
        lines = [unquote(link["href"].removeprefix("#")) for link in tree.select(".md-nav--secondary a.md-nav__link")]
        assert [line for line in lines if line not in ids] == [], name


def test_pictures_are_described(documents: Documents) -> None:
    silent = []
    for name, tree in documents.items():
        silent += [f"{name}: {image}" for image in tree.select("img") if not image.get("alt", "").strip()]
        for drawing in tree.select("figure svg"):
            if drawing.get("role") != "img" or not CYRILLIC.search(drawing.get("aria-label", "")):
                silent.append(f"{name}: {str(drawing)[:120]}")
    assert silent == []


def test_no_page_names_a_foreign_host(documents: Documents) -> None:
    foreign = []
    for name, tree in documents.items():
        for tag in tree.select("script, img, iframe, source, video, audio, embed, object, use, image, form, link"):
            if tag.name == "link" and set(tag.get("rel", [])) & {"canonical", "prev", "next"}:
                continue
            addresses = [tag.get(key, "") for key in ("src", "href", "srcset", "data", "action", "xlink:href")]
            foreign += [f"{name}: {address}" for address in addresses if REMOTE.match(address)]
            if tag.name == "script" and CDN.search(tag.get_text()):
                foreign.append(f"{name}: сценарий в странице называет {CDN.search(tag.get_text())[0]}")
        for style in tree.select("style, [style]"):
            text = style.get("style") or style.get_text()
            foreign += [f"{name}: {match}" for match in re.findall(r"url\(['\"]?(?:https?:)?//[^)]*", text)]
    assert foreign == []


def test_no_style_names_a_foreign_host(site: Path) -> None:
    foreign = [
        f"{path.name}: {match}"
        for path in site.rglob("*.css")
        for match in re.findall(r"(?:url\(|@import\s)\s*['\"]?(?:https?:)?//[^)\s]*", path.read_text("utf-8"))
    ]
    assert foreign == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_is_light(documents: Documents, lesson: str) -> None:
    """Вместе с меню, но без рисунков: их вес зависит от числа точек на графиках."""
    html = re.sub(r"<svg.*?</svg>", "", str(documents[f"{lesson}.html"]), flags=re.DOTALL)
    weight = len(gzip.compress(html.encode()))
    assert weight <= LIMIT, f"{lesson}: {weight / 1024:.0f} КБ"


def test_labels_are_russian(documents: Documents) -> None:
    """Подписи кнопок и меню. Имена моделей и функций остаются как есть."""
    english = []
    for name, tree in documents.items():
        assert tree.html["lang"] == "ru", name
        for tag in tree.select("button, label, input, nav, header, footer, dialog, a.headerlink, a.footnote-backref"):
            for key in ("title", "aria-label", "placeholder"):
                label = tag.get(key)
                is_code = label and label in tree.get_text()
                if label and not is_code and not CYRILLIC.search(label):
                    english.append(f"{name}: {label}")
    assert english == []


def test_reference_speaks_russian(documents: Documents) -> None:
    labels = re.compile(
        r"^(Parameters|Returns|Raises|Attributes|Name|Type|Description|Default|Bases|required)\b:?|Source code in"
    )
    english = [
        f"{name}: {tag.get_text(strip=True)}"
        for name, tree in documents.items()
        if name.startswith("reference/")
        for tag in tree.select("th, summary, .doc-section-title, .doc-class-bases, .doc-param-default")
        if labels.search(tag.get_text(strip=True))
    ]
    assert english == []
