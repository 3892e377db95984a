"""A run's journal, brought to MLflow: exactly once, however often it is tried."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient

from reprise.tracking.delivered import delivering, write_delivered
from reprise.tracking.identity import identified
from reprise.tracking.journal import read
from reprise.tracking.parcel import Parcel
from reprise.tracking.store import make_database


def deliver(folder: Path, uri: str, shown: str, say: Callable[[str], None]) -> int:
    """Bring what is outstanding of a run to the tracking store.

    Args:
        folder: The run's folder.
        uri: The store's absolute address.
        shown: The same with its passwords masked.
        say: Told what the store refuses for good.

    Returns:
        Number of entries delivered.

    Raises:
        Exception: the store cannot be reached; what was delivered before that is written down.
    """
    make_database(uri)
    client = MlflowClient(uri)
    with delivering(folder):
        found = identified(folder, client, shown)
        if found is None:
            return 0
        parcel = Parcel(client, shown, found.mlflow_id, folder, say)
        count, offset = 0, found.offset
        for entry, end in read(folder, offset):
            if not parcel.takes(entry):
                parcel.send()
                write_delivered(folder, replace(found, offset=offset))
            parcel.add(entry)
            count, offset = count + 1, end
        parcel.send()
        write_delivered(folder, replace(found, offset=offset))
        return count
