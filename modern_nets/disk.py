"""Запись файлов целиком или никак: прерванная не портит прежнего."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Даёт черновик рядом с файлом; записанный целиком, он встаёт на место файла одним переименованием.

    Прежний файл цел, что бы ни случилось: ошибка, остановка, выключение.

    Args:
        path: Файл.

    Yields:
        Черновик; пишет его тот, кто просил.

    Raises:
        OSError: черновик не записать на диск или не поставить на место.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        yield draft
        flush(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Ждёт, пока файл ляжет на диск: иначе после выключения вместо него может оказаться пустой.

    Args:
        path: Записанный файл.

    Raises:
        OSError: диск отказал.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())
