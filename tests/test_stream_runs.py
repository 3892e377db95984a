"""A stream through the verbs: what a run records of it, and what it says when the data changed."""

import json

import pytest
from tiny import reprise, short

from reprise.runs.experiment import compose_and_check, open_data

NAMES = ("setosa", "versicolor", "virginica")


def words(folder, count=60) -> list[str]:
    rows = [f"{i % 3}.5,{i % 7},1.5,{i % 5},{NAMES[i % 3]}" for i in range(count)]
    (folder / "iris.csv").write_text("\n".join(["a,b,c,d,species", *rows]) + "\n")
    return ["experiment=iris", f"dataset.source.files={folder}/iris.csv"]


def opened(folder, *more: str):
    return open_data(compose_and_check([*words(folder), *more]).values)


def test_sizes_are_known_once_they_were_counted(tmp_path):
    data = opened(tmp_path)
    assert data.sizes() == {"train": None, "valid": None, "test": None}
    data.learn()
    assert data.sizes() == {"train": 30, "valid": None, "test": None}
    members = data.members()
    assert [own["num_samples"] for own in members.values()] == [30, 6, 24]
    assert members["valid"]["rule"] == "samples whose lot of seed 0 is from 0.4 to below 0.5"


def test_a_thorough_check_reads_every_sample(tmp_path):
    data = opened(tmp_path)
    file = tmp_path / "iris.csv"
    file.write_text(file.read_text().replace("0.5,0,1.5,0,setosa", "0.5,0,1.5,x,setosa"))
    assert any("iris.csv, line" in problem for problem in data.problems(thorough=True))


def test_overfit_keeps_a_few_samples_for_both_splits(tmp_path):
    data = opened(tmp_path, "debug=overfit")
    data.learn()
    assert data.sizes() == {"train": 4, "valid": 4}
    with data.loader("train", batch_size=4) as one, data.loader("valid", batch_size=4) as other:
        (x, _), (p, _) = next(one.batches()), next(other.batches())
    assert sorted(x.tolist()) == sorted(p.tolist())


@pytest.mark.slow
def test_a_run_is_scored_again_to_the_digit_and_changed_data_are_refused(tmp_path):
    done = reprise("train", *words(tmp_path), *short(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    (folder,) = (tmp_path / "runs").glob("*/*-*")
    splits = json.loads((folder / "splits.json").read_text())
    assert {split: own["num_samples"] for split, own in splits.items()} == {
        "train": 30, "valid": 6, "test": 24,
    }  # fmt: skip
    again = reprise("evaluate", f"run={folder.name}", f"runs={tmp_path}/runs")
    assert again.returncode == 0, again.stderr[-2000:]
    table = next(line for line in done.stdout.splitlines() if line.startswith("| accuracy"))
    scored = next(line for line in again.stdout.splitlines() if "test/accuracy" in line)
    assert float(scored.split()[1]) == pytest.approx(float(table.split("|")[3]), abs=1e-4)
    words(tmp_path, count=66)
    changed = reprise("evaluate", f"run={folder.name}", f"runs={tmp_path}/runs")
    assert changed.returncode == 2
    assert "yields other samples than when the run began" in changed.stderr
