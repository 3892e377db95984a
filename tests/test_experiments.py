"""Every experiment of conf/, shrunk by debug=smoke, from its sample data to a recorded result."""

import json
from pathlib import Path

import pytest
from tiny import ROOT, reprise

NAMES = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))


def test_every_experiment_is_found():
    assert len(NAMES) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_scores_and_draws(name, tmp_path):
    words = [f"experiment={name}", "debug=smoke", f"tracking.runs={tmp_path}"]
    done = reprise("train", *words, f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    assert done.returncode == 0, done.stderr[-2000:]
    (folder,) = (path.parent for path in Path(tmp_path).glob("*/*/result.json"))
    result = json.loads((folder / "result.json").read_text())
    assert {"valid/loss", "test/loss"} <= result.keys()
    pictures = {path.name for path in folder.rglob("*.png")}
    assert {"inputs.png", "best_test.png", "curves.png"} <= pictures
