"""Снимает все страницы собранного сайта: светлая и тёмная тема, экран компьютера и телефона.

python -m tests.browser.screenshots build/screenshots
"""

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chromium import ARGUMENTS, find_chromium

WIDTHS = (1300, 390)
SCHEMES = ("light", "dark")


def main() -> None:
    """Читает аргументы и снимает страницы."""
    parser = argparse.ArgumentParser(description="Снимки всех страниц собранного сайта.")
    parser.add_argument("pictures", type=Path, help="куда положить снимки")
    parser.add_argument("--site", type=Path, default=Path("site"), help="папка с собранным сайтом (site)")
    parser.add_argument("--only", default="*.html", help="какие страницы снять: образец имени, как в оболочке")
    arguments = parser.parse_args()

    site = arguments.site.resolve()
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        for width in WIDTHS:
            for scheme in SCHEMES:
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page = context.new_page()
                for path in sorted(site.rglob(arguments.only)):
                    name = "-".join(path.relative_to(site).with_suffix("").parts)
                    page.goto(path.as_uri())
                    page.screenshot(path=arguments.pictures / f"{name}-{width}-{scheme}.png", full_page=True)
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
