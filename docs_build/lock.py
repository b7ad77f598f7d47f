"""`python -m docs_build.lock` — закрепляет версии установленных библиотек.

Два файла, потому что от них зависит разное: `lessons.lock` — то, что исполняет код уроков, и входит в ключ
каждой записи; `site.lock` — то, что показывает и проверяет сайт и учит модели командой. Библиотек CUDA в них нет:
их точные версии выбирает сам PyTorch, а на машине без видеокарты они не нужны.
"""

import importlib.metadata
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs_build.project import ROOT

REQUIREMENTS = ROOT / "requirements"
CUDA = ("nvidia-", "cuda-", "triton")


def main() -> None:
    """Пишет оба файла."""
    lessons = closure(read_requirements("lessons"))
    rest = closure(requirement for name in ("site", "test", "train") for requirement in read_requirements(name))
    write_lock("lessons", lessons)
    write_lock("site", {name: version for name, version in rest.items() if name not in lessons})


def read_requirements(name: str) -> list[Requirement]:
    """Строки requirements/<name>.txt."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def closure(requirements: Iterable[Requirement]) -> dict[str, str]:
    """Всё, что нужно названным библиотекам, с установленными версиями."""
    versions: dict[str, str] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = str(canonicalize_name(requirement.name))
        if (name, frozenset(requirement.extras)) in done or name.startswith(CUDA):
            continue
        done.add((name, frozenset(requirement.extras)))
        distribution = importlib.metadata.distribution(name)
        versions[name] = distribution.version.partition("+")[0]
        for line in distribution.requires or []:
            needed = Requirement(line)
            extras = ["", *requirement.extras]
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return versions


def write_lock(name: str, versions: dict[str, str]) -> None:
    """Пишет requirements/<name>.lock."""
    lines = [f"{package}=={version}" for package, version in sorted(versions.items())]
    header = "# Получено командой make lock. Руками не править.\n"
    (REQUIREMENTS / f"{name}.lock").write_text(header + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
