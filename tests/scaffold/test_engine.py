"""Another engine for a project, what it changes, and the way back."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from reprise.scaffold.engine import pack

MAKEFILE = "engine := vendor/old.whl\n.PHONY: setup test\nsetup test:\n\t@echo $@\n"
PYTHON = '#!/bin/bash\nPYTHONPATH={} exec {} "$@"\n'  # as if make setup had installed the wheel
DIGITS = "# @package _global_\ndefaults:\n  - digits\n  - _self_\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an experiment, an engine in vendor/, and another one beside it."""
    place = tmp_path / "project"
    for folder in ("conf/experiment", "vendor", ".venv/bin"):
        (place / folder).mkdir(parents=True)
    (place / "vendor/old.whl").touch()
    (place / "Makefile").write_text(MAKEFILE)
    (place / "pyproject.toml").write_text('dependencies = ["reprise"]\n')
    (place / "conf/experiment/mine.yaml").write_text(DIGITS)
    for name in ("requirements.lock", "requirements-gpu.lock"):
        (place / name).write_text("old\n")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(pack(tmp_path)) as archive:
        archive.extractall(installed)
    trainer = installed / "reprise/conf/trainer/default.yaml"
    trainer.write_text(trainer.read_text().replace("num_pictures: 8", "num_pictures: 4"))
    python = place / ".venv/bin/python"
    python.write_text(PYTHON.format(installed, sys.executable))
    python.chmod(0o755)
    return place


def update(project: Path, word: str) -> str:
    command = [sys.executable, "-m", "reprise", "update-engine", word]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_update_says_what_changes_and_one_command_takes_it_back(project):
    (wheel,) = project.parent.glob("*.whl")
    said = update(project, f"to={wheel}").splitlines()
    assert said == [
        f"engine: vendor/old.whl -> vendor/{wheel.name}",
        "mine: changes",
        "  trainer.num_pictures: 8 -> 4",
        "test",
        "back:  make update-engine back=true",
    ]
    assert f"engine := vendor/{wheel.name}\n" in (project / "Makefile").read_text()
    assert "hydra-core==" in (project / "requirements.lock").read_text()
    update(project, "back=true")
    assert (project / "Makefile").read_text() == MAKEFILE
    assert [file.name for file in (project / "vendor").iterdir()] == ["old.whl"]
    assert (project / "requirements.lock").read_text() == "old\n"
