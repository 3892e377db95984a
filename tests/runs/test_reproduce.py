"""A run is trained again from its record alone, and the verdict says what came of it and why."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from run_folders import write_run
from tiny import call, git

from reprise.errors import UserError
from reprise.runs import rebuild
from reprise.runs.bring import find_or_bring
from reprise.runs.folder import PACKAGES, held
from reprise.runs.load import SavedRun
from reprise.runs.verdict import compare
from reprise.tracking.journal import metric_history

CONFIG = {"seed": 0, "trainer": {"epochs": 2}, "tracking": {"runs": "runs"}}
TAGS = {"weights_sha256": "aa", "device": "CPU", "code.tree": "1"}
METRICS = {"train/loss": [0.5, 0.25], "valid/loss": [1.0, float("nan")], "time/epoch_s": [1, 2]}


@pytest.fixture
def recorded(tmp_path):
    def record(name, metrics=METRICS, tags=TAGS, packages="keras==3\n", seed=0, digest="d"):
        folder = tmp_path / name
        folder.mkdir()
        entries = [{"kind": "tags", "values": tags}, {"kind": "status", "status": "FINISHED"}]
        for metric, values in metrics.items():
            entries += [
                {"kind": "metrics", "step": step, "values": {metric: value}}
                for step, value in enumerate(values, 1)
            ]
        (folder / "journal.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
        (folder / PACKAGES).write_text(packages)
        config = {**CONFIG, "seed": seed}
        return SavedRun(folder, tmp_path, {}, config, {}, {}, data_digest=digest)

    return record


def test_equal_numbers_and_weights_are_identical_whatever_the_time(recorded):
    verdict = compare(recorded("a"), recorded("b", {**METRICS, "time/epoch_s": [5, 6]}))
    assert (verdict.kind, verdict.details) == ("identical", ())
    assert verdict.text == "identical: 2 metrics at 2 steps, and the weights"


@pytest.mark.parametrize(
    ("change", "text", "cause"),
    [
        ({"seed": 1}, "epoch 2 on: train/loss 0.25 and 0.26", "config seed: 0 -> 1"),
        ({"digest": "e"}, "epoch 2 on: train/loss 0.25 and 0.26", "data d -> e"),
        ({"packages": "keras==4\n"}, "epoch 2 on: train/loss", "package keras: 3 -> 4"),
        ({"tags": {**TAGS, "code.tree": "2"}}, "epoch 2 on: train/loss", "code cannot"),
    ],
)
def test_what_differs_is_named_from_its_first_step_on(recorded, change, text, cause):
    metrics = {**METRICS, "train/loss": [0.5, 0.26]}
    verdict = compare(recorded("a"), recorded("b", metrics, **change))
    assert verdict.kind == "different"
    assert text in verdict.text
    assert [line for line in verdict.details if line.startswith(cause)]


def test_another_machine_explains_a_small_difference_and_no_large_one(recorded):
    tags, first = {**TAGS, "device": "GPU", "weights_sha256": "bb"}, recorded("a")
    near = recorded("b", {**METRICS, "train/loss": [0.5, 0.250001]}, tags)
    far = recorded("c", {**METRICS, "train/loss": [0.5, 0.3]}, tags)
    verdict = compare(first, near)
    assert verdict.text == "equal within 4.0e-06, as another machine explains"
    assert "machine device: CPU -> GPU" in verdict.details
    assert compare(first, far).kind == "different"


def test_a_metric_or_a_step_that_one_of_them_lacks_and_other_weights_are_different(recorded):
    first = recorded("a")
    shorter = compare(first, recorded("b", {**METRICS, "train/loss": [0.5]}))
    assert shorter.text == "different: train/loss at 2 is in one of them only"
    other = compare(first, recorded("c", tags={**TAGS, "weights_sha256": "bb"}))
    unknown = [recorded(name, tags={"device": "CPU"}) for name in ("e", "f")]
    assert compare(*unknown).text == other.text
    assert other.text == "different: the weights alone, not the metrics"
    assert compare(first, recorded("d", {})).kind == "different"


def test_of_a_prefix_only_its_epochs_count(recorded):
    longer = {"train/loss": [0.5, 0.3], "test/loss": [0.1], "step/loss": [1.0, 2.0]}
    verdict = compare(recorded("a"), recorded("b", {**longer, "valid/loss": [1.0, 0.2]}), 1)
    assert verdict.text == "identical: 2 metrics at 1 steps"
    later = compare(recorded("c"), recorded("d", {**METRICS, "train/loss": [0.4, 0.3]}), 1)
    assert later.text == "different from epoch 1 on: train/loss 0.5 and 0.4"


MODEL = """
import keras

def build(input_spec, target_spec, width=4):
    inputs = keras.Input(input_spec.shape, dtype=input_spec.dtype)
    x = keras.layers.Dense(width, "relu")(inputs)
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(inputs, keras.layers.Dense(len(target_spec.classes), "softmax")(x))
"""
EXPERIMENT = """
# @package _global_
defaults:
  - override /dataset: csv_rows
  - override /model: mine
  - override /objective: classification
dataset: {table: rows.csv, label: kind}
trainer: {epochs: 3, num_pictures: 2, pictures_every: null}
"""


@pytest.fixture
def project(tmp_path):
    """A project with one commit, and a module that was never added."""
    for folder in ("conf/experiment", "conf/model", "src/mine"):
        (tmp_path / folder).mkdir(parents=True)
    rows = "".join(f"{i % 7},{i % 3},{'abc'[i % 3]}\n" for i in range(90))
    (tmp_path / "rows.csv").write_text("x,y,kind\n" + rows)
    (tmp_path / "conf/experiment/mine.yaml").write_text(EXPERIMENT)
    (tmp_path / "conf/model/mine.yaml").write_text("_target_: mine.net.build\nwidth: 4\n")
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("rows.csv\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    (tmp_path / "src/mine/net.py").write_text(MODEL)
    return tmp_path


@pytest.mark.slow
def test_other_packages_are_installed_and_debug_runs_stay_apart(project):
    """The engine is no part of the project: the rebuilt environment has it by a link."""
    done = call(project, "train", "experiment=mine", "debug=smoke")
    assert done.returncode == 0, done.stderr
    (first,) = (project / "runs/debug/mine").iterdir()
    listed = (first / PACKAGES).read_text()
    other = re.sub(r"^tqdm==.*$", "tqdm==4.66.5", listed, flags=re.MULTILINE)
    assert other != listed
    (first / PACKAGES).write_text(other)
    again = call(project, "reproduce", f"run={first.name}")
    assert "\nidentical: " in again.stdout, again.stdout + again.stderr
    (second,) = (path for path in (project / "runs/debug/mine").iterdir() if path != first)
    assert "tqdm==4.66.5" in (second / PACKAGES).read_text()
    assert not (project / "runs/mine").exists()
    assert not (project / "runs/last").exists()


def test_a_run_of_an_untracked_module_is_identical_after_its_commit_is_gone(project, tmp_path):
    done = call(tmp_path, "train", "experiment=mine")
    assert done.returncode == 0, done.stderr
    (first,) = (tmp_path / "runs/mine").iterdir()

    (tmp_path / "src/mine/net.py").write_text(MODEL.replace("relu", "tanh"))
    git(tmp_path, "add", "src")
    git(tmp_path, "commit", "-q", "--amend", "-m", "another")
    git(tmp_path, "reflog", "expire", "--expire=now", "--all")
    git(tmp_path, "gc", "-q", "--prune=now")
    before = git(tmp_path, "status", "--porcelain"), (tmp_path / ".git/index").read_bytes()
    again = call(tmp_path, "reproduce", f"run={first.name}")
    assert "\nidentical: " in again.stdout, again.stdout + again.stderr
    assert ", and the weights" in again.stdout
    assert again.returncode == 0
    assert (
        git(tmp_path, "status", "--porcelain"),
        (tmp_path / ".git/index").read_bytes(),
    ) == before
    second = next(path for path in (tmp_path / "runs/mine").iterdir() if path != first)
    for folder in (first, second):
        assert "identical" in (folder / "reproduced.txt").read_text()

    rows, seen = tmp_path / "rows.csv", (tmp_path / "rows.csv").stat()
    rows.write_text(rows.read_text().replace("6,2,c", "5,2,c"))
    os.utime(rows, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    stale = call(tmp_path, "reproduce", f"run={first.name}")
    assert (stale.returncode, "1 changed: rows.csv" in stale.stderr) == (2, True), stale.stderr


@pytest.mark.slow
def test_with_the_code_and_data_of_today_what_differs_is_said(project):
    done = call(project, "train", "experiment=mine")
    assert done.returncode == 0, done.stderr
    (first,) = (project / "runs/mine").iterdir()
    (project / "src/mine/net.py").write_text(MODEL.replace("relu", "tanh"))
    rows = project / "rows.csv"
    rows.write_text(rows.read_text().replace("6,2,c", "5,2,c"))
    words = ("code=here", "data=here", "epochs=1")
    today = call(project, "reproduce", f"run={first.name}", *words)
    assert today.returncode == 1, today.stdout + today.stderr
    assert "different from epoch 1 on" in today.stdout
    assert "code changed: src/mine/net.py" in today.stdout
    assert "data 1 changed: rows.csv" in today.stdout


@pytest.mark.slow
def test_from_mlflow_alone_in_a_clone_that_never_saw_the_code(project, tmp_path_factory):
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "-q", str(project), ".")
    done = call(project, "train", "experiment=mine")
    assert done.returncode == 0, done.stderr
    (first,) = (project / "runs/mine").iterdir()
    mlflow_id = json.loads((first / "delivered.json").read_text())["mlflow_id"]
    history = metric_history(first)
    shutil.rmtree(project / "runs")

    store = f"uri=sqlite:///{project}/mlflow.db"
    unknown = call(clone, "reproduce", "run=20250101-000000-abcd", store)
    assert (unknown.returncode, "no run '2025" in unknown.stderr) == (2, True), unknown.stderr
    lacking = call(clone, "reproduce", f"run={mlflow_id}", store)
    assert (lacking.returncode, "1 gone: rows.csv" in lacking.stderr) == (2, True), lacking.stderr
    shutil.copy(project / "rows.csv", clone)
    again = call(clone, "reproduce", f"run={mlflow_id}", store)
    assert "\nidentical: " in again.stdout, again.stdout + again.stderr
    assert ", and the weights" in again.stdout
    brought = clone / "runs/mine" / first.name
    assert metric_history(brought) == history
    assert git(clone, "status", "--porcelain") == "?? runs/\n"
    evaluated = call(clone, "evaluate", f"run={first.name}")
    assert evaluated.returncode == 0, evaluated.stderr


@pytest.mark.slow
def test_a_job_of_a_sweep_is_identical_in_a_clone_and_from_its_file(project, tmp_path_factory):
    done = call(project, "sweep", "experiment=mine", "optimizer.learning_rate=0.01,0.1")
    assert done.returncode == 0, done.stderr
    results = {
        file.parent.name: file.read_text() for file in project.glob("runs/mine/*/result.json")
    }
    assert len(results) == 2
    best = min(results, key=lambda run: json.loads(results[run])["valid/loss"])

    place = tmp_path_factory.mktemp("taken") / "clone"
    cloned = call(project, "clone", f"run={best}", f"to={place}")
    assert cloned.returncode == 0, cloned.stderr
    command = cloned.stdout.splitlines()[-1]
    trained = subprocess.run(command, shell=True, cwd=place, capture_output=True, text=True)
    assert trained.returncode == 0, trained.stderr
    assert git(place, "status", "--porcelain") == ""
    compared = call(place, "diff", f"runs={best},last")
    assert "\nidentical: " in compared.stdout, compared.stdout + compared.stderr

    empty = tmp_path_factory.mktemp("empty")
    (empty / "conf").mkdir()
    packed = call(project, "export-run", f"run={best}", f"to={empty}/run.zip", "data=true")
    assert packed.returncode == 0, packed.stderr
    again = call(empty, "reproduce", "run=run.zip")
    assert "\nidentical: " in again.stdout, again.stdout + again.stderr


def test_what_the_record_lacks_is_said_before_anything_is_trained(recorded, tmp_path):
    folder = recorded("20260101-000000-abcd").folder
    home = tmp_path / "runs/mine"
    home.mkdir(parents=True)
    folder.rename(home / folder.name)
    run = home / folder.name
    (run / "run.json").write_text('{"choices": {}}')
    (run / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (run / "splits.json").write_text("{}")
    (run / "specs.json").write_text("{}")
    (tmp_path / "conf").mkdir()
    for words, said in (
        ([], "has not finished"),
        (["epochs=1"], "the code of run 20260101-000000-abcd is not recorded"),
        (["epochs=0"], "a whole number of at least 1"),
        (["code=there"], "code=here or code=recorded"),
    ):
        done = call(tmp_path, "reproduce", f"run={run.name}", *words)
        assert done.returncode == 2
        assert said in done.stderr
    (run / "result.json").write_text("{}")
    (run / "changes_at_step_4.txt").write_text("loader.workers: 1 -> 2\nseed: 0 -> 1\n")
    done = call(tmp_path, "reproduce", f"run={run.name}")
    assert (done.returncode, "changes_at_step_4.txt: seed: 0 -> 1" in done.stderr) == (2, True)
    (run / "changes_at_step_4.txt").write_text("loader.workers: 1 -> 2\n")
    (run / "run.json").write_text('{"choices": {}, "parent": "20250101-000000-abcd"}')
    done = call(tmp_path, "reproduce", f"run={run.name}")
    assert (done.returncode, "no run '20250101-000000-abcd'" in done.stderr) == (2, True)
    (run / "run.json").write_text('{"choices": {}}')
    with held(run):
        done = call(tmp_path, "reproduce", f"run={run.name}")
    assert (done.returncode, "being trained right now" in done.stderr) == (2, True)
    (run / "snapshot").mkdir()
    (run / "snapshot/code.bundle").write_text("damaged")
    done = call(tmp_path, "reproduce", f"run={run.name}")
    assert (done.returncode, "cannot be rebuilt" in done.stderr) == (2, True)
    (run / "snapshot/code.bundle").write_text("# v2 git bundle\n12")  # git clones nothing from it
    done = call(tmp_path, "reproduce", f"run={run.name}")
    assert (done.returncode, "is damaged" in done.stderr) == (2, True)
    assert list((tmp_path / "runs/.reproduce").iterdir()) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.yaml", "seed: 0\n"),
        ("packages.txt", "python==3.11.7\nkeras==3.1.0\nten"),
        ("result.json", '{"test/loss": '),
        ("inputs/files.md5.gz", ""),
        ("journal.jsonl", '{"kind": "status", "status": "FINISHED"}\n{"ki'),
    ],
)
def test_a_record_that_has_lost_its_end_is_damaged(tmp_path, file, text):
    folder = write_run(tmp_path, "20260101-000000-abcd", result={"test/iou": 1})
    assert find_or_bring(folder.name, tmp_path).folder == folder
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(text)
    with pytest.raises(UserError, match=f"is damaged\n  expected  {file}"):
        find_or_bring(folder.name, tmp_path)


def test_data_that_git_does_not_hold_is_linked_into_the_rebuilt_project(
    recorded, tmp_path, monkeypatch
):
    here, rebuilt = tmp_path / "here", tmp_path / "rebuilt"
    for file in ("photos/kept.png", "photos/cats/1.png", "rows.csv", "start.h5", "src/a.py"):
        (here / file).parent.mkdir(parents=True, exist_ok=True)
        (here / file).write_text("today")
    (rebuilt / "photos").mkdir(parents=True)
    (rebuilt / "photos/kept.png").write_text("then")  # git holds it, and nothing else of photos
    monkeypatch.setattr(rebuild, "ROOT", here)
    saved = recorded("a")
    saved.config["dataset"] = {"root": "photos", "table": ["rows.csv", ".", "a" * 300, ""]}
    saved.config["model"] = {"weights": "start.h5", "kind": "src"}
    rebuild.bring_data(saved, rebuilt, from_here=False)
    assert (rebuilt / "photos/kept.png").read_text() == "then"
    assert (rebuilt / "photos/cats/1.png").read_text() == "today"
    assert sorted(path.name for path in rebuilt.iterdir()) == ["photos", "rows.csv", "start.h5"]


@pytest.mark.slow
def test_data_of_dvc_are_brought_though_their_folder_is_gone(recorded, tmp_path, monkeypatch):
    here, rebuilt = tmp_path / "here", tmp_path / "rebuilt"
    (here / "photos").mkdir(parents=True)
    (here / "photos/a.png").write_text("then")
    for words in ("init -q --no-scm", "add -q photos"):
        dvc = [sys.executable, "-m", "dvc", *words.split()]
        subprocess.run(dvc, cwd=here, check=True)
    shutil.copytree(here, rebuilt, ignore=shutil.ignore_patterns("photos", "cache", "tmp"))
    shutil.rmtree(here / "photos")
    monkeypatch.setattr(rebuild, "ROOT", here)
    saved = recorded("a")
    saved.config["dataset"] = {"folder": "photos"}
    assert rebuild.bring_data(saved, rebuilt, from_here=False) == ["photos"]
    assert (rebuilt / "photos/a.png").read_text() == "then"
    shutil.rmtree(rebuilt / "photos")
    shutil.rmtree(here / ".dvc/cache")
    with pytest.raises(UserError, match="cannot be had any more"):
        rebuild.bring_data(saved, rebuilt, from_here=False)
