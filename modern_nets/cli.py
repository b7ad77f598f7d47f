"""Команда modern-nets: спросить модель под рукой, обучить её заново, измерить; дообучить на своих данных."""

import argparse
import errno
import io
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from modern_nets import ask, embedded
from modern_nets.config import unknown_name
from modern_nets.finetune.options import add_commands
from modern_nets.training.processes import is_reporter

if TYPE_CHECKING:
    from modern_nets.training.recipes import Recipe

_NEEDS = 'Нужны ещё библиотеки (нет {name}): поставьте пакет с набором train: в папке курса pip install -e ".[train]".'
_RESUMES = {
    "train": " Та же команда из той же папки продолжит с последнего чекпоинта.",
    "finetune": " Та же команда с --resume продолжит с последнего чекпоинта.",
}


def main(arguments: list[str] | None = None) -> int:
    """Выполняет команду.

    Args:
        arguments: Слова команды; None — из командной строки.

    Returns:
        0, если всё сделано; 1, если нет (причина напечатана); 130, если прервали.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # в старой консоли Windows не все буквы выводимы
            stream.reconfigure(errors="replace")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ModuleNotFoundError as error:
        print(_NEEDS.format(name=error.name), file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        if is_reporter():  # остальные процессы машины сказали бы то же самое
            print(f"Не вышло. {_in_russian(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if is_reporter():
            print(f"\nПрервано.{_RESUMES.get(options.command, '')}", file=sys.stderr)
        return 130
    return 0


def _in_russian(error: Exception) -> str:
    """Сообщение; у ошибки самой системы — причина по-русски."""
    if not isinstance(error, OSError) or (reason := _SYSTEM.get(error.errno or 0)) is None:
        return str(error)
    return f"{error.filename}: {reason}." if error.filename else f"{reason[0].upper()}{reason[1:]}."


_SYSTEM = {
    errno.EACCES: "нет прав",
    errno.EPERM: "нет прав",
    errno.ENOSPC: "на диске нет места",
    errno.EROFS: "диск только для чтения",
    errno.ENOENT: "нет такого файла",
    errno.ENAMETOOLONG: "имя слишком длинное",
}
"""Ошибка системы → причина."""


class _Help(argparse.HelpFormatter):
    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """Вместо «usage:» — по-русски."""
        super().add_usage(usage, actions, groups, "как писать: " if prefix is None else prefix)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, formatter_class=_Help, add_help=False)
        self._positionals.title, self._optionals.title = "что назвать", "параметры"
        self.add_argument("-h", "--help", action="help", help="показать эту подсказку")

    def error(self, message: str) -> NoReturn:
        """Сообщения argparse — английские: вместо них — что не так по-русски и как команда пишется."""
        plain = message.replace("'", "")  # в кавычках ли значения, зависит от версии Python
        said = next((said.format(*found.groups()) for pattern, said in _SAID if (found := pattern(plain))), "")
        self.exit(2, f"Команда записана не так. {said}\n{self.format_usage()}Подробнее: {self.prog} --help\n")


_SAID = [
    (re.compile(r"argument (\S+): invalid int value: (.+)").fullmatch, "{0} — целое число, а пришло «{1}»."),
    (re.compile(r"argument (\S+): invalid float value: (.+)").fullmatch, "{0} — число, а пришло «{1}»."),
    (re.compile(r"ambiguous option: (.+) could match (.+)").fullmatch, "{0} — это которое из: {1}?"),
    (re.compile(r"argument (\S+): ignored explicit argument (.+)").fullmatch, "У {0} значения не бывает."),
    (re.compile(r"argument (\S+): invalid choice: (.+) \(choose from (.+)\)").fullmatch, "{0} — {2}, а пришло «{1}»."),
    (re.compile(r"argument (\S+): expected .*").fullmatch, "После {0} нет значения."),
    (re.compile(r"the following arguments are required: (.+)").fullmatch, "Не хватает: {0}."),
    (re.compile(r"unrecognized arguments: (.+)").fullmatch, "Лишнее: {0}."),
]
"""Ошибка argparse → она же по-русски."""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="modern-nets", description="Модели: спросить, обучить заново, измерить, дообучить.")
    commands = parser.add_subparsers(title="команды", dest="command", required=True, metavar="команда")

    command = commands.add_parser("list", help="какие модели лежат под рукой")
    command.set_defaults(run=_list)

    command = commands.add_parser("ask", help="спросить модель: modern-nets ask tiny-bert-ru мол_ко")
    command.add_argument("name", metavar="имя", help=", ".join(_QUESTIONS))
    command.add_argument("text", metavar="вход", help="слово с «_», «фамилия:Шир», начало кода или файл с цифрой")
    command.add_argument("--temperature", type=float, default=None, metavar="T", help="0 — жадно; больше — случайнее")
    command.add_argument("--top-p", type=float, default=None, metavar="P", help="только вероятные, всего на долю P")
    command.add_argument("--truncate", action="store_true", help="от длинного кода прочесть только конец")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="зерно случайного выбора")
    command.set_defaults(run=_ask)

    command = commands.add_parser("train", help="обучить модель заново, с чекпоинтами")
    command.add_argument("name", metavar="имя", help="имя модели под рукой")
    place = command.add_mutually_exclusive_group()
    place.add_argument("--out", type=Path, default=Path("models"), metavar="папка", help="куда положить (models)")
    place.add_argument("--embed", action="store_true", help="заменить модель в самом пакете")
    command.add_argument("--device", default="cpu", metavar="устройство", help="cpu, cuda или mps")
    command.add_argument("--overwrite", action="store_true", help="заменить прежнюю модель в этой папке")
    command.set_defaults(run=_train)

    command = commands.add_parser("evaluate", help="измерить модель под рукой (или из папки) заново")
    command.add_argument("name", metavar="имя", help="имя модели под рукой")
    command.add_argument("--folder", type=Path, default=None, metavar="папка", help="папка модели, обученной заново")
    command.add_argument("--device", default="cpu", metavar="устройство", help="cpu, cuda или mps")
    command.set_defaults(run=_evaluate)

    add_commands(commands)
    return parser


def _list(options: argparse.Namespace) -> None:
    for name in embedded.names():
        try:
            folder = embedded.at_hand(name)
        except OSError as error:
            print(f"{name:17} {error}")
            continue
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        print(f"{name:17} {size / 1e6:5.1f} МБ  {folder}")


def _letters(text: str, options: argparse.Namespace) -> None:
    for guess in ask.guess_letters(text):
        shown = "  ".join(f"{letter} {chance:.1%}" for letter, chance in guess.letters)
        print(f"место {guess.place}: {shown}")


def _names(text: str, options: argparse.Namespace) -> None:
    kind, colon, start = text.partition(":")
    if not colon:
        raise ValueError(f"Вход — «вид:начало», например «фамилия:Шир»; виды: {', '.join(ask.KINDS)}.")
    temperature = 1.0 if options.temperature is None else options.temperature
    n = 5 if temperature else 1  # жадный ответ один
    invented = ask.invent_names(kind, start, n=n, temperature=temperature, top_p=options.top_p, seed=options.seed)
    print("\n".join(invented))


def _code(text: str, options: argparse.Namespace) -> None:
    sampling = {"temperature": options.temperature or 0.0, "top_p": options.top_p, "seed": options.seed}
    print(ask.continue_code(text, truncate=options.truncate, **sampling))


def _digit(text: str, options: argparse.Namespace) -> None:
    print("  ".join(f"{digit} {chance:.1%}" for digit, chance in ask.recognize_digit(text)[:3]))


_QUESTIONS = {"tiny-bert-ru": _letters, "tiny-gpt-ru": _names, "tiny-gpt-py": _code, "tiny-vit": _digit}


def _ask(options: argparse.Namespace) -> None:
    if options.name not in _QUESTIONS:
        raise ValueError(f"Этой модели вопроса не задать. {unknown_name('Имени', options.name, list(_QUESTIONS))}")
    if options.name in ("tiny-bert-ru", "tiny-vit") and (options.temperature, options.top_p) != (None, None):
        raise ValueError(f"{options.name} отвечает без случайности: --temperature и --top-p здесь ничего не меняют.")
    _QUESTIONS[options.name](options.text, options)


def _train(options: argparse.Namespace) -> None:
    from modern_nets.training.card import finish
    from modern_nets.training.loop import forget
    from modern_nets.training.processes import find_device
    from modern_nets.training.recipes import RECIPES

    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ValueError("Модели под рукой малы: train учит одним процессом. На многих учит modern-nets finetune.")
    recipe, device = _recipe(options.name, RECIPES), find_device(options.device)
    place = embedded.FOLDER if options.embed else options.out
    folder, draft = place / options.name, place / f".{options.name}.part"
    if folder.is_symlink() or any(path.exists() and not path.is_dir() for path in (place, folder, draft)):
        raise ValueError(f"На месте папки {folder} лежит файл или ссылка. Укажите другую папку: --out.")
    if folder.exists() and not (options.overwrite or options.embed):
        raise ValueError(f"{folder} уже есть. Укажите другую папку (--out) или разрешите заменить (--overwrite).")
    run_folder = Path(".cache/training") / options.name
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        history = recipe.build(draft, run_folder, device, recipe.plan)
        print("Обучено. Измеряем…", flush=True)
        finish(options.name, draft, history, recipe.plan, recipe.measure(draft, run_folder, device))
        embedded.write_checksums(draft)
        _replace(folder, draft)
        forget(run_folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    print(f'Готово: {folder}. Загрузить: from_pretrained("{folder}").')


def _replace(folder: Path, draft: Path) -> None:
    """Ставит готовую папку на место; прежняя удаляется последней, и без модели место не остаётся."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _evaluate(options: argparse.Namespace) -> None:
    from modern_nets.training.card import quality_table
    from modern_nets.training.processes import find_device
    from modern_nets.training.recipes import RECIPES

    recipe, device = _recipe(options.name, RECIPES), find_device(options.device)
    folder = options.folder or embedded.at_hand(options.name)
    if not folder.is_dir():
        raise ValueError(f"Папка {folder} не найдена.")
    print(quality_table(options.name, recipe.measure(folder, Path(".cache/training") / options.name, device)))


def _recipe(name: str, recipes: "dict[str, Recipe]") -> "Recipe":
    if name not in recipes:
        raise ValueError(unknown_name("Рецепта модели", name, list(recipes)))
    return recipes[name]
