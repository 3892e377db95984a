"""Runs with a model that was not trained, for tests of what is done with a model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import yaml

from reprise.runs.experiment import compose_and_check, new_model, open_data, set_up_device
from reprise.runs.folder import CHECKPOINTS, CONFIG, IDENTITY, SPECS, SPLITS
from reprise.training.checkpoint import of_any_size


def made_run(runs: Path, *words: str, model: Callable[..., keras.Model] = new_model) -> Path:
    """A run whose model was not trained: its weights are those of the seed.

    Args:
        runs: Where runs are.
        words: Overrides of its configuration.
        model: Makes its model from configuration and dataset.
    """
    composed = compose_and_check(list(words))
    data = open_data(composed.values)
    data.learn()
    set_up_device(composed.values)
    built = model(composed.values, data.dataset)
    folder = runs / composed.experiment / "20261128-000000-aaaa"
    (folder / CHECKPOINTS).mkdir(parents=True)
    (of_any_size(built) or built).save(folder / CHECKPOINTS / "best.keras")
    specs = {"input": data.dataset.input_spec, "target": data.dataset.target_spec}
    (folder / CONFIG).write_text(yaml.safe_dump(composed.values))
    (folder / SPLITS).write_text(json.dumps(data.members()))
    (folder / SPECS).write_text(json.dumps({part: spec.as_json() for part, spec in specs.items()}))
    (folder / IDENTITY).write_text(json.dumps({"choices": composed.choices}))
    return folder


def fully_convolutional(config: Any, dataset: Any) -> keras.Model:
    """A small network from pictures to yes or no, whose stride is 4."""
    inputs = keras.Input(dataset.input_spec.shape, dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(8, 7, strides=4, padding="same", activation="relu")(x)
    x = keras.layers.Conv2DTranspose(1, 4, strides=4, activation="sigmoid")(x)
    return keras.Model(inputs, x)
