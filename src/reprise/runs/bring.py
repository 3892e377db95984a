"""Bring a run here from where else it is: the tracking store, or the file of an exported run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reprise.config.secrets import redact
from reprise.errors import UserError
from reprise.project import ROOT, relative
from reprise.runs.archive import unpack
from reprise.runs.load import NoRun, SavedRun, find, require_best
from reprise.tracking.folders import LAST, all_runs
from reprise.tracking.settings import tracking_uri


def find_or_bring(run: str, runs: Path, uri: str = "") -> SavedRun:
    """Find a run by its id, or MLflow's; one that has no folder here is brought from the store.

    The file of an exported run is unpacked.

    Args:
        run: What names it.
        runs: Folder of all runs.
        uri: Address of the store; '': MLFLOW_TRACKING_URI, or the local database.

    Raises:
        UserError: there is no such run here or in the store, or the store cannot be asked.
    """
    if Path(run).suffix == ".zip" and (ROOT / run).is_file():
        return find(str(unpack(ROOT / run, all_runs(runs))), runs)
    try:
        return find(run, runs)
    except NoRun as missing:
        store = tracking_uri(uri)
        if run == LAST or (store.startswith("sqlite:///") and not Path(store[10:]).exists()):
            raise
        from reprise.tracking.download import download
        from reprise.tracking.trouble import Trouble

        try:
            folder = download(run, store, redact(store), all_runs(runs))
        except Trouble as trouble:
            what, expected, _, remedy = missing.args
            raise UserError(what, expected, redact(trouble.reason), remedy) from None
        if folder is None:
            raise
    print(f"run {folder.name} is brought from {redact(store)}: {relative(folder)}", flush=True)
    return find(folder.name, runs)


def ancestors(saved: SavedRun, uri: str) -> Iterator[SavedRun]:
    """The run whose model an update started from, the one that that started from, and so on.

    Args:
        saved: The run.
        uri: Address of the store that they are brought from, as `find_or_bring` takes it.

    Raises:
        UserError: one of them is gone, or the first has no model to start from.
    """
    if saved.parent is None:
        return
    parent = find_or_bring(saved.parent, saved.runs, uri)
    require_best(parent.folder)
    yield parent
    while parent.parent is not None:
        parent = find_or_bring(parent.parent, saved.runs, uri)
        yield parent
