"""Дообучение целиком: данные, модель, цикл, проверка после каждой эпохи, итог."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from modern_nets.finetune import models
from modern_nets.finetune.data import SHOWN_SKIPS
from modern_nets.finetune.folder import Row, RunFolder
from modern_nets.finetune.jobs import Job, prepare
from modern_nets.finetune.options import Options
from modern_nets.training.loop import Plan, diverged, schedule, train
from modern_nets.training.measures import decimal, percent, share
from modern_nets.training.processes import accelerator_for, find_device, from_main


def finetune(options: Options) -> dict[str, Any]:
    """Дообучает модель и оставляет папку обучения.

    Args:
        options: Просьба.

    Returns:
        Итог, он же в result.json.

    Raises:
        ValueError, OSError: данные, модель, папка или устройство не подходят; сообщение говорит, что делать.
    """
    accelerator = accelerator_for(find_device(options.device), options.precision)

    folder = RunFolder(options.out)
    from_main(lambda: folder.check(resume=options.resume), accelerator)
    _check_places(options, folder)
    job = prepare(options, accelerator)
    _same_data(job, accelerator)
    try:
        return _finetune(options, job, folder, accelerator)
    finally:
        folder.release()


def _finetune(options: Options, job: Job, folder: RunFolder, accelerator: Accelerator) -> dict[str, Any]:
    """То же, когда данные и модель уже прочитаны."""
    say = _speaker(accelerator)
    plan = _plan(job)
    rows: list[Row] = from_main(lambda: folder.open(job.identity, job.skipped, resume=options.resume), accelerator)
    _tell(say, options, job, plan, accelerator)
    done = from_main(lambda: folder.result, accelerator)
    if done is not None:
        say("Это обучение уже закончено.")
        _summary(say, job, done, folder)
        return done
    if options.resume and not from_main(lambda: folder.is_started, accelerator):
        say("Чекпоинта ещё нет: обучение начинается сначала.")

    model, task = job.start.model.to(accelerator.device), job.task
    if options.freeze:
        models.freeze(model)
    checks = Checks(job, plan, folder, accelerator, rows)
    with _errors_explained(options, accelerator):
        if task.metric == "perplexity" and not rows:
            checks.check(0, [])
        history = train(
            model,
            task.draw,
            task.loss_of,
            plan,
            folder.path,
            after_step=checks.after_step,
            accelerator=accelerator,
            title=options.architecture,
        )
    result = _result(job, checks.rows, folder, history.seconds_per_step, accelerator)
    if accelerator.is_main_process:
        folder.draw(checks.rows)
        folder.finish(result)
    _summary(say, job, result, folder)
    accelerator.end_training()
    return result


def _speaker(accelerator: Accelerator) -> Callable[[str], None]:
    """Печатает один главный процесс; закрытый вывод («| head») обучения не останавливает."""

    def say(text: str) -> None:
        if accelerator.is_main_process:
            with suppress(OSError):
                print(text, flush=True)

    return say


@contextmanager
def _errors_explained(options: Options, accelerator: Accelerator) -> Iterator[None]:
    """Ошибка не главного процесса названа им самим, нехватка памяти и обрыв связи — по-русски."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in reason:
            smaller = "--batch-size" if options.is_picture else "--batch-size или --max-tokens"
            raise ValueError(f"Памяти не хватило ({reason}). Возьмите меньше {smaller} и другую --out.") from error
        if accelerator.num_processes > 1 and ("onnection" in reason or "NCCL" in reason):
            raise ValueError(
                f"Процесс {accelerator.process_index} остановлен: связь с другим процессом оборвалась ({reason}). "
                "Если тот назвал свою ошибку, она — в его журнале."
            ) from error
        raise
    except (ValueError, OSError) as error:
        if not accelerator.is_local_main_process:
            print(f"Процесс {accelerator.process_index}: {error}", file=sys.stderr, flush=True)
        raise


class Checks:
    """Проверки после каждой эпохи: процессы считают вместе, таблицу и лучшую модель пишет главный.

    Args:
        job: Что учится.
        plan: Сколько и как учить.
        folder: Папка обучения.
        accelerator: Связь с другими процессами.
        rows: Строки проверок, сделанных до перерыва.
    """

    def __init__(self, job: Job, plan: Plan, folder: RunFolder, accelerator: Accelerator, rows: list[Row]) -> None:
        self.job, self.plan, self.folder, self.accelerator, self.rows = job, plan, folder, accelerator, rows
        self.clock = time.perf_counter()

    def after_step(self, n_done: int, losses: list[float]) -> None:
        """Проверяет модель, если эпоха кончилась.

        Args:
            n_done: Сколько шагов сделано.
            losses: Потери всех шагов.
        """
        if n_done % self.job.task.epochs.n_batches == 0:
            self.check(n_done, losses)

    def check(self, n_done: int, losses: list[float]) -> None:
        """Проверяет модель и записывает строку, а если эта строка лучшая — и модель.

        Args:
            n_done: Сколько шагов сделано.
            losses: Потери всех шагов.
        """
        task, model = self.job.task, self.job.start.model
        epoch = n_done // task.epochs.n_batches
        for buffer in model.buffers():  # у BatchNorm на процессоре накопленное у каждого процесса своё
            _share_buffer(buffer, self.accelerator)
        valid_loss, accuracy = task.evaluate(model, self.accelerator)
        if not math.isfinite(valid_loss):  # такую модель нельзя ни сохранять, ни продолжать
            raise ValueError(f"Эпоха {epoch}: потери на проверке — {valid_loss}. {diverged(self.plan)}")
        recent = losses[-task.epochs.n_batches :]
        row: Row = {
            "step": n_done,
            "epoch": epoch,
            "train_loss": sum(recent) / len(recent) if recent else math.nan,
            "valid_loss": valid_loss,
            task.metric: accuracy if task.metric == "accuracy" else math.exp(min(valid_loss, 700)),
            "learning_rate": self.plan.learning_rate * schedule(n_done - 1, self.plan) if n_done else 0.0,
            "seconds": time.perf_counter() - self.clock,
            "processes": self.accelerator.num_processes,
        }
        before = [other for other in self.rows if other["step"] < n_done]
        n_expected = max(0, epoch - (task.metric == "accuracy"))
        if len(before) != n_expected:
            raise ValueError(
                f"В {self.folder.path} нет metrics.json с прежними проверками, а по нему узнают, какая эпоха лучшая. "
                "Верните его или начните в другой папке."
            )
        self.rows = [*before, row]
        if self.accelerator.is_main_process:
            is_best = self.folder.better(row, before)
            if is_best:
                self.folder.keep(model, self.job.start.side)
            self.folder.record(self.rows)
            _progress(_speaker(self.accelerator), row, task.metric, is_best)
        self.clock = time.perf_counter()


def _check_places(options: Options, folder: RunFolder) -> None:
    data = Path(os.path.expanduser(options.data)).resolve()
    if data.is_dir() and folder.path.resolve().is_relative_to(data):
        raise ValueError(
            f"Папка обучения {folder.path} лежит внутри данных {data}: в другой раз она сошла бы за данные."
        )


def _plan(job: Job) -> Plan:
    asked = job.identity
    return Plan(
        n_steps=asked["epochs"] * job.task.epochs.n_batches,
        learning_rate=asked["learning_rate"],
        warmup=0.1,
        seed=asked["seed"],
        save_every=asked["save_every"],
    )


def _same_data(job: Job, accelerator: Accelerator) -> None:
    theirs = from_main(lambda: job.identity["data_digest"], accelerator)
    differs = torch.tensor(float(theirs != job.identity["data_digest"]), device=accelerator.device)
    if accelerator.reduce(differs, "sum"):  # узнают все: иначе главный успел бы начать папку
        raise ValueError("Данные у процессов разные: положите на все машины одни и те же файлы.")


def _share_buffer(buffer: torch.Tensor, accelerator: Accelerator) -> None:
    from accelerate.utils import broadcast

    if accelerator.num_processes > 1:
        broadcast(buffer)


def _tell(say: Callable[[str], None], options: Options, job: Job, plan: Plan, accelerator: Accelerator) -> None:
    """Что будет сделано, со всеми выбранными значениями."""
    asked, start = job.identity, job.start
    millions = start.n_parameters / 1e6
    head = "голова новая" if start.has_new_head else "голова прежняя"
    head = "учится одна голова" if options.freeze else head
    size = f"{decimal(millions, 1 if millions >= 1 else 3)} млн параметров"
    say(f"Модель: {start.source}, {size}" + ("." if options.architecture == "gpt" else f"; {head}."))
    for line in job.about:
        say(line)
    for skip in job.skipped[:SHOWN_SKIPS]:
        say(f"  пропущено: {skip.name} — {skip.reason}")
    if job.skipped:
        more = " Все — в skipped.csv." if len(job.skipped) > SHOWN_SKIPS else ""
        say(f"Пропущено примеров — {len(job.skipped)}.{more}")
    say(f"Процессов: {accelerator.num_processes}. Устройство: {accelerator.device.type}.")
    say(f"Эпох — {asked['epochs']}, шагов — {plan.n_steps}, между чекпоинтами — {plan.save_every}.")
    rate = f"{plan.learning_rate:g}".replace(".", ",")
    say(f"Общий пакет — {asked['batch_size']}, скорость обучения — {rate}, зерно — {plan.seed}.")


def _progress(say: Callable[[str], None], row: Row, metric: str, is_best: bool) -> None:
    trained = "" if math.isnan(row["train_loss"]) else f"потери {decimal(row['train_loss'], 3)}, "
    is_share = metric == "accuracy"
    quality = f"точность {percent(row[metric])}" if is_share else f"перплексия {decimal(row[metric], 2)}"
    star = " — лучшая" if is_best else ""
    epoch, valid = int(row["epoch"]), decimal(row["valid_loss"], 3)
    say(f"эпоха {epoch}: {trained}на проверке {valid}, {quality}{star}")


def _result(job: Job, rows: list[Row], folder: RunFolder, pace: float, accelerator: Accelerator) -> dict[str, Any]:
    best = max(rows, key=folder.rank)
    result: dict[str, Any] = {"best": best, "seconds_per_step": pace, "num_processes": accelerator.num_processes}
    if job.baseline is not None:
        n = job.identity["n_valid"]
        result |= {"accuracy": share(round(best["accuracy"] * n), n), "most_frequent_class": job.baseline}
    else:
        result["perplexity"] = {"before": rows[0]["perplexity"], "best": best["perplexity"]}
        result["bits_per_byte"] = best["valid_loss"] / math.log(2) * job.n_answers / job.n_bytes
    return result


def _summary(say: Callable[[str], None], job: Job, result: dict[str, Any], folder: RunFolder) -> None:
    best = result["best"]
    say("")
    if job.baseline is not None:
        got = result["accuracy"]
        say(
            f"Лучшая эпоха — {int(best['epoch'])}: точность {percent(got['value'])} "
            f"(95-процентный интервал {percent(got['low'])}–{percent(got['high'])}, примеров {got['n']})."
        )
        say(f"Всегда отвечать самым частым классом — {percent(job.baseline)}.")
    else:
        before, after = (decimal(result["perplexity"][name], 2) for name in ("before", "best"))
        say(f"Лучшая эпоха — {int(best['epoch'])}: перплексия {after}, до обучения — {before}.")
        say(f"Битов на байт проверочного текста — {decimal(result['bits_per_byte'], 2)}.")
    say(f"Модель: {folder.best}. Спросить её: modern-nets predict {folder.path} файл")
