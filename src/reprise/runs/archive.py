"""An exported run: one zip file with the run's folder, and those of the runs it started from.

`run.json` at the top names the folders, the run's own last; the others are `runs/EXPERIMENT/ID/…`.
The states of training are left out, and the best model stands there once. Input files, where they
are in it, are in the run's `inputs/data/`, by their names in the project.
"""

from __future__ import annotations

import json
import shutil
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from reprise.config.secrets import redact
from reprise.errors import UserError
from reprise.files import link_or_copy, replacing
from reprise.project import ROOT, relative
from reprise.runs.folder import (
    CHECKPOINTS,
    CONFIG,
    DATA,
    IDENTITY,
    LOCK,
    SERVING,
    STATE,
    require_ended,
    require_place,
    to_type,
)
from reprise.runs.inputs import changed_inputs
from reprise.runs.load import SavedRun
from reprise.tracking.contents import read_list
from reprise.tracking.folders import folder_named, name_in
from reprise.tracking.journal import DELIVERED, DELIVERED_FILES, JOURNAL
from reprise.tracking.settings import tracking_uri
from reprise.training.state import BEST

TOP = "run.json"
LARGEST_DATA = 4_000_000_000  # bytes
MODEL = "model/data/model.keras"  # the same file as the best checkpoint
_OWN = {LOCK, DELIVERED, DELIVERED_FILES}  # of the place where the run is


def export(saved: SavedRun, ancestors: Sequence[SavedRun], file: Path, *, data: bool) -> None:
    """Write a run, and those it started from, to one file.

    Args:
        saved: The run.
        ancestors: The runs whose models it started from, the nearest first.
        file: Where to; there is no file yet.
        data: Whether the input files are packed, too.

    Raises:
        UserError: the run is being trained, the file exists, or the data cannot be packed.
    """
    if file.suffix != ".zip" or file.exists():
        raise UserError(
            f"run {saved.folder.name} cannot be exported to {relative(file)}",
            "a new file whose name ends in .zip",
            "a file that exists" if file.exists() else f"the ending '{file.suffix}'",
            "remove it, or choose another: to=FILE.zip",
        )
    require_ended(saved.folder)
    runs = [*reversed(ancestors), saved]
    inputs = {run.folder: _inputs(run) if data else {} for run in runs}
    total = sum(path.stat().st_size for of in inputs.values() for path in of.values())
    if total > LARGEST_DATA:
        raise UserError(
            f"the data of run {saved.folder.name} is too large for one file",
            f"at most {LARGEST_DATA / 1e9:g} GB",
            f"{total / 1e9:.1f} GB",
            "leave data=true out, and bring the data by DVC or rsync; its list is in the file",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    folders = {run.folder.name: name_in(run.folder, run.runs) for run in runs}
    with (
        replacing(file) as partial,
        ZipFile(partial, "w", ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as archive,
    ):
        archive.writestr(TOP, json.dumps({"format": 1, "folders": folders}, indent=1))
        for run in runs:
            top = f"runs/{folders[run.folder.name]}/{run.folder.name}"
            for name, path in {**dict(recorded_files(run.folder)), **inputs[run.folder]}.items():
                archive.write(path, f"{top}/{name}")
        # zipfile reads a list that has lost its end without an error
        archive.comment = b"%d files" % len(archive.infolist())


def recorded_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of the files that a run's folder is worth elsewhere, but for its data."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        is_here = name in _OWN or path.suffix == ".lock" or name.startswith((f"{STATE}/", DATA))
        is_twice = path.name == BEST and (folder / MODEL).exists()
        is_twice = is_twice and path.samefile(folder / MODEL)
        if path.is_file() and not path.is_symlink() and not (is_here or is_twice):
            yield name, path


def settle(folder: Path, uri: str) -> None:
    """Make recorded files a run of this place: its best model, and the store it is recorded for.

    Args:
        folder: The folder that holds them.
        uri: Address of the store, in place of a local database that has stayed behind.
    """
    for place in (folder, *folder.glob(f"{SERVING}/artifacts/*")):
        best = place / CHECKPOINTS / BEST
        if (folder / MODEL).exists() and not best.exists():
            best.parent.mkdir(exist_ok=True)
            link_or_copy(folder / MODEL, best)
    lines = (folder / JOURNAL).read_bytes().split(b"\n")
    for at, line in enumerate(lines):
        if b'"kind": "start"' in line[:60]:
            start = json.loads(line)
            if "://" not in start["uri"] or start["uri"].startswith("sqlite:"):
                lines[at] = json.dumps(start | {"uri": redact(uri)}).encode()
    (folder / JOURNAL).write_bytes(b"\n".join(lines))


def _inputs(saved: SavedRun) -> Mapping[str, Path]:
    """The input files of a run by their names in its archive, held to be what they were."""
    came = saved.folder / DATA
    if came.is_dir():
        files = [path for path in sorted(came.rglob("*")) if path.is_file()]
        return {f"{DATA}/{path.relative_to(came).as_posix()}": path for path in files}
    recorded = read_list(saved.folder)
    names = recorded[1] if recorded else {}
    outside = [name for name in names if not _is_inside(name)]
    changed = changed_inputs(saved, most=float("inf"))
    if recorded is None or outside or changed:
        raise UserError(
            f"the data of run {saved.folder.name} cannot be packed",
            "input files in the project that are what the run was trained on",
            "which files they were is not recorded"
            if recorded is None
            else "\n".join(changed or outside[:5]),
            "bring them back" if changed else "leave data=true out, and bring them by other means",
        )
    return {f"{DATA}/{name}": ROOT / name for name in names}


def unpack(file: Path, runs: Path) -> Path:
    """Unpack an exported run under its own id; a run that is here already stays as it is.

    Args:
        file: The file.
        runs: Folder of all runs.

    Returns:
        The folder of the run.

    Raises:
        UserError: the file is damaged, or would write elsewhere; nothing is unpacked.
    """
    try:
        archive = ZipFile(file)
    except Exception as error:  # damage raises what zlib, struct, json or the disk does
        raise _damaged(file, error, runs) from None
    with archive:
        try:
            if archive.comment and archive.comment != b"%d files" % len(archive.infolist()):
                raise BadZipFile("its list of files is damaged")
            folders = _folders(archive)
            places = {run: f"runs/{name}/{run}/" for run, name in folders.items()}
            members = {run: _members(archive, place) for run, place in places.items()}
            _refuse_odd(archive, file, runs, [*places.values()])
            if bad := archive.testzip():
                raise BadZipFile(f"{bad} is damaged")
            missing = [run for run in folders if not _is_here(archive, places[run], run, runs)]
        except UserError:
            raise
        except Exception as error:
            raise _damaged(file, error, runs) from None
        for run in missing:
            require_place(runs, folders[run])
        for run in missing:
            folder = runs / folders[run] / run
            folder.parent.mkdir(parents=True, exist_ok=True)
            with replacing(folder) as partial:
                for name, member in members[run].items():
                    (partial / name).parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as source, (partial / name).open("wb") as copy:
                        shutil.copyfileobj(source, copy)
                settle(partial, tracking_uri(None))
    for run in missing:
        print(f"run {run} is unpacked: {relative(runs / folders[run] / run)}", flush=True)
    found = folder_named([*folders][-1], runs, IDENTITY)
    assert found
    return found


def _damaged(file: Path, error: Exception, runs: Path) -> UserError:
    return UserError(
        f"{relative(file)} cannot be unpacked",
        "a file that export-run has written",
        f"{type(error).__name__}: {error}",
        f"copy it again, or export the run again: {to_type('export-run', 'run=ID', runs)}",
    )


def _folders(archive: ZipFile) -> dict[str, str]:
    """The experiment that each run in it stands under, by its id."""
    top = json.loads(archive.read(TOP))
    folders: dict[str, str] = top["folders"]
    if top["format"] != 1:
        raise ValueError(f"format {top['format']}; this version of reprise knows format 1")
    if not folders or not all(_is_inside(f"{name}/{run}") for run, name in folders.items()):
        raise ValueError(f"no run can be in {folders}")
    if any("/" in run for run in folders):
        raise ValueError(f"no id of a run is among {[*folders]}")
    return folders


def _members(archive: ZipFile, place: str) -> dict[str, ZipInfo]:
    """The files of one run, by their names in its folder."""
    inside = [member for member in archive.infolist() if member.filename.startswith(place)]
    found = {member.filename.removeprefix(place): member for member in inside}
    for name in (IDENTITY, CONFIG, JOURNAL):
        if name not in found:
            raise KeyError(f"no {place}{name}")
    return found


def _refuse_odd(archive: ZipFile, file: Path, runs: Path, places: Sequence[str]) -> None:
    """Refuse what would lead out of the folders of its runs, and what the disk has no room for."""
    members = archive.infolist()
    counts = Counter(member.filename for member in members)
    for member in members:
        name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
        odd = "stands in it twice" if counts[name] > 1 else ""
        odd = odd or ("" if kind in (0, stat.S_IFREG) else "is no plain file")
        is_own = name == TOP or name.startswith(tuple(places))
        odd = odd or ("" if is_own and _is_inside(name) else "would be written elsewhere")
        if odd:
            raise UserError(
                f"{relative(file)} is not unpacked",
                f"plain files in {', '.join(places)}",
                f"{name!r}, which {odd}",
                "export the run again; do not trust where this file came from",
            )
    size = sum(member.file_size for member in members)
    place = next(folder for folder in (runs, *runs.parents) if folder.is_dir())
    if size > (free := shutil.disk_usage(place).free):
        raise UserError(
            f"{relative(file)} is not unpacked",
            f"room for {size / 1e9:.1f} GB in {relative(runs)}",
            f"{free / 1e9:.1f} GB are free",
            "make room",
        )


def _is_inside(name: str) -> bool:
    """Whether a name leads to a place below the folder that it is relative to."""
    parts = name.split("/")
    return not PurePosixPath(name).is_absolute() and not {"", ".", ".."} & {*parts}


def _is_here(archive: ZipFile, place: str, run: str, runs: Path) -> bool:
    """Whether the same run is here already; another one of the same id is refused."""
    here = folder_named(run, runs, IDENTITY)
    if here is None:
        return False
    for name in (IDENTITY, CONFIG):
        if (here / name).read_bytes() != archive.read(f"{place}{name}"):
            raise UserError(
                f"there is another run {run}",
                f"no run of that id, or the same one, in {relative(runs)}",
                f"{relative(here / name)} is not what the file holds",
                "move the run that is here to another folder, or unpack in another project",
            )
    return True
