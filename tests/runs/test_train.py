"""The whole road, as a user takes it: train, look at what was recorded, score it again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from tiny import ROOT, array_words, call, overrides, reprise, write_arrays, write_blobs

import reprise as reprise_package
from reprise.errors import UserError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("data"))


# The shallowest network for masks; a U-Net's graphs take five times as long to make.
SHALLOW = ["model=pspnet", "model.downsample_factor=4", "model.pyramid_filters=8"]


def trained(data, out, *more):
    words = [*overrides(data, out), *SHALLOW, "dataset.image_size=[48,48]"]
    done = reprise("train", *words, *more)
    assert done.returncode == 0, done.stderr[-3000:]
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    experiment = client.get_experiment_by_name("segmentation")
    (run,) = client.search_runs([experiment.experiment_id])
    return client, run, done


@pytest.fixture(scope="module")
def first(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("first")
    return out, *trained(data, out, "loader.workers=2")


def files(client, run_id, path=None):
    for file in client.list_artifacts(run_id, path):
        if file.is_dir:
            yield from files(client, run_id, file.path)
        else:
            yield file.path


def test_the_run_holds_everything(first):
    _, client, run, done = first
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("pspnet ")
    assert run.data.params["seed"] == "0"
    assert run.data.params["model.backbone"] == "resnet18"
    assert run.data.params["loader.batch_size"] == "4"
    tags = run.data.tags
    assert len(tags["weights_sha256"]) == 64
    assert len(tags["data.digest"]) == 32
    assert tags["data.dvc"] == "not tracked"
    assert tags["data.num_train"] == "14"
    assert tags["deterministic"] == "true"
    assert tags["device"]
    assert {"git.commit", "version.keras", "choice.dataset"} <= set(tags)
    for name in ("train/loss", "train/iou", "valid/loss", "valid/iou", "learning_rate"):
        history = client.get_metric_history(run.info.run_id, name)
        assert [metric.step for metric in history] == [1, 2], name
    assert 0 <= run.data.metrics["test/iou"] <= 1
    valid = [m.value for m in client.get_metric_history(run.info.run_id, "valid/iou")]
    assert run.data.metrics["best/valid/iou"] == pytest.approx(max(valid), abs=1e-6)
    assert run.data.metrics["time/data_wait_s"] >= 0
    expected = {
        "config.yaml", "splits.json", "requirements.lock",
        "model/MLmodel", "pictures/inputs.png",
        "pictures/curves.png", "pictures/best_test.png",
    }  # fmt: skip
    assert expected <= set(files(client, run.info.run_id))
    assert "make evaluate" in done.stdout


@pytest.mark.slow
def test_the_recorded_model_takes_images_as_they_are(first):
    out, _, run, _ = first
    program = (
        "import sys, mlflow, numpy as np\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        "model = mlflow.pyfunc.load_model(sys.argv[2])\n"
        "assert model.metadata.signature.inputs.inputs[0].type == np.uint8\n"
        "print(model.predict(np.zeros((3, 48, 48, 3), np.uint8)).shape)\n"
    )
    address = (f"sqlite:///{out}/mlflow.db", f"runs:/{run.info.run_id}/model")
    command = [sys.executable, "-c", program, *address]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split("\n")[-2] == "(3, 48, 48, 1)", done.stderr[-2000:]


def test_evaluate_gives_the_same_numbers_to_the_digit(first):
    out, _, run, _ = first
    done = reprise("evaluate", "run=last", f"runs={out}/runs")
    assert done.returncode == 0, done.stderr[-2000:]
    again = dict(line.split() for line in done.stdout.splitlines() if line.startswith("test/"))
    recorded = {k: v for k, v in run.data.metrics.items() if k.startswith("test/")}
    assert len(recorded) >= 2
    assert {name: float(value) for name, value in again.items()} == recorded


def test_the_run_in_python_has_its_samples_and_answers_them(first):
    run = reprise_package.load("last", first[0] / "runs")
    samples = run.dataset("test")
    inputs = np.stack([x for x, _ in samples])
    assert inputs.shape == (len(samples.names), 48, 48, 3)
    answers = run.predict(inputs)
    assert np.array_equal(answers, run.model().predict(inputs, batch_size=4, verbose=0))
    with pytest.raises(UserError, match=r"received  shape \(48, 48, 3\)"):
        run.predict(inputs[0])
    with pytest.raises(UserError, match=r"received  shape \(0, 48, 48, 3\)"):
        run.predict(inputs[:0])
    with pytest.raises(TypeError, match="no threshold"):
        run.predict(inputs, threshold="0.7")
    assert {"curves", "best_test"} <= run.pictures().keys()


@pytest.mark.slow
def test_a_second_run_ends_in_the_same_weights_whatever_the_workers(first, data, tmp_path):
    _, run, _ = trained(data, tmp_path, "loader.workers=0")
    assert run.data.tags["weights_sha256"] == first[2].data.tags["weights_sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_answers_in_float32(tmp_path, precision):
    words = array_words(write_arrays(tmp_path / "digits.npz"), tmp_path)
    more = (f"trainer.precision={precision}", "trainer.jit_compile=true")
    done = call(ROOT, "train", *words, *more)  # XLA, which this process has no longer
    assert done.returncode == 0, done.stderr[-3000:]
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert run.data.tags["precision"] == precision
    assert (run.data.tags["jit_compile"], run.data.tags["deterministic"]) == ("true", "false")
    path = client.download_artifacts(run.info.run_id, "model/MLmodel", str(tmp_path))
    assert "float32" in Path(path).read_text()
    assert run.data.metrics["train/loss"] > 0


def test_a_sample_that_breaks_in_mid_run_is_named_and_the_run_marked_failed(tmp_path):
    data = write_blobs(tmp_path / "data")
    for path in (data / "images").iterdir():
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2 - 12) + whole[-12:])
    done = reprise("train", *overrides(data, tmp_path))
    assert done.returncode == 2
    assert ".png" in done.stderr
    assert "Traceback" not in done.stderr
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs(["1"])
    assert run.info.status == "FAILED"
