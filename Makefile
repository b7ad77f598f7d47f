# make serve — сайт в браузере; make test — все проверки; make site — сайт для публикации.

PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
LOCKS := -c requirements/lessons.lock -c requirements/site.lock
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
export NO_MKDOCS_2_WARNING := 1

.PHONY: serve site test lint docs-test lock screenshots clean

serve: .venv/.site ## показать сайт: http://127.0.0.1:8000
	$(BIN)/python -m mkdocs serve --livereload

site: .venv/.full ## выполнить устаревшее (EXECUTE=all — всё) и собрать сайт в site/
	$(BIN)/python -m docs_build run $(if $(filter all,$(EXECUTE)),--all)
	$(BIN)/python -m mkdocs build --strict

test: .venv/.full lint ## все проверки
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --codeblocks docs README.md tests

lint: .venv/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: .venv/.full ## закрепить установленные версии библиотек
	$(BIN)/python -m docs_build.lock

screenshots: .venv/.full ## снимки всех страниц в build/screenshots
	$(BIN)/python -m tests.browser.screenshots build/screenshots

clean:
	rm -rf .venv .cache site build

.venv/pyvenv.cfg:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "Нужен Python 3.11 или новее, а $(PYTHON) старше. Укажите другой: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.site: .venv/pyvenv.cfg requirements/site.txt requirements/site.lock
	@test -e .venv/.full || echo "Ставим то, что показывает сайт (PyTorch для этого не нужен)…"
	$(PIP) -r requirements/site.txt $(LOCKS)
	@touch $@

.venv/.full: .venv/pyvenv.cfg pyproject.toml $(wildcard requirements/*)
	@echo "Ставим всё, что выполняет и проверяет уроки (PyTorch — до 6 ГБ, минуты три)…"
	$(PIP) -e ".[lessons,train,site,test]" $(LOCKS)
	@touch .venv/.site $@
