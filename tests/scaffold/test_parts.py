"""Parts of one's own: written, checked, tested, and compared with what they were copied from."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a package of its own and nothing in it."""
    place = tmp_path_factory.mktemp("mine")
    for folder in ("conf/experiment", "src/mine"):
        (place / folder).mkdir(parents=True)
    (place / "src/mine/__init__.py").touch()
    return place


def reprise(project: Path, *words: str, module: str = "reprise") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", module, *words], cwd=project, capture_output=True, text=True
    )


def test_a_dataset_of_one_s_own_is_a_choice_as_any_other(project):
    done = reprise(project, "new-dataset", "name=depth")
    assert done.stdout.split()[:3] == [
        "src/mine/depth.py", "conf/dataset/depth.yaml", "tests/test_depth.py",
    ]  # fmt: skip
    words = ("dataset=depth", "model=cnn", "objective=classification")
    assert "_target_: mine.depth.Depth" in reprise(project, "config", *words).stdout
    done = reprise(project, "new-dataset", "name=depth")
    assert done.returncode == 2
    assert "name=depth cannot be used" in done.stderr


def test_updates_show_what_changed_since_a_file_was_copied(project):
    assert reprise(project, "new-model", "name=rows", "from=mlp").returncode == 0
    assert (
        "src/mine/rows.py: nothing changed in models/mlp.py" in reprise(project, "updates").stdout
    )
    kept = project / "vendor/ejected/mine.rows.py"
    kept.write_text(kept.read_text().replace("activation=activation", "activation='relu'"))
    said = reprise(project, "updates").stdout
    assert "src/mine/rows.py: changed in models/mlp.py" in said
    assert "+        x = keras.layers.Dense(width, activation=activation)(x)" in said
    assert (
        "from=mpl is no model to copy" in reprise(project, "new-model", "name=a", "from=mpl").stderr
    )


@pytest.mark.slow
@pytest.mark.parametrize("group", ["dataset", "model", "objective"])
def test_each_part_passes_its_tests_at_once(project, group):
    assert reprise(project, f"new-{group}", f"name=my_{group}").returncode == 0
    done = reprise(project, "-o", "pythonpath=src", f"tests/test_my_{group}.py", module="pytest")
    assert done.returncode == 0, done.stdout
