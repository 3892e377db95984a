"""A PyDataset or a tf.data pipeline named by `dataset._target_` trains, and is recorded."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from tiny import call, new_store

from reprise.errors import UserError
from reprise.runs.experiment import build_dataset
from reprise.training.fit import data_errors_shown

DOC = Path(__file__).parents[2] / "docs/your_keras_dataset.md"
PIPELINES = """
import keras
import numpy as np
import tensorflow as tf

def arrays(count, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    return (rng.normal(size=(count, 4)) + y[:, None]).astype("float32"), y

def pipeline(count, seed=0, endless=False):
    batches = tf.data.Dataset.from_tensor_slices(arrays(count, seed)).batch(5)
    return batches.repeat() if endless else batches

class Rows(keras.utils.PyDataset):
    def __init__(self, count, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y = arrays(count, seed)

    def __len__(self):
        return len(self.x) // 5

    def __getitem__(self, index):
        rows = slice(5 * index, 5 * index + 5)
        return self.x[rows], self.y[rows]

def broken(count):
    return {"x": 1}

def flat_masks(count):
    return tf.data.Dataset.from_tensors((np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 4))))

def empty(count):
    return pipeline(count).take(0)

def faulty(count, fault=None, late=False):
    # five batches, of which the first, or only the fourth (late), has a fault
    def batches():
        for at in range(5):
            x, y = arrays(count)
            if at == (3 if late else 0):
                if fault == "error":
                    raise OSError("cannot read file 3")
                x, y = {
                    "words": (x, np.array(["a", "b", "c"])[y]),
                    "objects": (x.astype(object), y),
                    "fewer": (x, y[:-1]),
                    "none": (x[:0], y[:0]),
                    "one": (x[0], y[0]),
                    "beyond": (x, y + 1),
                    "below": (x, y - 3),
                    "halves": (x, y + 0.5),
                    "wide": (np.hstack([x, x]), y),
                }[fault]
            yield x, y
    return Batches(list(batches()) if fault != "error" else batches)

class Batches(keras.utils.PyDataset):
    def __init__(self, made):
        super().__init__()
        self.made = made

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return (self.made if isinstance(self.made, list) else list(self.made()))[index]

def dicts(count):
    return tf.data.Dataset.from_tensors(({"a": [1.0]}, [1]))
"""
EXPERIMENT = """
# @package _global_
defaults:
  - override /dataset: mine
  - override /model: mlp
  - override /objective: classification
trainer: {epochs: 2, monitor: valid/accuracy, monitor_mode: max, num_pictures: 2}
"""
DATASET = """_target_: mine.pipelines.{}
count: 40
valid: {{count: 20, seed: 1}}
classes: [a, b, c]
"""


@pytest.fixture
def project(tmp_path):
    for folder in ("conf/experiment", "conf/dataset", "src/mine"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/mine/pipelines.py").write_text(PIPELINES)
    new_store(tmp_path)
    (tmp_path / "conf/experiment/mine.yaml").write_text(EXPERIMENT)
    return tmp_path


@pytest.mark.parametrize("target", [pytest.param("pipeline", marks=pytest.mark.slow), "Rows"])
def test_it_trains_is_recorded_resumed_and_evaluated(project, target):
    (project / "conf/dataset/mine.yaml").write_text(DATASET.format(target))
    done = call(project, "train", "experiment=mine", "trainer.steps_per_epoch=5")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("are not promised") == 1
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'mine'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert {"train/loss", "valid/accuracy", "best/valid/accuracy"} <= set(run.data.metrics)
    assert "time/data_wait_s" not in run.data.metrics
    (folder,) = (project / "runs/mine").iterdir()
    result = json.loads((folder / "result.json").read_text())
    if target == "pipeline":
        again = call(project, "evaluate", "run=last", "split=valid")
        assert f"valid/accuracy {result['valid/accuracy']!r}" in again.stdout
        return
    more = call(project, "resume", "run=last", "trainer.epochs=3")
    assert "epoch 3/3" in more.stdout, more.stderr[-2000:]


@pytest.mark.slow
def test_without_a_valid_split_the_train_split_is_scored(project):
    text = DATASET.format("pipeline").replace("valid: {count: 20, seed: 1}\n", "")
    (project / "conf/dataset/mine.yaml").write_text(text)
    words = ["trainer.monitor=train/loss", "trainer.monitor_mode=min", "trainer.epochs=1"]
    done = call(project, "train", "experiment=mine", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "train" in done.stdout.partition("best model")[2].splitlines()[0]


@pytest.mark.slow
def test_unknown_keys_and_endless_data_are_refused(project):
    (project / "conf/dataset/mine.yaml").write_text(DATASET.format("pipeline") + "endless: true\n")
    done = call(project, "train", "experiment=mine", "dataset.cuont=3")
    assert done.returncode == 2
    assert "did you mean dataset.count?" in done.stderr
    done = call(project, "train", "experiment=mine")
    assert done.returncode == 2
    assert "set trainer.steps_per_epoch" in done.stderr


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("broken", "is no dataset"),
        ("dicts", "not one array of inputs"),
        ("flat_masks", r"neither class ids.*\n.*\(batch, height, width, 1\)"),
        ("empty", "has no batch"),
    ],
)
def test_what_no_model_takes_is_refused(project, monkeypatch, target, message):
    monkeypatch.syspath_prepend(str(project / "src"))
    for name in ("mine", "mine.pipelines"):
        sys.modules.pop(name, None)
    with pytest.raises(UserError, match=message):
        build_dataset({"_target_": f"mine.pipelines.{target}", "count": 3, "classes": ["a"]})


FAULTS = {
    "words": r"not of numbers\n.*\n.*y of dtype <U1",
    "objects": "not of numbers",
    "fewer": r"not of as many samples\n.*\n.*\(2,\)",
    "none": "not of as many samples",
    "one": "not of as many samples",
    "beyond": r"not of dataset.classes.*3\n.*0 to 2\n +received  3",
    "below": r"received  -[123]",
    "halves": r"not of dataset.classes",
    "wide": r"batch 3: x is not as .*\n.*\(batch, 4\)\n.*\(3, 8\)",
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_batch_with_a_fault_is_refused_or_found(project, monkeypatch, fault, late):
    monkeypatch.syspath_prepend(str(project / "src"))
    for name in ("mine", "mine.pipelines"):
        sys.modules.pop(name, None)
    node = {"_target_": "mine.pipelines.faulty", "count": 3, "fault": fault, "late": late}
    node["classes"] = ["a", "b", "c"]
    if fault == "wide" and not late:
        assert build_dataset(node).input_spec.shape == (8,)
        return
    if not late:
        with pytest.raises(UserError, match=FAULTS[fault]):
            build_dataset(node)
        return
    dataset = build_dataset(node)
    with pytest.raises(UserError, match=FAULTS[fault]):
        dataset.problems(dataset.splits(), thorough=True)


def test_an_error_in_the_users_batches_is_said_with_its_place(project, monkeypatch):
    import keras

    from reprise.runs import external

    monkeypatch.setattr(external, "ROOT", project)
    monkeypatch.syspath_prepend(str(project / "src"))
    for name in ("mine", "mine.pipelines"):
        sys.modules.pop(name, None)
    node = {"_target_": "mine.pipelines.faulty", "count": 3, "fault": "error"}
    with pytest.raises(UserError, match=r"OSError: cannot read file 3\n +at .*pipelines.py:\d+"):
        build_dataset({**node, "classes": ["a", "b", "c"]})
    dataset = build_dataset({"_target_": "mine.pipelines.Rows", "count": 20})
    loader = external.ExternalLoader(dataset, "train")
    assert loader.error is None
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    broken = sys.modules["mine.pipelines"].faulty(3, "error", late=True)
    try:
        model.fit(broken, verbose=0)
    except Exception:
        said = str(loader.error)
    assert re.search(r"cannot read file 3\n +at .*pipelines.py:\d+", said)
    with pytest.raises(KeyError) as raised:
        raise KeyError("of a callback")
    with pytest.raises(KeyError), data_errors_shown(lambda: loader.error):
        raise raised.value


def test_the_documents_generator_gives_batches_as_posted(tmp_path, monkeypatch):
    import cv2

    blocks = re.findall(r"```python.*?\n(.*?)```", DOC.read_text(), flags=re.DOTALL)
    assert len(blocks) == 2
    (tmp_path / "posted.py").write_text("\n\n".join(blocks))
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        for at in range(6):
            pixels = np.full((8, 8, 3), 255 * (at % 2), np.uint8)
            cv2.imwrite(str(tmp_path / folder / f"{at}.png"), pixels)
    monkeypatch.syspath_prepend(str(tmp_path))
    folders = {"imgs_dir": f"{tmp_path}/images", "masks_dir": f"{tmp_path}/masks"}
    node = {"_target_": "posted.photos", **folders, "num_valid": 2, "batch_size": 2}
    dataset = build_dataset({**node, "classes": ["ink"]})
    assert dataset.splits() == {"train": "train", "valid": "valid"}
    assert dataset.target_spec.kind == "mask"
    assert dataset.input_spec.shape == (8, 8, 3)
    assert dataset.problems(dataset.splits(), thorough=True) == []
    assert [dataset.num_samples(split) for split in ("train", "valid")] == [4, 2]


@pytest.mark.slow
def test_the_doctor_reads_its_batches_and_ends_where_they_do_not(project):
    (project / "conf/dataset/mine.yaml").write_text(DATASET.format("pipeline"))
    done = call(project, "check-data", "experiment=mine", "+dataset.endless=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train has no end: the first 10000 samples were read" in done.stdout
    done = call(project, "check-data", "experiment=mine", "+dataset.exclude=conf/dataset/mine.yaml")
    assert done.returncode == 2
    assert "leave the samples out where the batches are made" in done.stderr
