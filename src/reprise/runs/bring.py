"""Bring a run here from where else it is: the tracking store, or the file of an exported run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from reprise.config.secrets import redact
from reprise.errors import UserError
from reprise.project import ROOT, relative
from reprise.runs.archive import unpack
from reprise.runs.folder import (
    CONFIG,
    IDENTITY,
    JOB,
    PACKAGES,
    RESULT,
    SPECS,
    SPLITS,
    is_held,
    state_of,
)
from reprise.runs.load import NoRun, SavedRun, find, require_best
from reprise.tracking.contents import LIST, read_list
from reprise.tracking.folders import LAST, all_runs
from reprise.tracking.journal import JOURNAL, entries
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
        return _whole(find(str(unpack(ROOT / run, all_runs(runs))), runs))
    try:
        saved = _whole(find(run, runs))
        if run == LAST:
            print(f"run=last is {_said(saved)}", file=sys.stderr)
        return saved
    except NoRun as missing:
        store = tracking_uri(uri)
        if run == LAST or (store.startswith("sqlite:///") and not Path(store[10:]).exists()):
            raise
        from reprise.tracking.download import download
        from reprise.tracking.trouble import Trouble

        try:
            needed = (IDENTITY, CONFIG, SPLITS, SPECS)
            folder = download(run, store, redact(store), all_runs(runs), needed)
        except Trouble as trouble:
            what, expected, _, remedy = missing.args
            how = trouble.remedy.partition(", then:")[0]  # sync
            remedy += f"; or to bring it from the store: {redact(how)}"
            raise UserError(what, expected, redact(trouble.reason), remedy) from None
        if folder is None:
            raise
    if not (folder / IDENTITY).exists():  # it was here, and has lost that file
        raise _damaged(folder, IDENTITY, "no such file")
    print(f"run {folder.name} is brought from {redact(store)}: {relative(folder)}", flush=True)
    return _whole(find(folder.name, runs))


def _said(saved: SavedRun) -> str:
    """Which run it is, and what it was."""
    above = next((entry["run"] for entry in entries(saved.folder, "parent")), saved.parent)
    kind = "an update" if saved.parent else "a job" if (saved.folder / JOB).exists() else "a copy"
    of = f", {kind} of {above}" if above else ""
    return f"{saved.folder.name} of {saved.experiment}{of}, {state_of(saved.folder)}"


def _whole(saved: SavedRun) -> SavedRun:
    """The run, whose record is not damaged as far as that can be seen.

    Raises:
        UserError: a file of it has lost its end, or is none of that kind.
    """
    folder = saved.folder
    if not isinstance(saved.config, dict) or not {"trainer", "tracking"} <= saved.config.keys():
        raise _damaged(folder, CONFIG, "no whole configuration")
    if (folder / PACKAGES).exists():
        text = (folder / PACKAGES).read_text(errors="replace")
        if not re.fullmatch(r"(python==\S+\n)?([^\s=]+==\S+\n)+", text):
            raise _damaged(folder, PACKAGES, "no whole list of name==version")
    if (folder / LIST).exists() and read_list(folder) is None:
        raise _damaged(folder, LIST, "no whole list of files")
    if (folder / RESULT).exists():
        try:
            json.loads((folder / RESULT).read_text())
        except ValueError as error:
            raise _damaged(folder, RESULT, str(error)) from None
        if not (folder / JOURNAL).exists():
            raise _damaged(folder, JOURNAL, "no such file")
        is_cut = not (folder / JOURNAL).read_bytes().endswith(b"\n")
        if not is_held(folder) and (is_cut or not any(entries(folder, "status"))):
            raise _damaged(folder, JOURNAL, "a journal that ends before the run did")
    return saved


def _damaged(folder: Path, file: str, why: str) -> UserError:
    return UserError(
        f"the record of run {folder.name} is damaged",
        f"{file} in {relative(folder)}, as the run has written it",
        why,
        "copy the folder again; or move it away, and the run is brought from MLflow if it is there",
    )


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
