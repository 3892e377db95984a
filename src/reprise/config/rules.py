"""Contradictions between settings that each are right by themselves."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from reprise.config.mistakes import Mistake, shown

# Names of metrics that are better when smaller, and of those that are better when larger.
_ERRORS = ("loss", "mae", "mse", "rmse")
_SCORES = ("iou", "f1", "accuracy", "precision", "recall", "auc", "r2")

# Names in runs/ that are no experiment's: of runs with debug=…, and of the link to the last run.
_TAKEN = ("debug", "last")
_STORES = {"mlartifacts", "mlruns"}  # MLflow's
_NAME_BYTES, _PATH_BYTES = 200, 800  # of a folder's name; file systems take 255, and some 4096

Value = Callable[[str], Any]
# Dotted keys, what is wrong with their values together, and what would be right.
Conflict = tuple[tuple[str, ...], str, str]


def contradictions(
    values: dict[str, Any],
    mistaken: Collection[str],
    place: Callable[[str], str],
    *,
    is_debug: bool = False,
    experiment: str = "",
) -> list[Mistake]:
    """Find settings that contradict each other.

    Args:
        values: Plain nested values.
        mistaken: Dotted keys that are wrong by themselves; the rules ignore them.
        place: Returns where a key was written.
        is_debug: Whether a debug option shortens the run; the rules then ignore its length.
        experiment: Name of the experiment, where tracking.experiment gives no other.
    """

    def value(key: str) -> Any:
        """Return the value of a key; None if it is missing, or wrong by itself."""
        found: Any = None if any(one.startswith(key) for one in mistaken) else values
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    conflicts = [*_of_trainer(value), *_of_learning_rate(value), *_of_split(value)]
    conflicts += _of_folders(value, experiment)
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
    if value("trainer.jit_compile") and value("trainer.distribution") == "mirrored":
        keys = ("trainer.jit_compile", "trainer.distribution")
        wrong = "XLA cannot compile what mirrored devices exchange within a step"
        yield keys, wrong, "jit_compile false, or distribution none"
    if "BackupAndRestore" in _callbacks(value):
        wrong = "BackupAndRestore would put weights of its own in the place of a resumed run's"
        yield ("trainer.callbacks",), wrong, "no such callback: a run saves and restores itself"
    monitor = value("trainer.monitor")
    if monitor is None:
        return
    split, _, metric = monitor.partition("/")
    if split not in {"train", "valid"} or not metric:
        bare = metric or monitor.removeprefix("val_")
        wrong = f"there is no metric '{monitor}'"
        yield ("trainer.monitor",), wrong, f"valid/{bare} or train/{bare}"
    yield from _of_direction(value, "trainer.monitor", "trainer.monitor_mode")
    metric = "sweep.metric" if value("sweep.metric") else "trainer.monitor"
    yield from _of_direction(value, metric, "sweep.mode")


def _of_direction(value: Value, metric: str, mode: str) -> Iterator[Conflict]:
    """Find a metric whose worst value would be taken for the best."""
    name, chosen = value(metric).rpartition("/")[2], value(mode)
    wanted = "min" if name.startswith(_ERRORS) else "max" if name.startswith(_SCORES) else chosen
    if chosen not in {None, wanted}:
        yield (metric, mode), f"'{chosen}' would keep the worst {value(metric)}", wanted


def _callbacks(value: Value) -> set[str]:
    """Return the names of the classes of `trainer.callbacks`."""
    nodes = value("trainer.callbacks") or []
    targets = [str(node.get("_target_")) for node in nodes if isinstance(node, dict)]
    return {target.rpartition(".")[2] for target in targets}


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
    for name in sorted({"ReduceLROnPlateau", "LearningRateScheduler"} & _callbacks(value)):
        wrong = f"both the {schedule} schedule and {name} would set the learning rate"
        yield ("optimizer.schedule", "trainer.callbacks"), wrong, f"schedule constant, or no {name}"
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


def _of_folders(value: Value, experiment: str) -> Iterator[Conflict]:
    name, runs = value("tracking.experiment"), value("tracking.runs")
    name = (experiment or None) if name is None else name
    if isinstance(name, str) and (why := _no_folder(name)):
        right = (
            "a name of a folder in runs/, or several with / between them: tracking.experiment=NAME"
        )
        yield ("tracking.experiment",), f"no runs can be kept under the name {name!r}: {why}", right
    if isinstance(runs, str) and (not runs.strip() or runs.startswith("~") or "\0" in runs):
        right = "the path of a folder, from the project's folder or from /"
        yield ("tracking.runs",), f"{runs!r} is no folder for runs", right


def _no_folder(name: str) -> str:
    """Say why there can be no folder `runs/<name>` of an experiment; empty where there can."""
    parts = name.split("/")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if parts[0].casefold() in _TAKEN:
        return f"runs/{parts[0].casefold()} is not an experiment's"
    if not _STORES.isdisjoint(parts):
        return "MLflow keeps its files under that name"
    if any(part != part.strip() or not part for part in parts):
        return "a part of it is empty, or begins or ends with a blank"
    if any(part.startswith(".") for part in parts):
        return "a part of it begins with a dot"
    if not name.isprintable():
        return "it has characters that cannot be printed"
    is_long = max(sizes) > _NAME_BYTES or sum(sizes) > _PATH_BYTES
    return "it is too long" if is_long else ""


def _of_split(value: Value) -> Iterator[Conflict]:
    split = value("dataset.split")
    parts = split.values() if isinstance(split, dict) else []  # not every dataset splits so
    fractions = [part for part in parts if isinstance(part, int | float)]
    total = round(sum(fractions), 9)
    if total > 1 or any(fraction < 0 for fraction in fractions):
        wrong = f"the fractions are {', '.join(map(str, fractions))}, together {total:g}"
        yield ("dataset.split",), wrong, "none below 0, and at most 1 together"
