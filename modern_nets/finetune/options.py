"""Что можно попросить у `finetune` и `predict`, и значения по умолчанию."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARCHITECTURES = ("resnet", "vit", "bert", "gpt")
"""Что умеет дообучать команда."""
PICTURE_SETS = ("digits", "cifar10", "pets")
"""Наборы картинок, которые узнаются по имени."""
TEXT_SETS = ("reviews",)
"""Наборы текстов, которые узнаются по имени."""
AUGMENTATIONS = ("no", "shift", "flip")
"""Искажения обучающих картинок: никаких; сдвиг до восьмой части стороны; сдвиг и зеркало."""


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """Числа по умолчанию для архитектуры.

    Attributes:
        epochs: Эпохи.
        batch_size: Общий пакет.
        finetune: Скорость обучения всей сети.
        head: Скорость обучения одной головы.
        scratch: Скорость обучения с нуля.
    """

    epochs: int
    batch_size: int
    finetune: float
    head: float
    scratch: float


DEFAULTS = {
    "resnet": Defaults(epochs=5, batch_size=64, finetune=3e-4, head=1e-3, scratch=1e-3),
    "vit": Defaults(epochs=4, batch_size=32, finetune=3e-5, head=1e-3, scratch=5e-4),
    "bert": Defaults(epochs=3, batch_size=16, finetune=3e-5, head=1e-3, scratch=1e-4),
    "gpt": Defaults(epochs=3, batch_size=8, finetune=5e-5, head=5e-5, scratch=5e-4),
}
"""У BERT — из того, что советуют Devlin et al., 2018, приложение A.3: 2e-5…5e-5, пакет 16 или 32, 2–4 эпохи."""
FEWEST_BATCHES, SMALLEST_BATCH = 8, 8
"""Если примеров мало, пакет по умолчанию меньше: чтобы их в эпохе было столько, но не мельче стольких примеров."""
FEWEST_STEPS, MOST_EPOCHS = 200, 20
"""И эпох тогда больше: чтобы шагов вышло столько, но не больше стольких эпох."""
SMALL_MODEL, SMALL_FROM_SCRATCH, SMALL_MODEL_FACTOR = 5_000_000, 1_000_000, 10
"""Модель, в которой параметров меньше (с нуля — меньше второго числа), учится быстрее: её скорость по умолчанию больше
во столько раз. ViT для картинок 32 × 32, 4 млн параметров, с нуля при 5e-3 не учится вовсе, при 5e-4 — учится."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Просьба о дообучении; None — значение выберет команда.

    Attributes:
        architecture: Что учить: «resnet», «vit», «bert» или «gpt».
        data: Имя набора, папка или файл.
        out: Папка обучения.
        data_dir: Где лежат или будут лежать наборы, известные по имени.
        download: Скачать набор, если его нет.
        model: С чего начать: имя модели под рукой, папка или официальное имя.
        from_scratch: Начать со случайных весов.
        freeze: Учить только голову.
        epochs: Сколько раз пройти обучающие примеры.
        batch_size: Примеров в шаге, вместе на всех процессах.
        learning_rate: Наибольшая скорость обучения.
        seed: Зерно.
        save_every: Через сколько шагов писать чекпоинт.
        device: Устройство.
        precision: «no», «bf16» или «fp16».
        resume: Продолжить прерванное.
        workers: Потоков чтения картинок.
        augment: Искажения обучающих картинок.
        valid: Файл с проверочными текстами.
        text_column: Столбец с текстом.
        label_column: Столбец с меткой.
        encoding: Кодировка текста.
        max_tokens: Сколько токенов текста читать.

    Raises:
        ValueError: число вне своих границ, просьбы противоречат друг другу.
    """

    architecture: str
    data: str
    out: Path
    data_dir: Path = Path("data")
    download: bool = False
    model: str | None = None
    from_scratch: bool = False
    freeze: bool = False
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    save_every: int | None = None
    device: str = "auto"
    precision: str = "no"
    resume: bool = False
    workers: int = 2
    augment: str | None = None
    valid: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    encoding: str | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, lowest in (("epochs", 1), ("batch_size", 1), ("save_every", 1), ("workers", 0), ("max_tokens", 2)):
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise ValueError(f"{_flag(name)} — число не меньше {lowest}, а пришло {value}.")
        if self.batch_size is not None and self.batch_size > 10**6:
            raise ValueError(f"--batch-size — число до миллиона, а пришло {self.batch_size}.")
        if not self.data:
            raise ValueError("--data пусто: назовите набор, папку или файл.")
        if not 0 <= self.seed < 10**12:
            raise ValueError(f"--seed — число от 0 до 10**12, а пришло {self.seed}.")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"--learning-rate — число больше нуля, а пришло {self.learning_rate}.")
        if self.freeze and self.from_scratch:
            raise ValueError("--freeze учит одну голову, а у сети с нуля (--from-scratch) учить надо всё.")
        if self.freeze and self.architecture == "gpt":
            raise ValueError("У GPT нет отдельной головы: её последняя матрица — таблица токенов. Уберите --freeze.")
        for name, whose in _ONLY_FOR.items():
            default = Options.__dataclass_fields__[name].default
            if getattr(self, name) != default and self.architecture not in whose:
                raise ValueError(f"{_flag(name)} — для {', '.join(whose)}, а учится {self.architecture}.")
        known = PICTURE_SETS if self.is_picture else TEXT_SETS if self.architecture == "bert" else ()
        other = set(PICTURE_SETS + TEXT_SETS) - set(known)
        if self.data in other and not Path(self.data).exists():
            kind = "картинок" if self.data in PICTURE_SETS else "текстов"
            raise ValueError(f"{self.data} — набор {kind}: {self.architecture} на нём не учат.")

    @property
    def is_picture(self) -> bool:
        """Учится ли сеть на картинках."""
        return self.architecture in ("resnet", "vit")


_PICTURES, _TABLES = ("resnet", "vit"), ("bert",)
_ONLY_FOR = {
    "download": _PICTURES,
    "data_dir": _PICTURES,
    "workers": _PICTURES,
    "augment": _PICTURES,
    "valid": ("bert", "gpt"),
    "text_column": _TABLES,
    "label_column": _TABLES,
    "encoding": ("bert", "gpt"),
    "max_tokens": ("bert", "gpt"),
}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def add_commands(commands: Any) -> None:
    """Добавляет команды finetune и predict.

    Args:
        commands: Набор команд argparse.
    """
    finetune = commands.add_parser(
        "finetune",
        help="дообучить на своих картинках, текстах или коде",
        description="Дообучает модель и оставляет папку обучения: чекпоинт, кривые, лучшую модель. Чего не назвали, "
        "команда выберет сама и напечатает.",
        epilog="Без сети: modern-nets finetune resnet --data digits --out runs/digits",
    )
    _add_finetune(finetune)
    predict = commands.add_parser(
        "predict",
        help="ответы дообученной модели на файлы",
        description="Отвечает на файлы: у картинок и текстов называет класс, у GPT продолжает начало.",
        epilog="Пример: modern-nets predict runs/digits скан.png",
    )
    _add_predict(predict)


def _add_finetune(command: argparse.ArgumentParser) -> None:
    add: Callable[..., Any] = command.add_argument
    add("architecture", choices=ARCHITECTURES, metavar="архитектура", help="что учить: " + ", ".join(ARCHITECTURES))
    sets = ", ".join(PICTURE_SETS + TEXT_SETS)
    add("--data", required=True, metavar="что", help=f"имя набора ({sets}), папка или файл")
    add("--data-dir", type=Path, default=Path("data"), metavar="папка", help="где лежат cifar10 и pets (data)")
    add("--download", action="store_true", help="скачать cifar10 или pets, если их там нет")
    add("--model", metavar="имя", help="с чего начать: модель под рукой, папка или официальное имя")
    add("--from-scratch", action="store_true", help="начать со случайных весов, а не с обученных")
    add("--freeze", action="store_true", help="учить только голову (resnet, vit, bert)")
    add("--epochs", type=int, metavar="N", help="сколько раз пройти обучающие примеры")
    add("--batch-size", type=int, metavar="N", help="примеров в шаге, вместе на всех процессах")
    add("--learning-rate", type=float, metavar="X", help="наибольшая скорость обучения")
    add("--seed", type=int, default=0, metavar="N", help="зерно (0)")
    add("--save-every", type=int, metavar="N", help="через сколько шагов писать чекпоинт")
    add("--out", type=Path, required=True, metavar="папка", help="папка обучения: новая, а с --resume — прежняя")
    add("--device", default="auto", metavar="имя", help="auto (лучшее, что есть), cpu, cuda или mps")
    add(
        "--precision",
        default="no",
        choices=("no", "bf16", "fp16"),
        metavar="вид",
        help="прямой проход: no (float32), bf16 или fp16",
    )
    add("--resume", action="store_true", help="продолжить прерванное обучение из --out")
    add("--workers", type=int, default=2, metavar="N", help="потоков, читающих картинки (2)")
    add(
        "--augment",
        choices=AUGMENTATIONS,
        metavar="вид",
        help="искажения картинок: no, shift (сдвиг), flip (и зеркало)",
    )
    add("--valid", metavar="что", help="проверочные тексты; без них отложится часть обучающих")
    add("--text-column", metavar="имя", help="столбец с текстом (text или sentence)")
    add("--label-column", metavar="имя", help="столбец с меткой (label)")
    add("--encoding", metavar="имя", help="кодировка текста; без неё угадывается")
    add("--max-tokens", type=int, metavar="N", help="сколько токенов читает bert и какое окно у gpt")
    command.set_defaults(run=_finetune)


def _add_predict(command: argparse.ArgumentParser) -> None:
    add: Callable[..., Any] = command.add_argument
    add("model", type=Path, metavar="папка", help="папка обучения (берётся лучшая модель) или модели")
    add(
        "files",
        nargs="+",
        type=Path,
        metavar="файл",
        help="картинки, таблицы, тексты, начала для GPT; папки с ними",
    )
    add("--out", type=Path, metavar="файл", help="записать ответы и в этот CSV")
    add("--text-column", metavar="имя", help="столбец с текстом в таблице (тот же, что при обучении)")
    add("--encoding", metavar="имя", help="кодировка текста; без неё угадывается")
    add("--device", default="auto", metavar="имя", help="auto, cpu, cuda или mps")
    add("--max-new-tokens", type=int, metavar="N", help="сколько токенов дописать (GPT; обычно 60)")
    add("--temperature", type=float, default=0.0, metavar="T", help="0 — жадно; больше — случайнее (GPT)")
    add("--top-p", type=float, metavar="P", help="только вероятные, всего на долю P (GPT)")
    add("--seed", type=int, default=0, metavar="N", help="зерно случайного выбора (GPT)")
    command.set_defaults(run=_predict)


def _finetune(options: argparse.Namespace) -> None:
    from modern_nets.finetune.run import finetune

    finetune(Options(**{name: getattr(options, name) for name in Options.__dataclass_fields__}))


def _predict(options: argparse.Namespace) -> None:
    from modern_nets.finetune.predict import predict

    settings = {
        name: value for name, value in vars(options).items() if name not in ("run", "command", "model", "files")
    }
    predict(options.model, options.files, **settings)
