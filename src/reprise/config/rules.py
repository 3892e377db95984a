"""Contradictions between settings that each are right by themselves."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from reprise.config.mistakes import Mistake, shown

# Names of metrics that are better when smaller, and of those that are better when larger.
_ERRORS = ("loss", "mae", "mse", "rmse")
_SCORES = ("iou", "f1", "accuracy", "precision", "recall", "auc", "r2")

Value = Callable[[str], Any]
# Dotted keys, what is wrong with their values together, and what would be right.
Conflict = tuple[tuple[str, ...], str, str]


def contradictions(
    values: dict[str, Any],
    mistaken: Collection[str],
    place: Callable[[str], str],
    *,
    is_debug: bool = False,
) -> list[Mistake]:
    """Find settings that contradict each other.

    Args:
        values: Plain nested values.
        mistaken: Dotted keys that are wrong by themselves; the rules ignore them.
        place: Returns where a key was written.
        is_debug: Whether a debug option shortens the run; the rules then ignore its length.
    """

    def value(key: str) -> Any:
        """Return the value of a key; None if it is missing, or wrong by itself."""
        found: Any = None if any(one.startswith(key) for one in mistaken) else values
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    conflicts = [*_of_trainer(value), *_of_learning_rate(value), *_of_split(value)]
    conflicts += [] if is_debug else _of_encoder(value)
    return [
        Mistake(
            wrong,
            "; ".join(dict.fromkeys(place(key) for key in keys)),
            right,
            ", ".join(f"{key}: {shown(value(key))}" for key in keys),
            f"change {' or '.join(keys)}",
        )
        for keys, wrong, right in conflicts
    ]


def _of_trainer(value: Value) -> Iterator[Conflict]:
    if value("trainer.jit_compile") and value("trainer.deterministic"):
        keys = ("trainer.jit_compile", "trainer.deterministic")
        # TensorFlow runs no XLA while its operations are deterministic.
        wrong = "jit_compile has no effect while deterministic is true"
        yield keys, wrong, "one of them, or null for it"
    monitor, mode = value("trainer.monitor"), value("trainer.monitor_mode")
    if monitor is None:
        return
    split, _, metric = monitor.partition("/")
    if split not in {"train", "valid"} or not metric:
        bare = metric or monitor.removeprefix("val_")
        wrong = f"there is no metric '{monitor}'"
        yield ("trainer.monitor",), wrong, f"valid/{bare} or train/{bare}"
    metric = monitor.rpartition("/")[2]
    wanted = "min" if metric.startswith(_ERRORS) else "max" if metric.startswith(_SCORES) else mode
    if mode not in {None, wanted}:
        wrong = f"'{mode}' would keep the worst {monitor}"
        yield ("trainer.monitor", "trainer.monitor_mode"), wrong, wanted


def _of_learning_rate(value: Value) -> Iterator[Conflict]:
    schedule = value("optimizer.schedule")
    decay, warmup = "optimizer.decay_steps", "optimizer.warmup_steps"
    if schedule == "constant" and (value(decay) is not None or value(warmup)):
        wrong = "a constant learning rate ignores decay_steps and warmup_steps"
        yield ("optimizer.schedule", decay, warmup), wrong, "schedule cosine"
    if schedule in {None, "constant"}:
        return
    if value("trainer.reduce_lr_patience") is not None:
        keys = ("optimizer.schedule", "trainer.reduce_lr_patience")
        wrong = f"both the {schedule} schedule and reduce_lr_patience would set the learning rate"
        yield keys, wrong, "schedule constant, or reduce_lr_patience null"
    if value("trainer.recoveries"):
        keys = ("optimizer.schedule", "trainer.recoveries")
        wrong = f"the {schedule} schedule sets the rate that recoveries would lower"
        yield keys, wrong, "schedule constant, or recoveries 0"


def _of_encoder(value: Value) -> Iterator[Conflict]:
    freeze, epochs = value("model.encoder_freeze"), value("trainer.epochs")
    if type(freeze) is int and epochs is not None and freeze >= epochs:
        wrong = f"the encoder would be let go after {freeze} of {epochs} epochs, so never"
        right = f"encoder_freeze below {epochs}, or true to keep it frozen"
        yield ("model.encoder_freeze", "trainer.epochs"), wrong, right


def _of_split(value: Value) -> Iterator[Conflict]:
    split = value("dataset.split")
    parts = split.values() if isinstance(split, dict) else []  # not every dataset splits so
    fractions = [part for part in parts if isinstance(part, int | float)]
    total = round(sum(fractions), 9)
    if total > 1 or any(fraction < 0 for fraction in fractions):
        wrong = f"the fractions are {', '.join(map(str, fractions))}, together {total:g}"
        yield ("dataset.split",), wrong, "none below 0, and at most 1 together"
