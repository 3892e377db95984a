"""The doctor: what check-data finds in data, and what it does not say of sound data."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from runs.planted import write_planted


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own, where reports are written."""
    (tmp_path / "conf").mkdir()
    return tmp_path


def check(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reprise", "check-data", *words]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open() as opened:
        return list(csv.DictReader(opened))


@pytest.mark.slow
def test_thirty_planted_defects_are_found_and_nothing_else(project):
    planted = write_planted(project / "data")
    assert (len(planted), sum(map(len, planted.values()))) == (12, 31)
    words = ["dataset.split=split", "dataset.group=patient", "dataset.channels=3"]
    words += ["dataset.table=data/table.csv", "dataset.image_size=[64,64]"]
    done = check(project, "experiment=table", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    found: dict[str, set[frozenset[str]]] = {}
    for row in rows_of(project / "runs/check/table/check.csv"):
        names, quoted = row["samples"].split(" | "), row["message"].split("'")[1::2]
        if row["kind"] in ("group", "rare label", "missing label"):
            names = quoted[:1]
        elif row["kind"] == "class balance":
            names = quoted[1:]
        found.setdefault(row["kind"], set()).add(frozenset(names))
    assert found == planted
