import keras
import numpy as np
import pytest

from reprise.training.checkpoint import Checkpoint, discard, weights_sha256
from reprise.training.state import BEST


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    return model


def made(folder, model, mode="max", failed=pytest.fail):
    checkpoint = Checkpoint(folder / "checkpoints", folder / "state", "val_iou", mode, failed)
    checkpoint.set_model(model)
    return checkpoint


def epochs(checkpoint, values):
    for epoch, value in enumerate(values):
        checkpoint.model.layers[0].bias.assign([float(epoch)])
        checkpoint.on_epoch_end(epoch, {"val_iou": value})
    return checkpoint


def bias(folder):
    loaded = keras.models.load_model(folder / "checkpoints" / BEST)
    return float(loaded.layers[0].bias.numpy()[0])


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [
        ("max", [0.1, 0.5, 0.3], 1),
        ("min", [0.1, 0.5, 0.3], 0),
        ("max", [float("nan"), 0.2, 0.1], 1),
        ("max", [0.2, float("nan")], 0),
        ("max", [0.2, 0.2], 0),
    ],
)
def test_the_best_epoch_is_on_disk_once(model, tmp_path, mode, values, best):
    checkpoint = epochs(made(tmp_path, model, mode), values)
    assert checkpoint.best_epoch == best + 1
    assert bias(tmp_path) == best
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [BEST]
    kept = tmp_path / f"state/best-{best + 1:04d}.keras"
    assert kept.samefile(tmp_path / "checkpoints" / BEST)


def test_best_is_what_was_best_up_to_the_epoch_a_run_goes_on_from(model, tmp_path):
    epochs(made(tmp_path, model), [0.0, 0.3, 0.2, 0.8, 0.9])
    assert bias(tmp_path) == 4
    again = made(tmp_path, model)
    again.best, again.best_epoch = 0.3, 2  # as of the end of the third epoch
    again.on_epoch_begin(3)
    assert bias(tmp_path) == 1
    kept = [f"state/best-000{epoch}.keras" for epoch in (2, 4, 5)]
    assert files(tmp_path) == ["checkpoints/best.keras", *kept]
    again.on_epoch_end(2, {"val_iou": 0.4})  # unlike in the attempt that was lost
    kept = [f"state/best-000{epoch}.keras" for epoch in (2, 3)]
    assert files(tmp_path) == ["checkpoints/best.keras", *kept]


def test_a_disk_that_takes_no_model_ends_no_training(model, tmp_path):
    told = []
    checkpoint = made(tmp_path, model, failed=told.append)
    checkpoint.on_epoch_end(0, {"val_iou": 0.1})
    (tmp_path / "state").rename(tmp_path / "aside")
    checkpoint.on_epoch_end(1, {"val_iou": 0.9})
    (tmp_path / "aside").rename(tmp_path / "state")
    assert len(told) == 1
    assert (checkpoint.best, checkpoint.best_epoch) == (0.1, 1)
    checkpoint.on_epoch_end(2, {"val_iou": 0.5})
    assert checkpoint.best_epoch == 3


def test_the_file_has_no_optimizer_and_training_keeps_its_own(model, tmp_path):
    epochs(made(tmp_path, model), [0.5])
    loaded = keras.models.load_model(tmp_path / "checkpoints" / BEST)
    assert not loaded.compiled
    assert weights_sha256(loaded) == weights_sha256(model)
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    assert int(model.optimizer.iterations) == 2
    assert weights_sha256(loaded) != weights_sha256(model)


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ("all", ["checkpoints/best.keras", "state/best-0002.keras", "state/step-00000008"]),
        ("best", ["checkpoints/best.keras"]),
        ("none", []),
    ],
)
def test_a_finished_run_keeps_what_was_asked_for(keep, left, model, tmp_path):
    epochs(made(tmp_path, model), [0.1, 0.9, 0.5])
    for step in (4, 8):
        (tmp_path / f"state/step-{step:08d}").mkdir()
    (tmp_path / "checkpoints/last.keras").touch()  # as older versions left it
    discard(tmp_path / "checkpoints", tmp_path / "state", keep)
    found = [*tmp_path.glob("*/*")]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in found) == left
