"""The run's curves as one picture: each metric of training beside the same of validation."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reprise.tracking.run import Run

SHOWN = 4  # metrics; as many as the UI shows side by side in a run's description


def write_curves(run: Run, name: str) -> None:
    """Draw what `run` has recorded by epoch as PNG `name`, and record the picture.

    The metrics are those of validation, the loss first and then in the order of their names,
    without the scores of single classes (`f1_cat` where there is `f1`).
    """
    names = [key.removeprefix("valid/") for key in run.history if key.startswith("valid/")]
    metrics = [key for key in names if not any(key.startswith(f"{other}_") for other in names)]
    metrics = sorted(metrics, key=lambda key: (key != "loss", key))[:SHOWN]
    figure = Figure(figsize=(2.9 * len(metrics), 2.6), layout="constrained")
    for axes, metric in zip(
        figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True
    ):
        for split in ("train", "valid"):
            values = run.history.get(f"{split}/{metric}", {})
            axes.plot(list(values), list(values.values()))
        axes.set(title=metric, xlabel="epoch")
        axes.legend(["train", "valid"])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    path: Path = run.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    run.artifact(path)
