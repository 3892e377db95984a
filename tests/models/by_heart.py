"""Teach a model a handful of samples by heart: what cannot do that has a mistake in it."""

import keras
import numpy as np

from reprise.training.fit import compile_model


def by_heart(build, x, y, objective, *, steps, learning_rate=0.01):
    """Train a model made by `build` on these samples alone; the model and its metrics on them."""
    keras.utils.set_random_seed(0)
    loss, metrics = objective
    model = compile_model(build(), keras.optimizers.Adam(learning_rate), loss, metrics)
    again = np.tile(np.arange(len(x)), steps)  # one long epoch: Keras spends 50 ms on each
    model.fit(x[again], y[again], batch_size=len(x), shuffle=False, verbose=0)
    return model, model.evaluate(x, y, verbose=0, return_dict=True)


def noise(shape, dtype, seed=0):
    """Eight random samples: nothing but the samples themselves can be learned."""
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(size=(8, *shape)).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, (8, *shape)).astype(dtype)
