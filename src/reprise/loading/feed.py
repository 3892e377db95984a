"""Hands a loader's batches to TensorFlow: the one place in the project that knows tf.data."""

import tensorflow as tf

from reprise.loading.loader import Loader
from reprise.spec import Spec


def as_tf_dataset(loader: Loader, start: int = 0, stop: int | None = None) -> tf.data.Dataset:
    """The loader's batches as what `fit`, `evaluate` and `predict` take.

    Args:
        loader: Each iteration over the result is a new call of its `batches`.
        start: First step.
        stop: Step to stop before; None is endless.

    Returns:
        Pairs of x and y, batch axis first and of unknown length, as the dataset's specs say.
    """
    specs = loader.dataset.input_spec, loader.dataset.target_spec
    feed = tf.data.Dataset.from_generator(
        lambda: loader.batches(start, stop), output_signature=tuple(map(_signature, specs))
    )
    options = tf.data.Options()
    # A second queue behind ours would hide the time that training waits for data.
    options.experimental_optimization.inject_prefetch = False
    # There is nothing to tune, and the end of a pass would wait for the tuner: 2.6 s, not 1.2.
    options.autotune.enabled = False
    feed = feed.with_options(options)
    # Without it Keras counts an epoch's first pass itself, and warns where the pass ends.
    return (
        feed if stop is None else feed.apply(tf.data.experimental.assert_cardinality(stop - start))
    )


def _signature(spec: Spec) -> tf.TensorSpec:
    return tf.TensorSpec((None, *spec.shape), spec.dtype)
