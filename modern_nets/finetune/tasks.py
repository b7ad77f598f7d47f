"""Чему учить: пакеты, потери и проверка для картинок, текстов и языковой модели."""

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from modern_nets.finetune.data import Epochs
from modern_nets.finetune.pictures import Pictures, Reader, distort
from modern_nets.finetune.texts import padded
from modern_nets.training.processes import Batch, share_of

VALID_BATCH = 64
"""Столько примеров в пакете проверки, если обучающий пакет не больше."""


class Task(ABC):
    """Задача обучения.

    Args:
        n_train: Число обучающих примеров.
        batch_size: Общий пакет.
        seed: Зерно.

    Attributes:
        metric: Как называется мера качества: «accuracy» или «perplexity».
        epochs: Порядок примеров.
    """

    metric = "accuracy"

    def __init__(self, n_train: int, batch_size: int, seed: int) -> None:
        self.epochs, self.seed = Epochs(n_train, batch_size, seed), seed
        self.valid_batch = max(VALID_BATCH, batch_size)

    @abstractmethod
    def draw(self, step: int) -> Batch:
        """Общий пакет шага; зависит только от зерна и номера шага.

        Args:
            step: Номер шага, от 0.

        Returns:
            Тензоры с одинаковой первой осью.
        """

    @abstractmethod
    def loss_of(self, model: Any, *share: Tensor) -> Tensor:
        """Средние потери на доле пакета.

        Args:
            model: Модель.
            share: Строки, доставшиеся процессу.

        Returns:
            Число.
        """

    @property
    @abstractmethod
    def n_valid(self) -> int:
        """Число проверочных примеров."""

    @abstractmethod
    def score(self, model: Any, places: Tensor, device: torch.device) -> Tensor:
        """Проверка на некоторых примерах.

        Args:
            model: Модель в режиме eval.
            places: Номера проверочных примеров, от 0 до `n_valid`.
            device: На чём считать.

        Returns:
            Три числа: сумма потерь, сколько ответов верно, сколько всего ответов.
        """

    @torch.no_grad()
    def evaluate(self, model: Any, accelerator: Accelerator) -> tuple[float, float]:
        """Проверка на всех проверочных примерах; процессы делят их между собой.

        Args:
            model: Модель без обёрток.
            accelerator: Связь с другими процессами.

        Returns:
            Средние потери и доля верных ответов.
        """
        model.eval()
        n, k = accelerator.num_processes, accelerator.process_index
        mine = torch.arange(self.n_valid)[self.n_valid * k // n : self.n_valid * (k + 1) // n]
        total = torch.zeros(3)
        if accelerator.device.type != "mps":  # там нет float64
            total = total.double()
        for places in mine.split(self.valid_batch):
            total += self.score(model, places, accelerator.device).to(total)
        total = accelerator.reduce(total.to(accelerator.device), "sum").cpu()
        return float(total[0] / total[2]), float(total[1] / total[2])


def class_scores(logits: Tensor, answers: Tensor) -> Tensor:
    """Потери и верные ответы классификатора.

    Args:
        logits: Оценки классов, форма (..., C).
        answers: Номера классов, форма (...).

    Returns:
        Сумма потерь, число верных ответов, число ответов.
    """
    logits, answers = logits.float().flatten(0, -2), answers.flatten()
    loss = F.cross_entropy(logits, answers, reduction="sum")
    right = (logits.argmax(dim=-1) == answers).sum()
    return torch.stack([loss.cpu().double(), right.cpu().double(), torch.tensor(len(answers)).double()])


class PictureTask(Task):
    """Узнать класс картинки.

    Args:
        pictures: Картинки.
        settings: Содержимое preprocessor_config.json.
        batch_size: Общий пакет.
        seed: Зерно.
        augment: Искажения обучающих картинок.
        workers: Потоков чтения.
        accelerator: Связь с другими процессами.
    """

    def __init__(
        self,
        pictures: Pictures,
        settings: dict[str, Any],
        *,
        batch_size: int,
        seed: int,
        augment: str,
        workers: int,
        accelerator: Accelerator,
    ) -> None:
        super().__init__(len(pictures.split.train), batch_size, seed)
        self.reader = Reader(pictures, settings, workers)
        self.accelerator, self.augment = accelerator, augment
        self.train, self.valid = torch.tensor(pictures.split.train), torch.tensor(pictures.split.valid)
        self.labels = torch.tensor(pictures.labels)

    def _rows(self, step: int) -> Batch:
        chosen = self.train[self.epochs.rows(step)]
        generator = torch.Generator().manual_seed(self.seed * 1_000_000 + step)
        return chosen, self.labels[chosen], torch.rand(len(chosen), 3, generator=generator)

    def draw(self, step: int) -> Batch:
        """Номера картинок, ответы и случайные числа искажений; картинки следующего шага начинают читаться."""
        rows = self._rows(step)
        if self.reader.pool is not None:
            self.reader.expect(share_of(rows, self.accelerator)[0])
            self.reader.expect(share_of(self._rows(step + 1), self.accelerator)[0])
        return rows

    def loss_of(self, model: Any, *share: Tensor) -> Tensor:
        """Перекрёстная энтропия на доле."""
        indices, answers, noise = share
        images = distort(self.reader.read(indices), noise, self.augment).to(answers.device)
        return F.cross_entropy(model(images).logits, answers)

    @property
    def n_valid(self) -> int:
        """Число проверочных картинок."""
        return len(self.valid)

    def score(self, model: Any, places: Tensor, device: torch.device) -> Tensor:
        """Проверка на картинках."""
        chosen = self.valid[places]
        logits = model(self.reader.read(chosen).to(device)).logits
        return class_scores(logits, self.labels[chosen].to(device))


class TextTask(Task):
    """Узнать класс текста.

    Args:
        train: Токены обучающих текстов.
        train_labels: Их классы.
        valid: Токены проверочных текстов.
        valid_labels: Их классы.
        pad_token_id: Номер заполнителя.
        batch_size: Общий пакет.
        seed: Зерно.
    """

    def __init__(
        self,
        train: list[list[int]],
        train_labels: list[int],
        valid: list[list[int]],
        valid_labels: list[int],
        *,
        pad_token_id: int,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__(len(train), batch_size, seed)
        self.train, self.valid, self.pad = train, valid, pad_token_id
        self.train_labels, self.valid_labels = torch.tensor(train_labels), torch.tensor(valid_labels)

    def _padded(self, rows: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
        ids, mask = padded(rows, self.pad)
        return ids.to(device), mask.to(device)

    def draw(self, step: int) -> Batch:
        """Номера текстов и их классы."""
        chosen = self.epochs.rows(step)
        return chosen, self.train_labels[chosen]

    def loss_of(self, model: Any, *share: Tensor) -> Tensor:
        """Перекрёстная энтропия на доле."""
        indices, answers = share
        ids, mask = self._padded([self.train[i] for i in indices.tolist()], answers.device)
        return F.cross_entropy(model(ids, mask).logits, answers)

    @property
    def n_valid(self) -> int:
        """Число проверочных текстов."""
        return len(self.valid)

    def score(self, model: Any, places: Tensor, device: torch.device) -> Tensor:
        """Проверка на текстах."""
        ids, mask = self._padded([self.valid[i] for i in places.tolist()], device)
        return class_scores(model(ids, mask).logits, self.valid_labels[places].to(device))


class NextTokenTask(Task):
    """Предсказать следующий токен.

    Обучающий пример — окно ленты; окна эпохи идут встык, начало первого в каждой эпохе своё.

    Args:
        train: Лента обучающих токенов, форма (N,).
        valid: Лента проверочных токенов.
        n_tokens: Токенов в окне.
        batch_size: Общий пакет.
        seed: Зерно.
    """

    metric = "perplexity"

    def __init__(self, train: Tensor, valid: Tensor, *, n_tokens: int, batch_size: int, seed: int) -> None:
        super().__init__((len(train) - 1) // n_tokens, batch_size, seed)
        self.train, self.valid, self.n_tokens = train, valid, n_tokens
        self.valid_batch = max(8, batch_size)
        self.spare = len(train) - 1 - self.epochs.n * n_tokens

    def draw(self, step: int) -> Batch:
        """Окна ленты, форма (B, T + 1)."""
        epoch = step // self.epochs.n_batches
        generator = torch.Generator().manual_seed(self.seed * 1_000_000 + epoch)
        offset = int(torch.randint(self.spare + 1, (), generator=generator))
        starts = offset + self.epochs.rows(step) * self.n_tokens
        return (self.train[starts[:, None] + torch.arange(self.n_tokens + 1)],)

    def loss_of(self, model: Any, *share: Tensor) -> Tensor:
        """Перекрёстная энтропия следующего токена."""
        logits = model(share[0][:, :-1]).logits
        return F.cross_entropy(logits.flatten(0, 1), share[0][:, 1:].flatten())

    @property
    def n_valid(self) -> int:
        """Число окон проверочной ленты; последнее бывает неполным."""
        return -(-(len(self.valid) - 1) // self.n_tokens)

    def score(self, model: Any, places: Tensor, device: torch.device) -> Tensor:
        """Проверка на окнах."""
        total = torch.zeros(3, dtype=torch.float64)
        rows = [self.valid[i * self.n_tokens : (i + 1) * self.n_tokens + 1] for i in places.tolist()]
        for size in {len(row) for row in rows}:  # неполное окно — отдельно
            same = torch.stack([row for row in rows if len(row) == size]).to(device)
            total += class_scores(model(same[:, :-1]).logits, same[:, 1:])
        return total
