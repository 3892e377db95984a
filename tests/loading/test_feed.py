import keras
import numpy as np
import pytest
import tensorflow as tf
from loading.loader_samples import Broken, Numbers
from loading.test_loader import Load, digest, expected

from reprise.loading.feed import as_tf_dataset
from reprise.loading.loader import Loader


def test_signature_is_the_datasets_spec(load: Load) -> None:
    x, y = as_tf_dataset(load(Numbers(), workers=0)).element_spec
    assert (x.shape.as_list(), x.dtype) == ([None, 5, 5, 3], tf.uint8)
    assert (y.shape.as_list(), y.dtype) == ([None, 2], tf.float64)


@pytest.mark.parametrize(("split", "start", "stop"), [("train", 5, 20), ("valid", 0, 6)])
def test_batches_arrive_as_the_loader_makes_them_in_each_iteration(
    split: str, start: int, stop: int, load: Load
) -> None:
    feed = as_tf_dataset(load(Numbers(), workers=2, split=split), start, stop)
    for _ in range(3):
        assert digest(feed.as_numpy_iterator()) == expected(Numbers(), split, start, stop)


def test_no_tensor_changes_while_it_is_held(load: Load) -> None:
    """TensorFlow points into the slots: held for random times, over thousands of batches."""
    loader = load(Numbers(200, side=16), workers=2, batch_size=2)
    rng, held, aliased = np.random.default_rng(0), [], 0
    for step, (x, y) in enumerate(as_tf_dataset(loader, 0, 3000)):
        aliased += _is_in_a_slot(loader, x)
        held.append((step + rng.integers(1, 12), x, y.numpy()[:, 0].astype(int) % 256))
        for _, tensor, values in held:
            assert (tensor.numpy() == values[:, None, None, None]).all()
        held = [entry for entry in held if entry[0] > step]
    assert step == 2999
    assert aliased > 100  # the others are copies, because so many are held


def test_nothing_is_fetched_ahead_of_the_loaders_own_queue(load: Load) -> None:
    asked = 0
    loader = load(Numbers(), workers=0)
    batches = loader.batches

    def counted(start, stop):  # type: ignore[no-untyped-def]
        nonlocal asked
        for batch in batches(start, stop):
            asked += 1
            yield batch

    loader.batches = counted  # type: ignore[method-assign]
    feed = iter(as_tf_dataset(loader))
    for taken in range(1, 10):
        next(feed)
        assert asked == taken


def test_error_is_kept_as_it_was(load: Load) -> None:
    loader = load(Broken("value"), workers=2, split="valid")
    with pytest.raises(tf.errors.OpError):
        list(as_tf_dataset(loader, 0, 6))
    assert isinstance(loader.error, ValueError)
    assert loader.error.__notes__[0] == "while reading sample number-7.png"


def test_tensors_are_made_without_a_copy(load: Load) -> None:
    loader = load(Numbers(), workers=2)
    assert [_is_in_a_slot(loader, x) for x, _ in as_tf_dataset(loader, 0, 20)] == [True] * 20


def test_fit_learns_the_same_whoever_feeds_it(load: Load) -> None:
    losses = []
    for keys in ({"workers": 0}, {"workers": 2}, {"workers": 2, "use_multiprocessing": False}):
        keras.utils.set_random_seed(1)
        layers = [keras.Input((5, 5, 3), dtype="uint8"), keras.layers.Rescaling(1 / 255)]
        model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(2)])
        model.compile("sgd", "mse")
        history = model.fit(
            as_tf_dataset(load(Numbers(), **keys)),
            steps_per_epoch=7,
            epochs=3,
            shuffle=False,
            validation_data=as_tf_dataset(load(Numbers(), split="valid", **keys), 0, 6),
            verbose=0,
        )
        losses.append(history.history)
    assert losses == [losses[0]] * 3
    assert len(losses[0]["val_loss"]) == 3


def _is_in_a_slot(loader: Loader, tensor: tf.Tensor) -> bool:
    memory = np.frombuffer(loader._source._slots._memory, np.uint8)  # type: ignore[union-attr]
    address = np.asarray(memoryview(tensor)).ctypes.data
    return memory.ctypes.data <= address < memory.ctypes.data + memory.size
