"""A built model made ready to train."""

import keras

from reprise.training.release import build_for_all


def compile_model(
    model: keras.Model,
    optimizer: keras.Optimizer,
    loss: keras.Loss,
    metrics: list[keras.Metric],
    *,
    jit_compile: bool = False,
) -> keras.Model:
    """Compile `model`, its optimizer built over all that will ever be trained; returns the model.

    A float16 policy gets loss scaling, which small gradients need.
    """
    if keras.config.dtype_policy().name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=jit_compile)
    build_for_all(model)
    return model
