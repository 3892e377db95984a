import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from reprise.cli import doctor
from reprise.files import write_text

SCRIPT = Path(doctor.__file__)


def ask(folder: Path, *words: str, **environment: str) -> tuple[int, dict[str, str]]:
    """The exit code, and by what was looked at the mark and the rest of the line."""
    command = [*words, str(SCRIPT)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert not done.stderr
    lines = [
        re.fullmatch(r"(\w+) +(DVC remote|MLflow store|\w+) +(.*)", line).groups()
        for line in done.stdout.splitlines()
    ]
    return done.returncode, {what: f"{mark} {rest}" for mark, what, rest in lines}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "conf").mkdir()
    return tmp_path


def test_a_sound_machine_lacks_nothing_that_training_needs(root):
    code, found = ask(root, sys.executable)
    assert code == 0
    for name in ("Python", "tensorflow", "keras", "mlflow", "dvc", "CPU", "project", "temporary"):
        assert found[name].startswith("OK"), found[name]


def test_without_packages_and_programs_it_says_what_to_do(root):
    code, found = ask(root, sys.executable, "-I", "-S", PATH="")
    assert code == 2
    assert found["tensorflow"] == "MISS not installed; to do: make setup"
    assert found["git"].startswith("note none; to do: install it")
    assert "pkg-config" in found["MySQL"]


def test_what_is_not_as_it_should_be_is_noted(root):
    write_text(root / "requirements.lock", "tensorflow==2.99.0 \\\n")
    write_text(root / ".dvc/config", "['remote \"a\"']\n    url = azure://me:secret@there/%bees\n")
    write_text(root / "data/bees.dvc", "outs: []")
    store = f"sqlite:///{root / 'broken.db'}"
    write_text(root / "broken.db", "no database" * 99)
    code, found = ask(root, sys.executable, MLFLOW_TRACKING_URI=store)
    assert code == 0
    assert found["tensorflow"].endswith("to do: make setup, for 2.99.0")
    assert found["DVC remote"] == "note azure://there/%bees; to do: make setup args=azure"
    assert found["data"] == "note not pulled yet: bees; to do: make data"
    assert "file is not a database" in found["MLflow store"]
    code, found = ask(root, sys.executable, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert "Connection refused" in found["MLflow store"]
    sqlite3.connect(root / "mlflow.db").execute("create table runs (a)").close()
    assert ask(root, sys.executable)[1]["MLflow store"] == "OK sqlite:///mlflow.db"
