"""Deliver to MLflow what it has missed of any run."""

from pathlib import Path

from reprise.config.secrets import MASK, redact
from reprise.errors import UserError
from reprise.runs.folder import is_held
from reprise.tracking.folders import run_folders
from reprise.tracking.journal import Journal, delivered, entries, undelivered
from reprise.tracking.settings import tracking_uri


def sync(runs: Path, uri: str = "") -> None:
    """Deliver the outstanding records of all runs, the oldest run first.

    Args:
        runs: Folder of all runs.
        uri: Address of the store; empty: of each run, the one it was recorded for.

    Raises:
        UserError: a store does not answer; the runs of others are delivered all the same.
    """
    folders = run_folders(runs)
    failed: dict[str, str] = {}
    for folder in folders:
        _mark_if_dead(folder)
        store = uri or _recorded_for(folder)
        if redact(store) in failed or not _is_outstanding(folder, redact(store)):
            continue
        try:
            from reprise.tracking.mlflow_store import deliver

            count = deliver(folder, store, redact(store), lambda what: print(redact(what)))
            print(f"{folder.name}  {count} entries to {redact(store)}", flush=True)
        except Exception as error:  # of whatever library stands before the store
            failed[redact(store)] = redact(str(error).partition("\n")[0])
    if failed:
        raise UserError(
            "what is outstanding could not all be delivered",
            expected="a tracking store that answers at " + ", ".join(failed),
            received="; ".join(failed.values()),
            remedy="give the address with its password as uri=… or MLFLOW_TRACKING_URI"
            if any(MASK in uri for uri in failed)
            else "start the store, then again: make sync",
        )
    print(f"{len(folders)} runs, nothing is outstanding")


def _recorded_for(folder: Path) -> str:
    """Address of the store that a run was recorded for; its password is in the environment."""
    start = next(entries(folder, "start"), None)
    here = tracking_uri(None)
    return start["uri"] if start and start["uri"] != redact(here) else here


def _is_outstanding(folder: Path, shown: str) -> bool:
    known = delivered(folder)
    return known is None or known.uri != shown or undelivered(folder) > 0


def _mark_if_dead(folder: Path) -> None:
    """Mark a run as killed if it is recorded as running and no process trains it."""
    last = [entry["status"] for entry in entries(folder, "status")][-1:]
    if last == ["RUNNING"] and not is_held(folder):
        Journal(folder, _refuse).add("status", status="KILLED")


def _refuse(error: OSError) -> None:
    raise error
