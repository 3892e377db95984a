"""Runs in Python: what a run and the table of all runs give, and the notebook of the docs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_runs import made_run
from run_folders import write_run
from tiny import ROOT, new_store, write_arrays

import reprise
from reprise.errors import UserError


def test_a_run_has_what_its_folder_holds(tmp_path):
    write_run(tmp_path, "a", result={"test/iou": 0.5})
    write_run(tmp_path, "b", epochs=2)
    run = reprise.load("a", tmp_path)
    assert (run.id, run.experiment, run.status) == ("a", "digits", "finished")
    assert run.result == {"test/iou": 0.5}
    assert run.config["trainer"]["epochs"] == 8
    metrics = run.metrics()
    assert [*metrics.index] == [1, 2, 3]
    assert [*metrics["train/loss"]] == [2.0, 1.0, 2 / 3]
    table = reprise.runs(tmp_path)
    assert [*table.index] == ["b", "a"]
    assert [*table.columns[:3]] == ["experiment", "status", "test/iou"]
    assert np.isnan(table.loc["b", "test/iou"])
    assert table.loc["a", "optimizer.learning_rate"] == "0.001"
    with pytest.raises(UserError, match="no run 'c'"):
        reprise.load("c", tmp_path)


def test_arrays_that_training_would_not_have_given_are_refused(tmp_path):
    write_arrays(tmp_path / "a.npz")
    folder = made_run(tmp_path / "runs", "experiment=digits", f"dataset.file={tmp_path}/a.npz")
    run = reprise.load(folder, tmp_path / "runs")
    x = np.stack([x for x, _ in run.dataset("test")[:3]])
    answers = run.predict(x)
    assert np.array_equal(run.predict(x.tolist()), answers)
    assert np.array_equal(run.predict(x.astype(float)), answers)
    for wrong in (x / 255, x.astype(int) + 300, np.full(x.shape, np.nan), x[:, 1:], x.astype(str)):
        with pytest.raises(UserError, match="do not fit the model"):
            run.predict(wrong)
    with pytest.raises(UserError, match="batch=some cannot be used"):
        run.predict(x, batch="some")
    with pytest.raises(UserError, match="no option 'tiles'"):
        run.predict("test", tiles=2)
    best = folder / "checkpoints/best.keras"
    best.write_bytes(best.read_bytes()[:5000])
    with pytest.raises(UserError, match="cannot be loaded"):
        reprise.load(folder, tmp_path / "runs").predict(x)


def test_a_bare_import_costs_nothing_and_names_what_there_is():
    program = (
        "import sys, reprise\n"
        "assert not {'numpy', 'pandas', 'keras', 'mlflow'} & set(sys.modules)\n"
        "import reprise.runs.load\n"
        "assert callable(reprise.runs)\n"
        "try: reprise.lod\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "no attribute 'lod'" in done.stdout, done.stderr


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    cells = json.loads((ROOT / "docs/notebook.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 11
    (tmp_path / "conf").mkdir()
    new_store(tmp_path)
    program = tmp_path / "notebook.py"
    program.write_text("\n\n".join([*code, "print(type(run.pictures()['curves']).__name__)"]))
    done = subprocess.run(
        [sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "PngImageFile"
    assert len([*Path(tmp_path).glob("runs/iris_rows/*/result.json")]) == 1
