"""Папка обучения: что просили, как шло, лучшая модель. Ничего не пишется наполовину и не затирается."""

import io
import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from modern_nets.checkpoints import Pretrained
from modern_nets.files import WEIGHTS
from modern_nets.finetune.data import Skip, csv_text, write_whole
from modern_nets.training.loop import CHECKPOINT, forget

Row = dict[str, float]
"""Строка таблицы проверок: имя столбца → число."""
LOCK = ".lock"
"""Файл, который держит тот, кто сейчас учит: двое в одной папке испортили бы друг другу всё."""
NOT_COMPARED = {"data"}
"""Где лежат данные, неважно: их узнают по отпечатку."""


class RunFolder:
    """Папка одного обучения.

    Args:
        path: Где она.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.expanduser(path))
        self.best = self.path / "best"
        self.lock = FileLock(self.path / LOCK)

    def check(self, *, resume: bool) -> None:
        """Проверяет, что сюда можно писать, прежде чем читать данные и модель.

        Args:
            resume: Просят ли продолжить.

        Raises:
            ValueError: папка занята или продолжать нечего.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} — файл, а нужна папка обучения. Укажите другую: --out.")
        if resume and not (self.path / "run.json").is_file():
            raise ValueError(
                f"Продолжать нечего: в {self.path} нет run.json. Проверьте --out; чтобы начать, уберите --resume и "
                "укажите новую папку."
            )
        if not resume:
            self._check_empty()

    def _check_empty(self) -> None:
        if not self.path.is_dir() or not any(path.name != LOCK for path in self.path.iterdir()):
            return
        started = (self.path / "run.json").is_file()
        raise ValueError(
            f"Папка {self.path} не пуста. Укажите другую: --out."
            + (" В ней прерванное обучение: чтобы продолжить, повторите ту же команду с --resume." if started else "")
        )

    def release(self) -> None:
        """Отдаёт папку: обучение кончилось или остановилось."""
        self.lock.release()

    def open(self, identity: Mapping[str, Any], skipped: list[Skip], *, resume: bool) -> list[Row]:
        """Начинает папку или убеждается, что она от этого же обучения.

        Args:
            identity: Что просили: по этому папку узнают.
            skipped: Пропущенные примеры.
            resume: Просят ли продолжить.

        Returns:
            Прежние строки проверок.

        Raises:
            ValueError: папка от другого обучения или в ней не хватает файлов; она не тронута.
            OSError: записать не удалось.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(
                f"В {self.path} уже идёт другое обучение. Дождитесь его или укажите другую: --out."
            ) from error
        except OSError as error:
            raise OSError(f"Папка {self.path} не создалась: {error}.") from error
        if resume:
            self._compare(identity)
            return self._rows()
        self._check_empty()
        write_whole(self.path / "run.json", _pretty(identity))
        if skipped:
            write_whole(self.path / "skipped.csv", csv_text(Skip._fields, skipped))
        return []

    def _compare(self, identity: Mapping[str, Any]) -> None:
        path = self.path / "run.json"
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(
                f"{path} не читается ({error}): неизвестно, что здесь учили. Начните в другой папке."
            ) from error
        names = [name for name in {**before, **identity} if name not in NOT_COMPARED]
        now = json.loads(_pretty(identity))
        other = [name for name in names if before.get(name) != now.get(name)]
        if other:
            told = "; ".join(
                f"{name}: было {_short(before.get(name))}, просите {_short(now.get(name))}" for name in other
            )
            raise ValueError(
                f"В {self.path} — другое обучение ({told}). Повторите прежнюю команду или укажите другую --out."
            )

    def _rows(self) -> list[Row]:
        """Строки из metrics.json: metrics.csv — для людей, его могли открыть и сохранить иначе."""
        path = self.path / "metrics.json"
        if not path.is_file() and not self.best.is_dir():
            return []
        try:
            rows = [{name: float(value) for name, value in row.items()} for row in json.loads(path.read_text("utf-8"))]
        except (OSError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"{path} не читается ({error}), а по нему узнают, какая эпоха была лучшей. Верните его или начните "
                "в другой папке; лучшая модель цела."
            ) from error
        if missing := [name for name in (WEIGHTS, "config.json") if not (self.best / name).is_file()]:
            raise ValueError(
                f"В {self.best} нет файла {missing[0]}, а лучшая эпоха уже прошла. "
                "Верните его или начните в другой папке."
            )
        return rows

    @property
    def is_started(self) -> bool:
        """Есть ли чекпоинт."""
        return (self.path / CHECKPOINT).is_file()

    @property
    def result(self) -> dict[str, Any] | None:
        """Итог законченного обучения; None, если оно не закончено.

        Raises:
            ValueError: файл с итогом не читается.
        """
        path = self.path / "result.json"
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} не читается ({error}). Обучение закончено: модель — в {self.best}.") from error

    def better(self, row: Row, rows: list[Row]) -> bool:
        """Лучше ли проверка всех прежних.

        Args:
            row: Новая строка.
            rows: Прежние.

        Returns:
            True, если лучше; из равных по точности лучше та, у которой меньше потери.
        """
        return all(self.rank(row) > self.rank(other) for other in rows)

    def rank(self, row: Row) -> tuple[float, float]:
        """По чему строки сравнивают: лучше та, у которой пара больше.

        Args:
            row: Строка.

        Returns:
            Точность (у GPT её нет — ноль) и потери со знаком минус.
        """
        return row.get("accuracy", 0.0), -row["valid_loss"]

    def record(self, rows: list[Row]) -> None:
        """Переписывает metrics.json и metrics.csv.

        Args:
            rows: Все строки.
        """
        write_whole(self.path / "metrics.json", json.dumps(rows, indent=1) + "\n")
        write_whole(
            self.path / "metrics.csv", csv_text(list(rows[-1]), [list(map(_plain, row.values())) for row in rows])
        )

    def draw(self, rows: list[Row]) -> None:
        """Рисует curves.png: потери и качество по эпохам.

        Args:
            rows: Все строки.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.6), layout="constrained")
        losses, quality = figure.subplots(1, 2)
        for name, label in (("train_loss", "обучение"), ("valid_loss", "проверка")):
            points = [(row["epoch"], row[name]) for row in rows if not math.isnan(row[name])]  # ещё не учили
            if points:
                losses.plot(*zip(*points, strict=True), marker="o", label=label)
        losses.set(xlabel="эпоха", ylabel="потери, нат")
        losses.legend()
        titles = {"accuracy": "точность на проверке", "perplexity": "перплексия на проверке"}
        metric = next(name for name in titles if name in rows[0])
        quality.plot([row["epoch"] for row in rows], [row[metric] for row in rows], marker="o", color="tab:green")
        quality.set(xlabel="эпоха", ylabel=titles[metric])
        for axes in (losses, quality):
            axes.grid(alpha=0.3)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=120)
        write_whole(self.path / "curves.png", buffer.getvalue())

    def keep(self, model: Pretrained, side: Mapping[str, bytes]) -> None:
        """Кладёт модель в best; прежняя лежит целой до последнего мгновения.

        Args:
            model: Модель.
            side: Файлы рядом с весами: имя → содержимое.

        Raises:
            OSError: записать не удалось.
        """
        draft = self.path / ".best.part"
        shutil.rmtree(draft, ignore_errors=True)  # мог остаться от убитого
        try:
            model.save_pretrained(draft)
            if self.best.is_dir():  # остальные файлы те же, а веса встают на место одним переименованием
                os.replace(draft / WEIGHTS, self.best / WEIGHTS)
            else:
                for name, content in side.items():
                    (draft / name).write_bytes(content)
                draft.rename(self.best)
        except OSError as error:
            raise OSError(
                f"Лучшая модель не записалась. {str(error).rstrip('.')}. Прежняя, если была, цела."
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Записывает итог и убирает чекпоинт: он больше не нужен.

        Args:
            result: Итог.
        """
        write_whole(self.path / "result.json", _pretty(result))
        forget(self.path)


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _pretty(data: Mapping[str, Any]) -> str:
    return json.dumps(dict(data), ensure_ascii=False, indent=1) + "\n"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
