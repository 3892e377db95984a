"""What a finished run keeps of its weights, and what the verbs say where that is missing."""

import pytest
from mlflow import MlflowClient
from tiny import array_words, reprise, write_arrays

from reprise.tracking.journal import delivered


def used(*folders):
    """Bytes that weights take under these folders, hard links counted once."""
    kinds = ("*.keras", "*.npz")
    stats = [path.stat() for folder in folders for kind in kinds for path in folder.rglob(kind)]
    return sum({stat.st_ino: stat.st_size for stat in stats}.values())


SLOW = [pytest.param(keep, marks=pytest.mark.slow) for keep in ("all", "none")]


@pytest.mark.parametrize("keep", ["best", *SLOW])
def test_a_finished_run_can_be_evaluated_and_extended_as_far_as_it_keeps_what_that_takes(
    keep, tmp_path
):
    words = array_words(write_arrays(tmp_path / "digits.npz"), tmp_path)
    done = reprise("train", *words, f"tracking.keep={keep}")
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs/digits").iterdir()
    store = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    artifacts = {file.path for file in store.list_artifacts(delivered(run).mlflow_id)}
    assert ("model" in artifacts) == (keep != "none")
    assert "checkpoints" not in artifacts
    best = run / "checkpoints/best.keras"
    if keep != "none":
        times = used(run, tmp_path / "mlartifacts") / best.stat().st_size
        assert times < (4.5 if keep == "all" else 1.1)
    if keep == "all":  # other tests evaluate and extend such runs
        return
    where = (f"run={run.name}", f"runs={tmp_path}/runs")
    evaluated = reprise("evaluate", *where)
    extended = reprise("resume", *where, "trainer.epochs=3")
    assert evaluated.returncode == (2 if keep == "none" else 0), evaluated.stderr
    assert extended.returncode == 2, extended.stderr
    if keep == "none":
        assert "trained with tracking.keep=none" in evaluated.stderr
    assert f"tracking.keep={keep}" in extended.stderr
    assert "no training state to go on from" in extended.stderr
