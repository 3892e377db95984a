"""From an engine's name to the function that runs it; imports its library and nothing else."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

FILES = {
    "limit": "ours",
    "reprise": "ours",
    "keras": "keras_feed",
    "tf.data": "tf_feed",
    "grain": "grain_feed",
    "torch": "torch_feed",
    "received": "received",
    "seed": "seed",
    "fit": "fit",
}


def find(engine: str) -> Callable[..., None]:
    """The engine's `run(engine, work, dataset, workers, meter, source)`, which never returns."""
    module = import_module(f"scripts.bench.engines.{FILES[engine.split()[0]]}")
    run: Callable[..., Any] = module.run
    return run
