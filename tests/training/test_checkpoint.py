import keras
import numpy as np
import pytest

from reprise.training.checkpoint import BEST, LAST, Checkpoint, save_whole, weights_sha256


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def epochs(model, folder, values, mode="max"):
    checkpoint = Checkpoint(folder, folder.with_name("kept"), "val_iou", mode, pytest.fail)
    checkpoint.set_model(model)
    for epoch, value in enumerate(values):
        model.layers[0].bias.assign([float(epoch)])
        checkpoint.on_epoch_end(epoch, {"val_iou": value})
    return checkpoint


def bias(path):
    return float(keras.models.load_model(path).layers[0].bias.numpy()[0])


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
def test_best_and_last_are_those_epochs(model, tmp_path, mode, values, best):
    checkpoint = epochs(model, tmp_path, values, mode)
    assert checkpoint.best_epoch == best + 1
    assert bias(tmp_path / BEST) == best
    assert bias(tmp_path / LAST) == len(values) - 1
    assert {path.name for path in tmp_path.iterdir()} == {BEST, LAST}


def test_best_is_what_was_best_up_to_the_epoch_a_run_goes_on_from(model, tmp_path):
    folder = tmp_path / "checkpoints"
    epochs(model, folder, [0.0, 0.3, 0.2, 0.8, 0.9])
    assert bias(folder / BEST) == 4
    again = Checkpoint(folder, folder.with_name("kept"), "val_iou", "max", pytest.fail)
    again.set_model(model)
    again.best, again.best_epoch = 0.3, 2  # as of the end of the third epoch
    again.on_epoch_begin(3)
    assert bias(folder / BEST) == 1
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == ["best-0002.keras", "best-0004.keras", "best-0005.keras"]
    again.on_epoch_end(2, {"val_iou": 0.4})  # unlike in the attempt that was lost
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == ["best-0002.keras", "best-0003.keras"]


def test_a_disk_that_takes_no_model_ends_no_training(model, tmp_path):
    told = []
    checkpoint = Checkpoint(tmp_path / "a", tmp_path / "kept", "val_iou", "max", told.append)
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {"val_iou": 0.1})
    (tmp_path / "a").rename(tmp_path / "kept aside")
    checkpoint.on_epoch_end(1, {"val_iou": 0.9})
    (tmp_path / "kept aside").rename(tmp_path / "a")
    assert len(told) == 1
    assert (checkpoint.best, checkpoint.best_epoch) == (0.1, 1)
    checkpoint.on_epoch_end(2, {"val_iou": 0.5})
    assert checkpoint.best_epoch == 3


def test_a_failed_write_leaves_the_old_file(model, tmp_path):
    path = tmp_path / LAST
    save_whole(model, path)
    before = path.read_bytes()

    class Broken:
        def save(self, target):
            target.write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save_whole(Broken(), path)
    assert path.read_bytes() == before


def test_the_optimizer_is_saved_with_it(model, tmp_path):
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    save_whole(model, tmp_path / LAST)
    assert int(keras.models.load_model(tmp_path / LAST).optimizer.iterations) == 1


def test_weights_hash_follows_the_weights(model):
    before = weights_sha256(model)
    model.layers[0].bias.assign([7.0])
    assert weights_sha256(model) != before
    model.layers[0].bias.assign([0.0])
    assert weights_sha256(model) == before


def test_best_is_not_a_second_copy_on_disk(model, tmp_path):
    epochs(model, tmp_path, [0.1])
    assert (tmp_path / BEST).samefile(tmp_path / LAST)
