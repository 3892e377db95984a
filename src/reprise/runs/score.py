"""A run's result: how well its best model does, recorded in numbers, pictures and a table."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reprise.runs.compare_seen import is_of_one_class
from reprise.runs.experiment import Data
from reprise.runs.folder import CHECKPOINTS, RESULT, STATE
from reprise.runs.parent import Parent
from reprise.tracking.journal import OWN_ID

COLUMNS = (
    "valid", "before_test", "before_valid", "test",
    "before_parent_test", "before_parent_valid", "parent_test", "parent_valid",
)  # fmt: skip


def score_best(
    run: Any, config: Mapping[str, Any], data: Data, parent: Parent | None = None
) -> dict[str, float]:
    """Score the best model and record it: metrics, model, checkpoints, pictures.

    Returns:
        `{'<split>/<metric>': value}`; with a parent also `parent_test/…`, on its own test data, and
        what its model had reached on both before, `before_test/…` and `before_parent_test/…`.
    """
    from reprise.runs.evaluate import load_best, score_splits
    from reprise.tracking.confusion import write_confusion
    from reprise.tracking.curves import write_curves
    from reprise.tracking.model import save_model
    from reprise.tracking.pictures import write_predictions
    from reprise.training.checkpoint import BEST, discard

    model, keep = load_best(run.folder), config["tracking"]["keep"]
    if keep != "none":
        save_model(
            run, model, run.folder / CHECKPOINTS / BEST
        )  # before it is compiled: to load it then takes Keras alone
    splits = [split for split in ("valid", "test") if split in data.splits]
    result = score_splits(model, config, data, splits)
    classes, name = data.dataset.target_spec.classes, f"pictures/confusion_{splits[-1]}.png"
    write_confusion(run, model, classes, name)  # of the split that was scored last
    if parent:
        result |= {**parent.before, **parent.score(model)}
    # `valid/…` already has the last epoch's value, which need not be the best
    named = {f"best/{name}" if name.startswith("valid/") else name: result[name] for name in result}
    run.metrics(named, step=max(run.history["time/epoch_s"]))
    x, y = data.first(splits[-1], config["trainer"]["num_pictures"])
    pictures = ["pictures/curves.png", f"pictures/best_{splits[-1]}.png"]
    write_predictions(run, model, x, y, data.dataset.draw, pictures[1])
    write_curves(run, pictures[0])
    run.tags({"mlflow.note.content": description(result, pictures)})
    if config["tracking"]["upload_checkpoints"] and keep != "none":
        run.artifact(run.folder / CHECKPOINTS)
    run.text(RESULT, json.dumps(result, indent=1))  # where it stands, the run is finished
    discard(run.folder / CHECKPOINTS, run.folder / STATE, keep)
    return result


def description(result: Mapping[str, float], pictures: Sequence[str]) -> str:
    """What the UI says at the top of the run's page: the result without single classes, pictures.

    Its Markdown shows pictures by address only; this one is right on every server.
    """
    bases = [name.partition("/")[2] for name in result]
    of_all = {k: v for k, v in result.items() if not is_of_one_class(k.partition("/")[2], bases)}
    shown = [f"![{name}](get-artifact?path={name}&run_uuid={OWN_ID})" for name in pictures]
    return "\n\n".join([result_table(of_all), *shown])


def result_table(result: Mapping[str, float]) -> str:
    """Metrics of the best model by split, in Markdown that also reads well as it is."""
    found = {name.partition("/")[0] for name in result}
    splits = [split for split in COLUMNS if split in found]
    lines = ["| best model     | " + " | ".join(f"{split:>8}" for split in splits) + " |"]
    lines.append(
        "|----------------|" + "|".join("-" * (max(8, len(s)) + 1) + ":" for s in splits) + "|"
    )
    for metric in dict.fromkeys(name.partition("/")[2] for name in result):
        cells = [(result.get(f"{split}/{metric}"), max(8, len(split))) for split in splits]
        values = [" " * width if v is None else f"{v:{width}.4f}" for v, width in cells]
        lines.append(f"| {metric:<14} | {' | '.join(values)} |")
    return "\n".join(lines)
