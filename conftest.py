"""Проверки страниц идут через конвейер сайта."""

from docs_build import testing

testing.install()
