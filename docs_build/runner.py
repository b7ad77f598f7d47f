"""Выполнение страниц: по рабочему процессу на страницу, несколько страниц сразу."""

import ast
import datetime
import hashlib
import multiprocessing
import os
import pickle
import platform
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import forkserver
from types import TracebackType
from typing import Any

from docs_build import figures, worker
from docs_build.pages import Block, Page
from docs_build.project import HUB_CACHE, ROOT, DocsError
from docs_build.records import Output, Record, check_expectations, page_key

# Markdown такие знаки съест или заменит, и страница покажет не то, что вывел блок.
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
LONGEST_OUTPUT = 20_000  # знаков


@dataclass
class Executed:
    """Вывод блока вместе с самими рисунками."""

    text: str
    figures: list[str]
    values: dict[str, bool | int | float | str]


class PageRun:
    """Рабочий процесс одной страницы; блоки выполняются по порядку."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.depends: set[str] = set()
        self.values: dict[str, bool | int | float | str] = {}
        context = worker_context()
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=worker.serve, args=(theirs, str(ROOT), environment()))
        self._process.start()
        theirs.close()

    def __enter__(self) -> "PageRun":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Завершает рабочий процесс."""
        try:
            self._connection.send(None)
            self._process.join(5)
        except (OSError, ValueError):
            pass
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()

    def run(self, block: Block) -> Executed:
        """Выполняет блок и проверяет его обещания.

        Raises:
            DocsError: блок упал, написал в поток ошибок, не напечатал обещанного или работал слишком долго.
        """
        if block.options.official:
            ensure_hub_cache()
        salt = f"{block.page}.{block.number}"
        job = worker.Job(block.code, str(block.source), block.first_line, salt, block.options.quotes)
        result = self._ask(job, block)
        if result.error:
            place = block.place.rsplit(":", 1)[0] + f":{result.error_line}" + (")" if "(" in block.place else "")
            raise DocsError(place, f"блок упал: {result.error}\n{result.error_traceback}".rstrip())
        self.values |= result.values
        check_promises(block, result)
        check_expectations(block, self.values)
        self.depends.update(result.modules, result.files)
        pictures = [figures.normalise(svg, f"{salt}-{i}") for i, svg in enumerate(result.figures, start=1)]
        return Executed(result.stdout.rstrip("\n"), pictures, result.values)

    def _ask(self, job: worker.Job, block: Block) -> worker.Result:
        try:
            self._connection.send(job)
            if not self._connection.poll(block.options.limit):
                self._process.kill()
                raise DocsError(
                    block.place,
                    f"блок работает дольше {block.options.limit:g} с. "
                    "Ускорьте его или поднимите предел строкой «# docs: limit N».",
                )
            answer: worker.Result = self._connection.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            raise DocsError(block.place, f"процесс страницы завершился сам, код {self._process.exitcode}.") from None
        except (AttributeError, ImportError, pickle.UnpicklingError):
            raise DocsError(
                block.place, "цитировать можно int, float, str и bool, а не значения классов самой страницы."
            ) from None
        return answer


def check_promises(block: Block, result: worker.Result) -> None:
    """Блок обязан молчать в поток ошибок, показать обещанное так, чтобы это читалось, и описать каждый рисунок."""
    if result.stderr.strip():
        raise DocsError(block.place, f"блок написал в поток ошибок:\n{result.stderr.strip()}")
    if control := CONTROL.search(result.stdout):
        raise DocsError(
            block.place, f"в выводе управляющий знак {control[0]!r}: печатайте простой текст, без цвета и табуляции."
        )
    if len(result.stdout) > LONGEST_OUTPUT:
        raise DocsError(block.place, f"блок напечатал знаков: {len(result.stdout)}, а можно {LONGEST_OUTPUT}.")
    for name, value in result.values.items():
        # nan не сравнить с записью, а бесконечность и очень большое число не показать.
        if isinstance(value, (int, float)) and not abs(value) < 1e300:
            raise DocsError(
                block.place, f"значение «{name}» — nan, бесконечность или слишком большое: цитировать его нельзя."
            )
    called = called_at_top(block.code)
    if "print" in called and not result.stdout.strip():
        raise DocsError(block.place, "блок вызывает print, но ничего не напечатал.")
    if "show" in called and not result.figures:
        raise DocsError(block.place, "блок вызывает plt.show(), но рисунка нет.")
    if len(result.figures) != len(block.options.alts):
        raise DocsError(
            block.place,
            f"рисунков — {len(result.figures)}, описаний — {len(block.options.alts)}: "
            "на каждый рисунок нужна строка «# docs: alt …».",
        )


def called_at_top(code: str) -> set[str]:
    """Имена функций, которые блок вызывает сам, а не внутри определений."""
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            return
        if isinstance(node, ast.Call):
            function = node.func
            names.add(function.id if isinstance(function, ast.Name) else getattr(function, "attr", ""))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(code))
    return names


def execute_page(page: Page) -> tuple[Record, dict[str, str]]:
    """Выполняет страницу с начала и возвращает запись и тексты рисунков."""
    outputs: list[Output] = []
    values: dict[str, object] = {}
    pictures: dict[str, str] = {}
    with PageRun(page.name) as run:
        for block in page.blocks:
            executed = run.run(block)
            names = [f"{page.name}.{block.number}-{i}.svg" for i, _ in enumerate(executed.figures, start=1)]
            pictures |= dict(zip(names, executed.figures, strict=True))
            outputs.append(Output(block.reference, executed.text, names))
            values |= executed.values
    depends = sorted(run.depends)
    digests = {name: digest_of(text) for name, text in pictures.items()}
    timed = any(block.options.kind == "timed" for block in page.blocks)
    taken = f"{machine()}, {today()}" if timed else ""
    return Record(page.name, page_key(page.blocks, depends), depends, outputs, values, digests, taken), pictures


def execute_pages(
    pages: Iterable[Page],
    done: Callable[[Page, Record, dict[str, str]], None],
    say: Callable[[str], None] = print,
) -> list[DocsError]:
    """Выполняет страницы параллельно; о каждой готовой сообщает `done`, ошибки возвращает."""
    waiting = list(pages)
    if not waiting:
        return []
    if any(block.options.official for page in waiting for block in page.blocks):
        ensure_hub_cache()
    errors = []
    jobs = min(os.cpu_count() or 1, len(waiting))
    say(f"Выполняем страницы: {len(waiting)}, одновременно — {jobs}")
    with ThreadPoolExecutor(jobs) as pool, stopping_at_once(pool):
        started = {pool.submit(_timed, page): page for page in sorted(waiting, key=lambda page: -len(page.blocks))}
        for number, future in enumerate(as_completed(started), start=1):
            page = started[future]
            left = len(waiting) - number
            try:
                (record, pictures), seconds = future.result()
                done(page, record, pictures)
            except DocsError as error:
                errors.append(error)
                say(f"  {page.name}: ошибка, осталось {left}")
                continue
            say(f"  {page.name}: {seconds:.1f} с, осталось {left}")
    return errors


@contextmanager
def stopping_at_once(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Прерванное (Ctrl-C) не ждёт страниц: их процессы завершаются, остальные не начинаются."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.kill()
        raise


def _timed(page: Page) -> tuple[tuple[Record, dict[str, str]], float]:
    start = time.perf_counter()
    return execute_page(page), time.perf_counter() - start


_starting = threading.Lock()


def worker_context() -> Any:
    """Где можно, процессы страниц отделяются от сервера, который уже загрузил PyTorch и transformers."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(worker.PRELOADED)
    with _starting:
        # Сервер наследует окружение: число потоков PyTorch читает один раз, при загрузке.
        before = dict(os.environ)
        os.environ.update(environment())
        try:
            forkserver.ensure_running()
        finally:
            os.environ.clear()
            os.environ.update(before)
    return context


@lru_cache(maxsize=1)
def ensure_hub_cache() -> None:
    """Раз за запуск проверяет заместителей официальных моделей и создаёт недостающих.

    Raises:
        DocsError: создать их нельзя, например нет места на диске.
    """
    from docs_build import hub_cache  # нужен numpy, а там, где сайт только показывают, его нет

    try:
        hub_cache.ensure(HUB_CACHE)
    except hub_cache.HubCacheError as error:
        raise DocsError("заместители официальных моделей", str(error)) from None


def environment() -> dict[str, str]:
    """Переменные окружения рабочих процессов."""
    return {**worker.ENVIRONMENT, "HF_HOME": str(HUB_CACHE)}


def digest_of(text: str) -> str:
    """sha256 текста рисунка, каким он ляжет на диск."""
    return hashlib.sha256(text.encode()).hexdigest()


def today() -> str:
    """Сегодняшняя дата по-русски."""
    return datetime.date.today().strftime("%d.%m.%Y")


def machine() -> str:
    """Процессор, на котором сняты времена."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, один поток"
