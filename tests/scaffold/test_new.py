"""A new project: what is guessed of the data, what is written, and that it trains and passes."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from datasets.mariadb import PASSWORD, USER
from tiny import write_arrays

from reprise.config.check import check
from reprise.errors import UserError
from reprise.scaffold.new import new_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project on a few arrays."""
    place = tmp_path_factory.mktemp("place")
    write_arrays(place / "birds.npz")
    new_project(place / "birds", "arrays", str(place / "birds.npz"), "", [])
    return place / "birds"


def test_it_has_few_files_and_a_config_that_is_sound(project):
    files = [path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts]
    machines = {"requirements.lock", "requirements-gpu.lock", "birds.npz"}
    own = [path for path in files if path.name not in machines and path.suffix != ".whl"]
    assert len(own) <= 15
    assert sum(len(path.read_text().splitlines()) for path in own) <= 300
    assert not [path for path in own if "://" in path.read_text()]  # no address of an index
    assert (project / "data/birds.npz").is_symlink()
    composed = check(["experiment=birds"], project / "conf")
    assert composed.choices["model"] == "cnn"
    assert composed.values["trainer"]["monitor"] == "valid/loss"


def test_a_folder_that_is_not_empty_and_words_that_mean_nothing_are_refused(project, tmp_path):
    with pytest.raises(UserError, match="is not empty"):
        new_project(project, "arrays", "", "", [])
    with pytest.raises(UserError, match="kind=… is wrong"):
        new_project(tmp_path / "other", "array", "", "", [])
    with pytest.raises(UserError, match="no inputs and labels"):
        new_project(tmp_path / "other", "arrays", str(project / "conf"), "", [])
    assert not [*tmp_path.iterdir()]


def test_what_is_typed_reaches_the_verb_as_it_was_typed(project):
    (project / ".venv/bin").mkdir(parents=True, exist_ok=True)
    reprise = project / ".venv/bin/reprise"
    reprise.write_text('#!/bin/bash\nprintf "<%s>" "$@"\n')
    reprise.chmod(0o755)
    (project / ".venv/.ready").touch()
    typed = ["train", "exp=birds", "optimizer.learning_rate=choice(1,2)", "name=it's ${seed}"]
    typed += ["args=a=1 b=2"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(
        ["make", *typed], cwd=project, env=clean, capture_output=True, text=True, check=True
    )
    shutil.rmtree(project / ".venv")
    words = set(done.stdout[1:-1].split("><"))
    assert words == {
        "train", "experiment=birds", "optimizer.learning_rate=choice(1,2)", "name=it's ${seed}",
        "a=1", "b=2",
    }  # fmt: skip


@pytest.mark.slow
def test_it_trains_and_passes_its_tests_from_the_wheel(project):
    """`make setup` with a cache of uv's takes seconds; without one it fetches every package."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "PYTHON", "MLFLOW"))}
    for words in (["train", "trainer.epochs=1"], ["test"], ["check"]):
        done = subprocess.run(
            ["make", *words], cwd=project, env=clean, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert yaml.safe_load(next((project / "runs/birds").glob("*/config.yaml")).read_text())
    code = "import reprise, sys; print(reprise.__path__[0])"
    python = project / ".venv/bin/python"
    done = subprocess.run([python, "-c", code], cwd=project, capture_output=True, text=True)
    assert done.stdout.startswith(str(project))
    assert Path(sys.prefix) != project / ".venv"


@pytest.mark.slow
def test_the_password_of_a_database_is_not_written(mariadb, tmp_path, monkeypatch):
    monkeypatch.delenv("DB_PASSWORD", raising=False)
    columns = "shop INT, h INT, d INT, n DOUBLE, PRIMARY KEY (shop, h, d)"
    mariadb.execute(f"CREATE TABLE c ({columns})", "cells")
    places = itertools.product(range(9), range(4), range(4))
    cells = ", ".join(f"({i}, {h}, {d}, {i + h})" for i, h, d in places)
    mariadb.execute(f"INSERT INTO c VALUES {cells}", "cells")
    url = mariadb.url(USER).replace("@", f":{quote(PASSWORD, safe='')}@", 1)
    new_project(tmp_path / "shop", "rows", url, "", ["dataset.table=c"])
    text = (tmp_path / "shop/conf/experiment/shop.yaml").read_text()
    assert quote(PASSWORD, safe="") not in text
    assert "size: [4, 4]" in text
    assert "mysqlclient" in (tmp_path / "shop/requirements.lock").read_text()
    mariadb.execute("DROP TABLE c", "cells")
