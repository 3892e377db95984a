"""The run's curves as one picture: each metric of training beside the same of validation."""

from pathlib import Path

from matplotlib.figure import Figure

from reprise.tracking.run import Run

SHOWN = 4  # metrics drawn; per-class scores are left to the UI


def write_curves(run: Run, name: str) -> None:
    """Draw what `run` has recorded by epoch as PNG `name`, and record the picture.

    The metrics are those of validation, the loss first and then in the order of their names,
    the shortest names (the means over classes) before the long ones.
    """
    recorded = run.client.get_run(run.mlflow_id).data.metrics
    metrics = [key.removeprefix("valid/") for key in recorded if key.startswith("valid/")]
    metrics = sorted(metrics, key=lambda key: (key != "loss", len(key), key))[:SHOWN]
    figure = Figure(figsize=(4 * len(metrics), 3), layout="constrained")
    for axes, metric in zip(
        figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True
    ):
        for split in ("train", "valid"):
            history = run.client.get_metric_history(run.mlflow_id, f"{split}/{metric}")
            axes.plot([point.step for point in history], [point.value for point in history])
        axes.set(title=metric, xlabel="epoch")
        axes.legend(["train", "valid"])
        axes.grid(alpha=0.3)
    path: Path = run.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    run.artifact(path)
