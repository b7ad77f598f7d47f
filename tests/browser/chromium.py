"""Chromium для проверок сайта: где он и с какими ключами его запускать."""

import shutil

# Без этих ключей Chromium при запуске сам ходит в сеть.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """Путь к Chromium или None, если его нет."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
