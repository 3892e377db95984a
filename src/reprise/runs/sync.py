"""Deliver to MLflow what it lacks of any run."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from tqdm import tqdm

from reprise.config.secrets import MASK, redact
from reprise.errors import UserError
from reprise.runs.folder import is_held
from reprise.tracking.folders import run_folders
from reprise.tracking.journal import Journal, entries
from reprise.tracking.settings import tracking_uri
from reprise.tracking.trouble import Trouble, explain

NAMED = 3  # things that a line names, at most


def sync(runs: Path, uri: str = "") -> None:
    """Compare all runs with what their stores have and deliver what is missing, the oldest first.

    Args:
        runs: Folder of all runs.
        uri: Address of the store; empty: of each run, the one it was recorded for.

    Raises:
        UserError: something could not be delivered, or a store does not answer; everything else
            is delivered all the same.
    """
    folders = run_folders(runs)
    away: dict[str, Trouble] = {}  # of stores
    missing: dict[str, list[str]] = {}  # by what to do
    for folder in tqdm(folders, "compared", leave=False, disable=None):
        _mark_if_dead(folder)
        store = tracking_uri(uri) if uri else _recorded_for(folder)
        for what, trouble in _sync_one(folder, store, away).items():
            line = redact(f"{folder.name}: {what}{trouble.reason}")
            missing.setdefault(redact(trouble.remedy), []).append(line)
    if missing:
        masked = any(MASK in store for store in away)
        raise UserError(
            "not everything could be delivered; the runs' folders have it",
            expected="MLflow to have what is in the journals and folders of all runs",
            received="\n".join(line for lines in missing.values() for line in lines),
            remedy="give the address with its password as uri=… or MLFLOW_TRACKING_URI"
            if masked
            else "\n".join(missing),
        )
    print(f"{len(folders)} runs, nothing is outstanding")


def deliver_run(folder: Path) -> None:
    """Deliver what is missing of one run; what cannot be delivered is said, and waits for sync."""
    for what, trouble in _sync_one(folder, _recorded_for(folder), {}).items():
        print(f"note: not delivered: {what}{redact(trouble.reason)}; {redact(trouble.remedy)}")


def add_to_record(
    folder: Path, *, files: Sequence[str] = (), tags: Mapping[str, str] | None = None
) -> None:
    """Record more of a run that has ended: files in its folder, and tags; and deliver both."""
    journal = Journal(folder, _refuse)
    for name in files:
        journal.add("artifact", path=name)
    if tags:
        journal.add("tags", values=dict(tags))
    with redirect_stdout(sys.stderr):  # what the verb itself says comes first on stdout
        deliver_run(folder)


def _sync_one(folder: Path, store: str, away: dict[str, Trouble]) -> dict[str, Trouble]:
    """Deliver what is missing of a run; returns what is still missing, and why.

    Args:
        away: The stores that did not answer, which are not asked again; added to.
    """
    shown = redact(store)
    if shown in away:
        return {"": away[shown]}
    from reprise.tracking.artifacts import deliver_files
    from reprise.tracking.mlflow_store import deliver

    sent: dict[str, int] = {}
    missing: dict[str, Trouble] = {}
    asked, files = shown, f"the files of {shown}"
    try:
        _mark_if_dead(folder)
        done = deliver(folder, store, shown, lambda line: tqdm.write(redact(line)), compare=True)
        sent |= done.sent
        missing |= _together(done.missing)
        asked = files
        if files in away:
            raise away[files]
        done = deliver_files(folder, store, shown, compare=True)
        sent |= done.sent
        missing |= _together(done.missing)
    except Exception as error:  # Trouble, or of the run's own folder
        trouble = explain(error, shown)
        if trouble.of_store:
            away[asked] = trouble
        missing[""] = trouble
    if sent:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sent.items())
        tqdm.write(f"{folder.name}  {sum(sent.values())} entries to {shown} ({kinds})")
    return missing


def _together(missing: dict[str, Trouble]) -> dict[str, Trouble]:
    """Things that are missing for one reason, in one line that names a few of them."""
    names: dict[str, list[str]] = {}
    for name, trouble in missing.items():
        names.setdefault(str(trouble), []).append(name)
    found = {}
    for some in names.values():
        more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
        found[f"{', '.join(some[:NAMED])}{more}: "] = missing[some[0]]
    return found


def _recorded_for(folder: Path) -> str:
    """Address of the store that a run was recorded for; its password is in the environment."""
    start = next(entries(folder, "start"), None)
    here = tracking_uri(None)
    return start["uri"] if start and start["uri"] != redact(here) else here


def _mark_if_dead(folder: Path) -> None:
    """Mark a run as killed if it is recorded as running and no process trains it."""
    last = [entry["status"] for entry in entries(folder, "status")][-1:]
    if last == ["RUNNING"] and not is_held(folder):
        Journal(folder, _refuse).add("status", status="KILLED")


def _refuse(error: OSError) -> None:
    raise error
