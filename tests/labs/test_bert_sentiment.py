"""Лабораторная о тональности на настоящих данных: SST-2 читается с диска таким, каким его отдаёт GLUE."""

import zipfile
from pathlib import Path

import pytest

from docs_build.labs import load_lab
from docs_build.project import LABS

LAB = LABS / "bert-sentiment.py"
SETTINGS, IMPORTS, DATA = (block.code for block in load_lab(LAB).page.blocks[:3])
# Так лежит на диске: кавычка — знак текста, перед табуляцией бывает пробел, буквы не только латинские.
TRAIN = [('hide new secretions from the "parental units ', 0), ("café society is a delight ", 1)] * 20
DEV = [("it 's a charming and often affecting journey . ", 1), ("unflinchingly bleak and desperate ", 0)]


def table(rows: list[tuple[str, int]]) -> str:
    return "sentence\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)


def run_up_to_data(folder: Path, real: bool = True) -> dict:
    """Выполняет ячейки тетради до данных включительно."""
    settings = SETTINGS.replace("REAL = False", f"REAL = {real}").replace('"data/SST-2"', repr(str(folder)))
    assert f"REAL = {real}" in settings and str(folder) in settings
    names = {"__name__": "__main__"}
    for code in (settings, IMPORTS, DATA):
        exec(compile(code, LAB.name, "exec"), names)
    return names


@pytest.fixture
def sst2(tmp_path: Path) -> Path:
    folder = tmp_path / "SST-2"
    folder.mkdir()
    (folder / "train.tsv").write_text(table(TRAIN), encoding="utf-8")
    (folder / "dev.tsv").write_text(table(DEV), encoding="utf-8")
    return folder


def test_real_data_on_disk_are_read(sst2: Path, capsys):
    (fold,) = run_up_to_data(sst2)["folds"]
    assert (len(fold.train), len(fold.valid), len(fold.test)) == (36, 4, 2 + 560)
    assert sorted((r.text, r.label) for r in fold.train + fold.valid) == sorted((t.strip(), n) for t, n in TRAIN)
    assert [(r.text, r.label, r.trait) for r in fold.test[:2]] == [(t.strip(), n, "SST-2") for t, n in DEV]
    assert "проверка — SST-2: учим 36" in capsys.readouterr().out


def test_missing_data_are_downloaded_and_unpacked(sst2: Path, tmp_path: Path, monkeypatch):
    asked = []

    def download(url: str, target: str, hash_prefix: str) -> None:
        asked.append((url, len(hash_prefix)))
        with zipfile.ZipFile(target, "w") as archive:
            for name in "train.tsv", "dev.tsv", "test.tsv":
                source = sst2 / name
                archive.writestr(f"SST-2/{name}", source.read_text("utf-8") if source.exists() else "")

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    folder = tmp_path / "new" / "SST-2"
    (fold,) = run_up_to_data(folder)["folds"]
    assert asked == [("https://dl.fbaipublicfiles.com/glue/data/SST-2.zip", 16)]
    assert len(fold.train) == 36 and (folder / "dev.tsv").read_bytes() == (sst2 / "dev.tsv").read_bytes()


def test_no_domain_is_both_learned_and_asked(tmp_path: Path):
    for fold in run_up_to_data(tmp_path, real=False)["folds"]:
        domains = [{review.domain for review in part} for part in (fold.train, fold.valid, fold.test)]
        assert not domains[0] & domains[1] | domains[1] & domains[2] | domains[0] & domains[2]
        assert {review.trait for review in fold.train + fold.valid} == {"plain"}
