"""Settings that contradict each other, as far as that can be told from the values alone."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One contradiction.

    Args:
        keys: Dotted keys it reads; where one is missing or wrong by itself, it is not applied.
        judge: Takes their values and returns what is wrong and what would be right, or None.
        shrinks: A debug choice may bring it about by making a run short, and is then excused.
    """

    keys: tuple[str, ...]
    judge: Callable[..., tuple[str, str] | None]
    shrinks: bool = False


Verdict = tuple[str, str] | None


def monitor_has_a_split(monitor: str) -> Verdict:
    """The run's names for metrics begin with a split."""
    split, _, metric = monitor.partition("/")
    if split in {"train", "valid"} and metric:
        return None
    bare = metric or monitor.removeprefix("val_")
    return f"there is no metric '{monitor}'", f"valid/{bare} or train/{bare}"


def monitor_goes_the_right_way(monitor: str, mode: str) -> Verdict:
    """A loss or an error is better when it is smaller, a score when it is larger."""
    metric = monitor.rpartition("/")[2]
    wanted = "min" if metric.startswith(_ERRORS) else mode
    wanted = "max" if metric.startswith(_SCORES) else wanted
    return None if mode == wanted else (f"'{mode}' would keep the worst {monitor}", wanted)


_ERRORS = ("loss", "mae", "mse", "rmse")
_SCORES = ("iou", "f1", "accuracy", "precision", "recall", "auc", "r2")


def encoder_is_let_go(freeze: Any, epochs: int) -> Verdict:
    """A number of epochs after which the encoder is trained lies within the run."""
    if isinstance(freeze, bool) or not isinstance(freeze, int) or freeze < epochs:
        return None
    return f"the encoder would be let go after {freeze} of {epochs} epochs, so never", (
        f"encoder_freeze below {epochs}, or true to keep it frozen"
    )


def fractions_fit(split: Any) -> Verdict:
    """Fractions of one whole are none below 0, and at most 1 together."""
    parts = split.values() if isinstance(split, dict) else []  # not every dataset splits so
    fractions = [part for part in parts if isinstance(part, int | float)]
    total = round(sum(fractions), 9)
    if total <= 1 and all(fraction >= 0 for fraction in fractions):
        return None
    return f"the fractions are {', '.join(map(str, fractions))}, together {total:g}", (
        "none below 0, and at most 1 together"
    )


def schedule_is_used(schedule: str, decay_steps: int | None, warmup_steps: int) -> Verdict:
    """A constant learning rate has neither decay nor warm-up."""
    if schedule != "constant" or (decay_steps is None and not warmup_steps):
        return None
    return "a constant learning rate ignores decay_steps and warmup_steps", "schedule cosine"


def one_owner_of_the_rate(schedule: str, patience: int | None) -> Verdict:
    """Keras cannot lower a learning rate that a schedule sets."""
    if schedule == "constant" or patience is None:
        return None
    return f"both the {schedule} schedule and reduce_lr_patience would set the learning rate", (
        "schedule constant, or reduce_lr_patience null"
    )


def rate_can_be_lowered(schedule: str, recoveries: int) -> Verdict:
    """Going back helps by a lower learning rate, which a schedule would set anew."""
    if schedule == "constant" or not recoveries:
        return None
    return f"the {schedule} schedule sets the rate that recoveries would lower", (
        "schedule constant, or recoveries 0"
    )


def one_of_xla_and_determinism(jit_compile: bool, deterministic: bool | None) -> Verdict:
    """TensorFlow runs no XLA while its operations are held to be deterministic."""
    if not (jit_compile and deterministic):
        return None
    return "jit_compile has no effect while deterministic is true", "one of them, or null for it"


RULES = (
    Rule(("trainer.jit_compile", "trainer.deterministic"), one_of_xla_and_determinism),
    Rule(("trainer.monitor",), monitor_has_a_split),
    Rule(("trainer.monitor", "trainer.monitor_mode"), monitor_goes_the_right_way),
    Rule(("model.encoder_freeze", "trainer.epochs"), encoder_is_let_go, shrinks=True),
    Rule(("dataset.split",), fractions_fit),
    Rule(
        ("optimizer.schedule", "optimizer.decay_steps", "optimizer.warmup_steps"), schedule_is_used
    ),
    Rule(("optimizer.schedule", "trainer.reduce_lr_patience"), one_owner_of_the_rate),
    Rule(("optimizer.schedule", "trainer.recoveries"), rate_can_be_lowered),
)


def contradictions(
    values: dict[str, Any], mistaken: Collection[str], *, is_debug: bool
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Apply every rule whose keys are there and right by themselves.

    Yields:
        The keys, what is wrong with them together, and what would be right.
    """
    for rule in RULES:
        found = [look_up(values, key) for key in rule.keys]
        if _MISSING in found or (is_debug and rule.shrinks):
            continue
        if any(one.startswith(key) for one in mistaken for key in rule.keys):
            continue
        verdict = rule.judge(*found)
        if verdict is not None:
            yield (rule.keys, *verdict)


_MISSING = object()


def look_up(values: Any, key: str) -> Any:
    """Find the value of a dotted key, or a marker that equals nothing else where there is none."""
    for name in key.split("."):
        if not isinstance(values, dict) or name not in values:
            return _MISSING
        values = values[name]
    return values
