"""Every experiment of ours, shrunk by debug=smoke, from its sample data to a recorded result."""

import json
from pathlib import Path

import pytest
from shipped import CONF
from tiny import new_store, reprise

# The quickest is the guard of them all.
SLOW = set(CONF["experiment"]) - {"iris"}
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in CONF["experiment"]
]


def test_there_are_eight():
    assert len(NAMES) == 8


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_scores_and_draws(name, tmp_path):
    words = [f"experiment={name}", "debug=smoke", f"tracking.runs={tmp_path}"]
    done = reprise("train", *words, f"tracking.uri={new_store(tmp_path)}")
    assert done.returncode == 0, done.stderr[-2000:]
    (folder,) = (path.parent for path in Path(tmp_path).glob("*/*/result.json"))
    result = json.loads((folder / "result.json").read_text())
    assert {"valid/loss", "test/loss"} <= result.keys()
    pictures = {path.name for path in folder.rglob("*.png")}
    assert {"inputs.png", "best_test.png", "curves.png"} <= pictures


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", CONF["experiment"])
def test_a_run_of_it_is_reproduced_identical(name, workers, tmp_path):
    """Without debug=…, whose runs are apart, but of two short epochs."""
    words = [f"experiment={name}", f"tracking.runs={tmp_path}/runs", f"loader.workers={workers}"]
    words += ["trainer.epochs=2", "trainer.steps_per_epoch=3", "loader.batch_size=2"]
    done = reprise("train", *words, f"tracking.uri={new_store(tmp_path)}")
    assert done.returncode == 0, done.stderr[-2000:]
    again = reprise("reproduce", "run=last", f"runs={tmp_path}/runs")
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
    assert "\nidentical: " in again.stdout
