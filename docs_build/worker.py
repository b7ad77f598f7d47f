"""Рабочий процесс страницы: выполняет её блоки по порядку.

Каждый файл фрагментов начинает с чистого места, как программа, которую читатель скачал и запустил: имён из
других файлов он не видит, случайные числа у него с начала, `__name__ == "__main__"`, классы живут в модуле
`__main__`, строки в сообщениях об ошибках — строки файла. Сети у блоков нет.

Здесь только то, от чего зависит сам вывод: этот файл входит в ключ каждой записи.
"""

import io
import os
import sys
import tempfile
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

PYTORCH_SEED = 67280421310721  # с ним начинает случайные числа всякая программа с PyTorch

PRELOADED = ["torch", "torchvision", "transformers.modeling_utils", "matplotlib.pyplot", "docs_build.worker"]

# Один поток: с двумя последние цифры другие. Модели по официальным именам берутся из местного хранилища.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "MPLBACKEND": "agg",
    "TQDM_DISABLE": "1",
}


@dataclass(frozen=True)
class Job:
    """Один блок: код и место, откуда он взят."""

    code: str
    filename: str
    first_line: int
    figure_salt: str
    quotes: tuple[str, ...] = ()


@dataclass
class Result:
    """Что вышло: вывод, рисунки, значения для цитат, прочитанные файлы — или ошибка."""

    stdout: str = ""
    stderr: str = ""
    figures: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    error: str = ""
    error_line: int = 0
    error_traceback: str = ""


def serve(connection: Connection, root: str, environment: dict[str, str]) -> None:
    """Выполняет задания из соединения, пока не придёт None."""
    os.environ.update(environment)
    files = watch_files(root)
    forbid_network()
    figures = catch_figures()
    sys.path.insert(0, root)
    programs: dict[str, types.ModuleType] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        while (job := connection.recv()) is not None:
            if job.filename not in programs:
                programs[job.filename] = new_program(job.filename)
            sys.modules["__main__"] = programs[job.filename]
            result = run_job(job, programs[job.filename], figures)
            result.modules = sorted(imported_sources(root))
            result.files = sorted(files)
            connection.send(result)
        os.chdir(root)


def new_program(filename: str) -> types.ModuleType:
    """Пустой модуль `__main__` нового файла; PyTorch, если он загружен, начинает случайные числа сначала."""
    module = types.ModuleType("__main__")
    module.__file__ = filename  # у программы есть файл: по нему inspect находит исходный текст классов
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(PYTORCH_SEED)
    return module


def run_job(job: Job, module: types.ModuleType, figures: Callable[[str], list[str]]) -> Result:
    """Выполняет один блок."""
    result = Result()
    with Capture() as captured:
        try:
            # Пустые строки впереди: номера строк в сообщениях — номера строк файла фрагмента.
            padded = "\n" * (job.first_line - 1) + job.code
            exec(compile(padded, job.filename, "exec"), module.__dict__)
            result.figures = figures(job.figure_salt)
        except BaseException as error:
            result.error = "".join(traceback.format_exception_only(error)).strip()
            result.error_line = failing_line(error, job)
            result.error_traceback = "".join(
                traceback.format_exception(type(error), error, skip_own_frames(error.__traceback__))
            )
            return result
    result.stdout, result.stderr = captured.stdout, captured.stderr
    result.values = {name: module.__dict__.get(name) for name in job.quotes}
    for name, value in result.values.items():
        if not isinstance(value, (bool, int, float, str)):
            kind = type(value).__name__ if name in module.__dict__ else "ничего: такого имени нет"
            result.error = f"цитировать можно int, float, str и bool, а в «{name}» лежит {kind}"
            result.error_line = job.first_line
            result.values = {}
            break
    return result


class Capture:
    """Ловит всё, что пишут в стандартный вывод и поток ошибок, — и Python, и код на C."""

    def __enter__(self) -> "Capture":
        self._files = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
        self._saved = [os.dup(1), os.dup(2)]
        self._flush()
        for descriptor, file in zip((1, 2), self._files, strict=True):
            os.dup2(file.fileno(), descriptor)
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        texts = []
        for descriptor, file, saved in zip((1, 2), self._files, self._saved, strict=True):
            os.dup2(saved, descriptor)
            os.close(saved)
            file.seek(0)
            texts.append(file.read().decode("utf-8", errors="replace"))
            file.close()
        self.stdout, self.stderr = texts

    @staticmethod
    def _flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.flush()
                stream.reconfigure(encoding="utf-8")


def failing_line(error: BaseException, job: Job) -> int:
    """Последняя строка самого фрагмента, через которую прошла ошибка."""
    if isinstance(error, SyntaxError) and error.filename == job.filename:
        return error.lineno or job.first_line
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == job.filename and frame.lineno is not None
    ]
    return lines[-1] if lines else job.first_line


def skip_own_frames(trace: types.TracebackType | None) -> types.TracebackType | None:
    """Отбрасывает кадры самого рабочего процесса."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def catch_figures() -> Callable[[str], list[str]]:
    """Подменяет `plt.show()`: рисунки становятся SVG, байты которых зависят только от содержания."""
    import matplotlib
    import matplotlib.pyplot as plt

    shown: list[Any] = []

    def show(*_: object, **__: object) -> None:
        for number in plt.get_fignums():
            shown.append(plt.figure(number))
        plt.close("all")

    def collect(salt: str) -> list[str]:
        texts = []
        for number, figure in enumerate(shown, start=1):
            buffer = io.StringIO()
            with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{salt}-{number}"}):
                figure.savefig(
                    buffer,
                    format="svg",
                    transparent=True,
                    bbox_inches="tight",
                    metadata={"Date": None, "Creator": None},
                )
            texts.append(buffer.getvalue())
        shown.clear()
        return texts

    plt.show = show
    return collect


def watch_files(root: str) -> set[str]:
    """Запоминает, какие файлы данных из проекта прочитаны: от них зависит вывод."""
    seen: set[str] = set()
    package = os.path.join(root, "modern_nets") + os.sep

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            path = os.path.abspath(arguments[0])
            if path.startswith(package) and not path.endswith((".py", ".pyc")):
                seen.add(os.path.relpath(path, root).replace(os.sep, "/"))

    sys.addaudithook(hook)
    return seen


def imported_sources(root: str) -> set[str]:
    """Файлы modern_nets, которые страница загрузила."""
    package = os.path.join(root, "modern_nets") + os.sep
    sources = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {os.path.relpath(file, root).replace(os.sep, "/") for file in sources if file and file.startswith(package)}


def forbid_network() -> None:
    """Блок, которому нужна сеть, должен упасть и здесь, а не только у читателя без сети."""
    local = ("localhost", "127.", "::1", "0.0.0.0")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        host = None
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        if isinstance(host, str) and host and not host.startswith(local):
            raise ConnectionError(f"блок обратился к сети: {host}")

    sys.addaudithook(hook)
