"""The wheel, installed apart from any checkout, in a folder that has only a conf/."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from reprise.project import ROOT as ENGINE
from reprise.scaffold.engine import pack, stamped

MINE = """\
# @package _global_
defaults:
  - digits
  - _self_
trainer:
  epochs: 1
  steps_per_epoch: 3
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the source, because the build leaves files behind."""
    source = tmp_path_factory.mktemp("source")
    for name in ("src", "conf"):
        shutil.copytree(ENGINE / name, source / name, symlinks=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", *map(str, ENGINE.glob("*.lock"))):
        shutil.copy(ENGINE / name, source)
    uv(source, "build", "--wheel", "--no-build-isolation", "--out-dir", "dist")
    return next((source / "dist").glob("*.whl"))


def uv(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "uv", *words, "--offline"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_it_contains_conf_and_the_makers_of_the_sample_data(wheel):
    with zipfile.ZipFile(wheel) as archive:
        shipped = set(archive.namelist())
    files = (ENGINE / "conf").rglob("*.yaml")
    conf = {f"reprise/{file.relative_to(ENGINE)}" for file in files}
    assert {name for name in shipped if name.endswith(".yaml")} == conf
    assert "reprise/samples/digits.py" in shipped
    assert "reprise/runs/report.html" in shipped
    own = ENGINE / "src/reprise/scaffold"
    files = [path for path in own.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {f"reprise/{path.relative_to(own.parent)}" for path in files} <= shipped


def test_what_a_project_gets_in_vendor_has_the_same_files(wheel, tmp_path):
    def held(file: Path) -> set[str]:
        with zipfile.ZipFile(file) as archive:
            names = {name for name in archive.namelist() if name.startswith("reprise/")}
            about = f"{file.name.partition('-py3')[0]}.dist-info"
            assert b"[console_scripts]" in archive.read(f"{about}/entry_points.txt")
            return names

    packed = pack(tmp_path / "vendor")
    assert held(packed) == held(wheel)
    again = stamped(packed, tmp_path / "again")
    assert (again.name, again.read_bytes()) == (packed.name, packed.read_bytes())


@pytest.mark.slow
def test_a_folder_with_a_conf_is_all_that_a_project_needs(wheel, tmp_path):
    """Neither git nor DVC, nor a lock file: what stands in PATH is the environment's own."""
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    uv(tmp_path, "pip", "install", "--no-deps", "--python", str(environment), str(wheel))
    (site,) = environment.glob("lib/python*/site-packages")
    # the locked packages, but not the editable reprise: a .pth of a folder added so is not read
    (site / "packages.pth").write_text(sysconfig.get_path("purelib"))
    folder = tmp_path / "folder"
    (folder / "conf/experiment").mkdir(parents=True)
    (folder / "conf/experiment/mine.yaml").write_text(MINE)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "PYTHON"))}

    def reprise(*words: str) -> str:
        done = subprocess.run(
            [environment / "bin/reprise", *words],
            cwd=folder,
            env={**clean, "PATH": str(environment / "bin")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    few = ("trainer.epochs=1", "trainer.steps_per_epoch=3")
    assert "is finished: runs/digits/" in reprise("train", "experiment=digits", *few)
    made = {path.name for path in folder.iterdir()}
    assert made == {"conf", "data", "mlartifacts", "mlflow.db", "runs"}
    assert [path.name for path in (folder / "data").iterdir()] == ["digits"]
    trained = reprise("train", "experiment=mine")
    assert [line.split()[1] for line in reprise("runs").splitlines()] == ["digits", "mine"]
    scored = dict(line.split() for line in reprise("evaluate", "run=last").splitlines())
    assert f"{float(scored['test/accuracy']):.4f}" in trained
