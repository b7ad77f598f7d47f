"""Чтение картинок любого вида: из файла или готовых, цветных и серых, повёрнутых и повреждённых.

Нужна библиотека Pillow.
"""

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image


def read_picture(source: "str | Path | Image", *, mode: str = "RGB") -> "Image":
    """Открывает картинку и приводит её к виду, который ждёт сеть.

    Поворот из EXIF применяется, прозрачное ложится на белый фон, 16-битные оттенки сжимаются до 8 бит,
    у анимации берётся первый кадр.

    Args:
        source: Путь к файлу или картинка Pillow.
        mode: «RGB» — три канала, «L» — оттенки серого.

    Returns:
        Картинка Pillow в этом виде.

    Raises:
        FileNotFoundError: файла нет.
        ValueError: это не картинка, файл оборван, вид неизвестен.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if mode not in ("RGB", "L"):
        raise ValueError(f"mode = {mode!r}, а сети читают «RGB» или «L» (оттенки серого).")
    if not isinstance(source, str | Path | Image.Image):
        raise ValueError(f"Нужен путь к картинке или картинка Pillow, а пришёл {type(source).__name__}.")
    what = "Картинка" if isinstance(source, Image.Image) else f"Файл {source}"
    try:
        if isinstance(source, Image.Image):
            return _convert(ImageOps.exif_transpose(source), mode)
        with Image.open(os.path.expanduser(source)) as image:
            return _convert(ImageOps.exif_transpose(image), mode)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{what} не найден.") from error
    except IsADirectoryError as error:
        raise ValueError(f"{source} — папка, а нужен файл с картинкой.") from error
    except PermissionError as error:
        raise PermissionError(f"{what} не открыть: нет прав или это папка.") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{what} — не картинка, или её формат не прочесть (подойдут JPEG, PNG, WebP).") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{what}: картинка слишком велика ({error}). Уменьшите её.") from error
    except MemoryError:
        raise
    except Exception as error:  # на испорченных файлах Pillow бросает что угодно, вплоть до TypeError
        raise ValueError(f"{what}: данные оборваны или повреждены ({error}).") from error


def _convert(image: "Image", mode: str) -> "Image":
    from PIL import Image

    image.load()
    if not all(image.size):
        raise ValueError(f"в ней нет ни одной точки: {image.width} × {image.height}")
    if image.mode[0] in "IF":  # 16 бит и дробные: простое convert обрезало бы всё ярче 255
        numbers = (image.convert("I") if image.mode.startswith("I;") else image).convert("F")
        highest = 65535.0 if image.mode.startswith("I;") else numbers.getextrema()[1]
        if not math.isfinite(highest):  # type: ignore[arg-type]
            raise ValueError("среди чисел есть бесконечности или не числа")
        full = next(full for full in (1.0, 255.0, 65535.0, math.inf) if highest <= full)  # type: ignore[operator]
        scale = 255 / (highest if full == math.inf else full)  # type: ignore[operator]
        image = numbers.point(lambda value: value * scale + 0.5).convert("L")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def pixel_values(images: "Image | list[Image]", folder: str | Path | dict[str, Any]) -> Tensor:
    """Готовит картинки так, как сказано в папке модели: размер, шкала, среднее и разброс.

    Делает то же, что ViTImageProcessor из transformers, без самой библиотеки.

    Args:
        images: Картинка или список картинок, уже в нужном виде (см. `read_picture`).
        folder: Папка модели с preprocessor_config.json или уже прочитанное содержимое этого файла.

    Returns:
        Тензор (B, C, H, W).

    Raises:
        FileNotFoundError: в папке нет preprocessor_config.json.
        ValueError: картинок нет или каналов не столько, сколько ждёт модель.
    """
    batch = images if isinstance(images, list) else [images]
    if not batch:
        raise ValueError("Картинок нет: список пуст.")
    if isinstance(folder, dict):
        settings = folder
    else:
        settings = picture_numbers(Path(folder, "preprocessor_config.json"), len(batch[0].getbands()))
    mean, std = torch.tensor(settings["image_mean"]), torch.tensor(settings["image_std"])
    size = (settings["size"]["width"], settings["size"]["height"])
    rows = []
    for image in batch:
        if image.mode not in ("L", "RGB"):
            raise ValueError(f"Картинка вида {image.mode}, а нужна RGB или L: приведите её функцией read_picture.")
        if len(image.getbands()) != len(mean):
            raise ValueError(f"У картинки каналов — {len(image.getbands())}, а модель ждёт {len(mean)}.")
        resized = image.resize(size, settings.get("resample", 2))  # 2 — билинейно, как в transformers
        numbers = torch.frombuffer(bytearray(resized.tobytes()), dtype=torch.uint8).float()
        rows.append(numbers.reshape(size[1], size[0], len(mean)).permute(2, 0, 1))  # (C, H, W)
    scaled = torch.stack(rows) * settings.get("rescale_factor", 1 / 255)
    return (scaled - mean[:, None, None]) / std[:, None, None]


def picture_numbers(path: Path, n_channels: int = 3) -> dict[str, Any]:
    """Читает preprocessor_config.json; размер бывает записан числом или меньшей стороной — станет квадратом.

    Args:
        path: Файл.
        n_channels: Сколько каналов у картинки, если нормировать не просят.

    Returns:
        Содержимое файла; в нём точно есть size (height и width), image_mean и image_std.

    Raises:
        FileNotFoundError: файла нет.
        ValueError: это не JSON, или чисел в нём не хватает.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Нет файла {path}: неизвестно, какими готовить картинки.")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        size = settings["size"]
        if not isinstance(size, dict):
            size = {"shortest_edge": size}
        height, width = (size[name] if name in size else size["shortest_edge"] for name in ("height", "width"))
        settings["size"] = {"height": int(height), "width": int(width)}
        if not settings.get("do_normalize", True):
            settings |= {"image_mean": [0.0] * n_channels, "image_std": [1.0] * n_channels}
        if len(settings["image_mean"]) != len(settings["image_std"]):
            raise ValueError("в image_mean и image_std чисел не поровну")
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise ValueError(
            f"{path}: нужны size, image_mean и image_std, а прочлось не всё ({type(error).__name__}: {error})."
        ) from error
    return settings
