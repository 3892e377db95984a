"""What DVC tracks in a project, as its own files say, and the error for what is not pulled yet."""

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import yaml
from yaml import YAMLError

from reprise.errors import UserError
from reprise.project import ROOT, typed


class Output(NamedTuple):
    """A file or folder that DVC tracks: its md5, and the `.dvc` file or dvc.lock that says so."""

    md5: str
    record: Path


class NotPulled(UserError):
    """Data that DVC tracks is not in place yet; the remedy is the command that fetches it."""


def tracked(root: Path, path: Path) -> tuple[dict[str, Output], str]:
    """What DVC tracks at and above a path.

    The files dvc.lock and *.dvc are read in the folder of `path` and in those above it, up to
    `root`. One that cannot be read, or is not DVC's, tracks nothing.

    Returns:
        The outputs by their paths in `root`, the nearest first; and why there might be more,
        'not compared: …', or nothing.
    """
    found: dict[str, Output] = {}
    why = ""
    full = Path(os.path.normpath(root / path))
    for folder in (full, *full.parents) if full.is_relative_to(root) else ():
        if folder != root and (folder / ".dvc").is_dir():
            place = os.path.relpath(folder, root)
            return {}, f"not compared: {place} is a DVC repository of its own"
        for file in [folder / "dvc.lock", *sorted(folder.glob("*.dvc"))] if folder != full else ():
            if not file.is_file():
                continue
            try:
                outs = _outs_of_lock(file) if file.name == "dvc.lock" else _outs_of(file)
                paths = {os.path.relpath(out, root): Output(outs[out], file) for out in outs}
            except (OSError, ValueError, TypeError, AttributeError, KeyError, YAMLError) as error:
                reason = " ".join(str(error).split())[:200]
                why = f"not compared: {os.path.relpath(file, root)} cannot be read: {reason}"
                continue
            found = {**found, **paths, **found}
        if folder == root:
            break
    return found, why


def _outs_of(pointer: Path) -> dict[Path, str]:
    content = yaml.safe_load(pointer.read_text("utf-8"))
    folder = pointer.parent / content.get("wdir", ".")
    return {folder / out["path"]: out["md5"] for out in content["outs"] if out.get("md5")}


def _outs_of_lock(lock: Path) -> dict[Path, str]:
    file = lock.with_name("dvc.yaml")
    stages = (yaml.safe_load(file.read_text("utf-8")) or {}).get("stages", {})
    found: dict[Path, str] = {}
    for name, stage in (yaml.safe_load(lock.read_text("utf-8")) or {}).get("stages", {}).items():
        node = stages.get(name.partition("@")[0], {})  # foreach and matrix make NAME@KEY
        folder = lock.parent / node.get("do", node).get("wdir", ".")
        found |= {
            folder / out["path"]: out["md5"] for out in stage.get("outs", ()) if out.get("md5")
        }
    return found


def pointers(root: Path) -> dict[str, str]:
    """Paths of the `.dvc` files in a project's own folder and in data/, by what they stand for."""
    files = [*root.glob("*.dvc"), *root.glob("data/*.dvc"), *root.glob("data/*/*.dvc")]
    found: dict[str, str] = {}
    for file in sorted(file for file in files if file.is_file()):
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError, YAMLError):
            outs = [os.path.relpath(out, root) for out in _outs_of(file)]
            found |= dict.fromkeys(outs, os.path.relpath(file, root))
    return found


def require_pulled(path: Path) -> None:
    """Refuse a path that is missing, or an empty folder, where DVC has what belongs there.

    Args:
        path: Of a file or folder, seen from the project's folder; elsewhere nothing is refused.

    Raises:
        NotPulled: it is.
    """
    full = Path(os.path.normpath(ROOT / path))
    if _is_there(full):
        return
    for place in (full, Path(os.path.realpath(full))):  # the project may be reached by a link
        for out, (md5, record) in tracked(ROOT, place)[0].items():
            own = ROOT / out
            if not place.is_relative_to(own) or (_is_there(own) and not _lists(md5, place, own)):
                continue
            program = ".venv/bin/dvc" if (ROOT / ".venv/bin/dvc").exists() else "dvc"
            name = os.path.relpath(record, ROOT)
            target = out if record.name == "dvc.lock" else name
            raise NotPulled(
                f"{path} is not pulled yet",
                f"what {name} stands for, in {out}",
                "an empty folder" if full.is_dir() else "nothing of that name",
                f"{typed('data')} (fetches all that is missing), "
                f"or {program} pull {shlex.quote(target)}",
            )


def _is_there(path: Path) -> bool:
    return os.path.exists(path) and (not os.path.isdir(path) or bool(os.listdir(path)))  # noqa: PTH110, PTH112, PTH208


def _lists(md5: str, place: Path, out: Path) -> bool:
    """Whether DVC's list of a folder's files, if the cache has it, has a file at `place`."""
    listing = ROOT / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    if place == out or not listing.is_file():
        return False
    name = place.relative_to(out).as_posix()
    files = [one["relpath"] for one in yaml.safe_load(listing.read_text("utf-8"))]
    return any(file == name or file.startswith(f"{name}/") for file in files)
