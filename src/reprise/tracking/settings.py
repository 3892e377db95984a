"""The settings of tracking, as conf/tracking/ writes them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Where runs are recorded.

    Args:
        uri: Address of the tracking store; None means MLFLOW_TRACKING_URI, or a local database.
        experiment: Name of the MLflow experiment; None means that of the experiment file.
        runs: Folder of the runs' own folders, relative to the project.
        upload_checkpoints: Record the best and the last model file as artifacts.
    """

    uri: str | None = None
    experiment: str | None = None
    runs: str = "runs"
    upload_checkpoints: bool = True
