"""How far a run's journal has come to a tracking store, as a file beside the journal.

Written after each delivery; where a kill comes between, the same entries are delivered again, which
changes nothing: MLflow keeps a metric of the same time, step and value once.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from reprise.tracking.journal import JOURNAL

DELIVERED = "delivered.json"


@dataclass(frozen=True)
class Delivered:
    """How far a run has come to a tracking store.

    Args:
        uri: The store's address, passwords masked.
        mlflow_id: MLflow's own id of the run there.
        offset: Bytes of the journal that it has.
    """

    uri: str
    mlflow_id: str
    offset: int


def delivered(folder: Path) -> Delivered | None:
    """What was delivered of a run, or None where it is not known."""
    try:
        return Delivered(**json.loads((folder / DELIVERED).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_delivered(folder: Path, now: Delivered) -> None:
    """Write down, in one step, how far a run has come."""
    partial = folder / f".partial-{DELIVERED}"
    partial.write_text(json.dumps(asdict(now)))
    partial.replace(folder / DELIVERED)


def outstanding(runs: Path) -> list[Path]:
    """The folders of all runs under `runs` whose journal has more than was delivered of it."""
    return sorted(path.parent for path in runs.glob(f"*/*/{JOURNAL}") if undelivered(path.parent))


def undelivered(folder: Path) -> int:
    """Bytes of a run's journal that the store it was last delivered to does not have."""
    known = delivered(folder)
    journal = folder / JOURNAL
    size = journal.stat().st_size if journal.exists() else 0
    return size - (known.offset if known else 0)


@contextmanager
def delivering(folder: Path) -> Iterator[None]:
    """Be the only one, of all threads and processes, who delivers this run; waits for its turn."""
    with (folder / "delivery.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
