"""Картинки для обучения: своя папка, CIFAR-10, Oxford-IIIT Pet и рукописные цифры."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from modern_nets.finetune.data import Skip, Split, check_classes, digest, is_hidden, stratified
from modern_nets.finetune.options import Options
from modern_nets.pictures import pixel_values, read_picture

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
"""Какие файлы считать картинками."""
_SUFFIX_LIST = ", ".join(sorted(SUFFIXES))
_SERVICE = {"Thumbs.db", "desktop.ini"}
"""Их кладёт Windows."""
VALID_NAMES = ("valid", "val", "validation", "test")
"""Как зовётся папка с проверочными картинками рядом с train."""
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
"""Сумма со страницы набора: www.cs.toronto.edu/~kriz/cifar.html."""
CIFAR10_ROW = 1 + 3 * 32 * 32
"""Запись двоичного файла: метка, потом красный, зелёный и синий слои 32 × 32."""


@dataclass
class Pictures:
    """Картинки с классами.

    Attributes:
        classes: Имена классов.
        labels: Номер класса каждой картинки.
        split: Обучающие и проверочные номера.
        image: По номеру и виду («RGB» или «L») даёт картинку Pillow.
        identity: По чему узнать эти данные: откуда они и их отпечаток.
        skipped: Что пропущено и почему.
        is_small: Картинки 32 × 32 и меньше.
        augment: Искажения по умолчанию.
    """

    classes: list[str]
    labels: list[int]
    split: Split
    image: Callable[[int, str], "Image"]
    identity: dict[str, str]
    skipped: list[Skip] = field(default_factory=list)
    is_small: bool = False
    augment: str = "shift"


def load_pictures(options: Options) -> Pictures:
    """Читает картинки, о которых просят.

    Args:
        options: Просьба.

    Returns:
        Картинки, разделённые на обучающие и проверочные.

    Raises:
        FileNotFoundError: файлов нет.
        ValueError: картинок нет, класс один, файл набора повреждён.
    """
    named = {"digits": _digits, "cifar10": _cifar10, "pets": _pets}
    if options.data in named:
        pictures = named[options.data](options)
    else:
        pictures = _folder(Path(os.path.expanduser(options.data)), options)
    check_classes((pictures.labels[i] for i in pictures.split.train), pictures.classes, options.data)
    return pictures


def _digits(options: Options) -> Pictures:
    """Цифры делятся так же, как при обучении моделей под рукой: их проверочных картинок те не видели."""
    from modern_nets.training.digits import load_digits

    digits = load_digits()
    grey = torch.cat([digits.x_train, digits.x_test])[:, 0].add(1).mul(127.5).round().byte().numpy()  # (N, 8, 8)
    labels = torch.cat([digits.y_train, digits.y_test]).tolist()
    n = len(digits.y_train)
    split = Split(list(range(n)), list(range(n, len(labels))))
    identity = {"data": "digits", "data_digest": digest([grey.tobytes(), str(labels)])}
    return Pictures([str(i) for i in range(10)], labels, split, _from_array(grey), identity, is_small=True)


def _from_array(pixels: np.ndarray[Any, Any]) -> Callable[[int, str], "Image"]:
    from PIL import Image

    return lambda index, mode: Image.fromarray(pixels[index]).convert(mode)


def _cifar10(options: Options) -> Pictures:
    """Двоичная версия набора: pickle в ней нет."""
    folder = Path(os.path.expanduser(options.data_dir)) / "cifar-10-batches-bin"
    if not folder.is_dir() and options.download:
        from torchvision.datasets.utils import download_and_extract_archive

        _download(lambda: download_and_extract_archive(CIFAR10_URL, str(folder.parent), md5=CIFAR10_MD5), folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Папки {folder} нет. Добавьте --download, или скачайте {CIFAR10_URL} на другой машине и распакуйте "
            f"в {folder.parent}, или укажите другую папку: --data-dir."
        )
    parts = [_cifar10_file(folder / f"data_batch_{i}.bin") for i in range(1, 6)]
    parts.append(_cifar10_file(folder / "test_batch.bin"))
    names = folder / "batches.meta.txt"
    if not names.is_file():
        raise FileNotFoundError(f"Нет файла {names} с именами классов: распакуйте архив заново.")
    classes = names.read_text(encoding="ascii", errors="replace").split()
    rows = np.concatenate(parts)
    n_train = len(rows) - len(parts[-1])
    labels = rows[:, 0].tolist()
    if max(labels) >= len(classes):
        raise ValueError(f"В {folder} есть метка {max(labels)}, а классов — {len(classes)}: файлы повреждены.")
    pixels = np.ascontiguousarray(rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))  # (N, 32, 32, 3)
    split = Split(list(range(n_train)), list(range(n_train, len(rows))))
    identity = {"data": "cifar10", "data_digest": digest([rows.tobytes()])}
    return Pictures(classes, labels, split, _from_array(pixels), identity, is_small=True, augment="flip")


def _cifar10_file(path: Path) -> np.ndarray[Any, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"Нет файла {path}: распакуйте архив {CIFAR10_URL.rpartition('/')[2]} заново.")
    raw = np.fromfile(path, dtype=np.uint8)
    if not len(raw) or len(raw) % CIFAR10_ROW:
        raise ValueError(f"Файл {path} повреждён: в нём {len(raw)} байт, а записи — по {CIFAR10_ROW}.")
    return raw.reshape(-1, CIFAR10_ROW)


def _pets(options: Options) -> Pictures:
    from torchvision.datasets import OxfordIIITPet

    root = Path(os.path.expanduser(options.data_dir))
    if options.download and not (root / "oxford-iiit-pet").is_dir():
        _download(lambda: OxfordIIITPet(str(root), download=True), root)
    try:
        parts = [OxfordIIITPet(str(root), split=split) for split in ("trainval", "test")]
    except (RuntimeError, OSError) as error:
        raise FileNotFoundError(
            f"В {root} нет набора Oxford-IIIT Pet (папки oxford-iiit-pet с images и annotations). Добавьте --download "
            "или укажите другую папку: --data-dir."
        ) from error
    files = [Path(path) for part in parts for path in part._images]
    labels = [label for part in parts for label in part._labels]
    n = len(parts[0])
    split = Split(list(range(n)), list(range(n, len(files))))
    return _from_files(root, files, labels, parts[0].classes, split, {"data": "pets"}, augment="flip")


def _download(download: Callable[[], object], folder: Path) -> None:
    try:
        download()
    except (OSError, RuntimeError) as error:
        raise OSError(f"Набор не скачался ({error}). Скачайте его на машине с сетью и положите в {folder}.") from error


def _folder(folder: Path, options: Options) -> Pictures:
    """Папка, в которой у каждого класса своя; над ними бывают train и valid (или test)."""
    if folder.is_file():
        raise ValueError(f"{folder} — файл, а нужна папка, в которой у каждого класса своя папка с картинками.")
    if not folder.is_dir():
        raise FileNotFoundError(f"Папки {folder} нет. Наборы по имени: digits, cifar10, pets.")
    inner = _part(folder, ("train",))
    top = inner if inner is not None and _subfolders(inner) else folder  # «train» бывает и именем класса: поезд
    classes = [path.name for path in _subfolders(top)]
    for name in classes:
        if name != name.encode("utf-8", "replace").decode():
            raise ValueError(
                f"Имя папки {name.encode('utf-8', 'backslashreplace').decode()} — не UTF-8. Переименуйте её."
            )
    found = {name: _pictures_of(top / name) for name in classes}
    strange = [name for name in classes if not found[name]]
    classes = [name for name in classes if found[name]]  # пустые папки — не классы
    if classes and {name.lower() for name in classes} <= {"train", *VALID_NAMES}:
        raise ValueError(
            f"В {top} только {', '.join(classes)}, а папок классов внутри них нет. Нужно так: "
            f"{top / classes[0] / 'кошки'}, {top / classes[0] / 'собаки'}."
        )
    if not classes:
        direct = sum(path.suffix.lower() in SUFFIXES for path in top.iterdir())
        raise ValueError(
            f"В {top} картинки ({direct}) лежат прямо в папке. Разложите их: папка на класс, например {top / 'кошки'}."
            if direct
            else f"В {top} нет картинок. Нужна папка на каждый класс, а в них — файлы {_SUFFIX_LIST}."
        )
    inside = [path.name for path in _subfolders(top / classes[0])] if len(classes) == 1 else []
    if len(inside) > 1:
        raise ValueError(
            f"В {top} класс один — «{classes[0]}», а внутри него папки {', '.join(inside[:3])}. "
            f"Если классы — они, укажите --data {top / classes[0]}."
        )
    other = _part(folder, VALID_NAMES) if top != folder else None
    files = [path for name in classes for path in found[name]]
    labels = [number for number, name in enumerate(classes) for _ in found[name]]
    n_train = len(files)
    if other is not None:
        for path in _subfolders(other):
            there = _pictures_of(path)
            if there and path.name not in classes:
                raise ValueError(f"В {other} есть класс «{path.name}», а в {top} его нет: такому модель не учили.")
            files += there
            labels += [classes.index(path.name)] * len(there) if there else []
        if len(files) == n_train:
            raise ValueError(
                f"В {other} нет картинок: проверять не на чем. Уберите эту папку, и часть {top} отложится."
            )
    split = Split(list(range(n_train)), list(range(n_train, len(files)))) if other else None
    identity = {"data": str(folder.resolve())}
    pictures = _from_files(folder, files, labels, classes, split, identity, seed=options.seed)
    pictures.skipped += [Skip(str(top / name), f"картинок нет: читаются {_SUFFIX_LIST}") for name in strange]
    pictures.skipped += [
        Skip(str(path), f"не картинка: читаются {_SUFFIX_LIST}") for name in classes for path in _others_of(top / name)
    ]
    return pictures


def _part(folder: Path, names: Sequence[str]) -> Path | None:
    """Папка с таким именем; большие буквы или маленькие, неважно."""
    found = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    return next((found[name] for name in names if name in found), None)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def _pictures_of(folder: Path) -> list[Path]:
    """Картинки папки и вложенных в неё."""
    if not os.access(folder, os.R_OK | os.X_OK):
        raise PermissionError(f"Папку {folder} не открыть: нет прав.")
    return [path for path in _visible(folder) if path.suffix.lower() in SUFFIXES]


def _others_of(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.suffix.lower() not in SUFFIXES and path.name not in _SERVICE]


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not is_hidden(path, folder) and path.is_file())


def _from_files(
    top: Path,
    files: Sequence[Path],
    labels: Sequence[int],
    classes: list[str],
    split: Split | None,
    identity: dict[str, str],
    *,
    seed: int = 0,
    augment: str = "shift",
) -> Pictures:
    """Открывает каждый файл целиком: испорченные лучше назвать до обучения, чем посреди него."""

    def look(path: Path) -> str | Skip:
        try:
            read_picture(path)
            return digest([path.read_bytes()])
        except (ValueError, OSError) as error:
            return Skip(str(path), str(error))

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        looked = list(tqdm(pool.map(look, files), "проверка картинок", len(files), disable=None, leave=False))
    skipped = [result for result in looked if isinstance(result, Skip)]
    kept = [i for i, result in enumerate(looked) if isinstance(result, str)]
    if not kept:
        raise ValueError(f"В {top} не открылась ни одна картинка из {len(files)}: {skipped[0].reason}")
    whole = [files[i] for i in kept]
    prints = [str(looked[i]) for i in kept]
    labels = [labels[i] for i in kept]
    if split is None:
        split = stratified(labels, prints, seed)
    else:
        place = {old: new for new, old in enumerate(kept)}
        split = Split(*([place[i] for i in part if i in place] for part in split))
        if not split.train or not split.valid:
            raise ValueError(f"В {top} не открылась ни одна {'обучающая' if split.valid else 'проверочная'} картинка.")
    known = sorted(zip((str(path.relative_to(top)) for path in whole), prints, strict=True))
    identity = identity | {"data_digest": digest(part for pair in known for part in pair)}
    return Pictures(
        classes,
        labels,
        split,
        lambda index, mode: read_picture(whole[index], mode=mode),
        identity,
        skipped,
        augment=augment,
    )


class Reader:
    """Читает картинки пакета и готовит их для сети; следующий пакет — заранее, в соседних потоках.

    Args:
        pictures: Картинки.
        settings: Содержимое preprocessor_config.json.
        workers: Число потоков; 0 — читать в самом цикле.
    """

    def __init__(self, pictures: Pictures, settings: dict[str, Any], workers: int) -> None:
        self.pictures, self.settings = pictures, settings
        self.mode = "L" if len(settings["image_mean"]) == 1 else "RGB"
        self.pool = ThreadPoolExecutor(workers) if workers else None
        self.expected: dict[tuple[int, ...], list[Future[Tensor]]] = {}

    def _one(self, index: int) -> Tensor:
        return pixel_values(self.pictures.image(index, self.mode), self.settings)[0]

    def expect(self, indices: Tensor) -> None:
        """Начинает читать картинки, которые скоро понадобятся.

        Args:
            indices: Номера картинок, форма (B,).
        """
        numbers = tuple(indices.tolist())
        if self.pool is not None and numbers not in self.expected:
            self.expected[numbers] = [self.pool.submit(self._one, index) for index in numbers]

    def read(self, indices: Tensor) -> Tensor:
        """Картинки пакета.

        Args:
            indices: Номера картинок, форма (B,).

        Returns:
            Тензор (B, C, H, W).
        """
        numbers = tuple(indices.tolist())
        if self.pool is None:
            return torch.stack([self._one(index) for index in numbers])
        self.expect(indices)
        return torch.stack([future.result() for future in self.expected.pop(numbers)])


def distort(images: Tensor, noise: Tensor, augment: str) -> Tensor:
    """Сдвигает и отражает каждую картинку по-своему.

    Args:
        images: Картинки, форма (B, C, H, W).
        noise: Случайные числа от 0 до 1, форма (B, 3): сдвиг вниз, сдвиг вправо, зеркало.
        augment: «no», «shift» или «flip».

    Returns:
        Картинки той же формы; открывшийся край заполнен ближайшими точками.
    """
    if augment == "no":
        return images
    height, width = images.shape[2:]
    y, x = max(1, height // 8), max(1, width // 8)
    padded = F.pad(images, (x, x, y, y), mode="replicate")
    rows = []
    for image, (down, right, mirror) in zip(padded, noise.tolist(), strict=True):
        top, left = int(down * (2 * y + 1)), int(right * (2 * x + 1))
        crop = image[:, top : top + height, left : left + width]
        rows.append(crop.flip(-1) if augment == "flip" and mirror < 0.5 else crop)
    return torch.stack(rows)
