"""Data of one's own, put under data/, tracked by DVC, with an experiment that trains on it."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from reprise.config.check import check
from reprise.datasets.base import BaseDataset
from reprise.errors import UserError
from reprise.files import link_or_copy, locked, write_text
from reprise.project import ROOT, relative, typed
from reprise.runs.sample_data import AT_WORK, dvc, run
from reprise.scaffold.look import KINDS, Guesses, kind_of
from reprise.scaffold.new import dataset_lines, experiment_text, guessed, open_guessed

HOWS = ("copy", "link", "move")
# DVC itself would replace what it adds by copies from its cache
_ADD_LINKED = (
    "from dvc.repo import Repo; Repo(config={{'cache': {{'type': ['hardlink']}}}}).add({!r})"
)
NO_KIND = (
    "no experiment is written: these are of no kind that reprise recognizes; a dataset of your own "
    f"reads them (docs/add_a_dataset.md), or one of reprise's: kind={'|'.join(KINDS)}"
)


class Looked(NamedTuple):
    """A dataset of conf/dataset/, its settings, and it itself, opened."""

    option: str
    guesses: Guesses
    opened: BaseDataset[Any]


def add_data(source: Path, name: str, how: str = "copy", kind: str = "") -> list[str]:
    """Put a file or a folder under data/, have DVC track it, and write an experiment; or nothing.

    What a call that was killed has left is removed by the next one for the same name.

    Args:
        source: The file or folder. `data/<name>` itself stays where it is.
        name: Of the data and the experiment.
        how: 'copy'; 'link': source, data/ and DVC's cache share the files, which become read-only;
            'move': the source is deleted at the end.
        kind: One of `KINDS`; '' guesses it; 'none': the data are neither looked at nor checked.

    Returns:
        Lines to print.

    Raises:
        UserError: something of that name is there, the data cannot be used, or there is no room.
    """
    for word, given, known in (("how", how, HOWS), ("kind", kind or "none", (*KINDS, "none"))):
        if given not in known:
            raise UserError(f"{word}=… is wrong", ", ".join(known), given, "choose one of these")
    _require_source(source, name)
    place = ROOT / "data" / (name + source.suffix if source.is_file() else name)
    is_there = source.resolve() == place.resolve()
    (ROOT / AT_WORK).parent.mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(exist_ok=True)
    with locked(ROOT / AT_WORK):
        mark = ROOT / f".dvc/tmp/adding-{place.name}.json"
        for left in json.loads(mark.read_text()) if mark.exists() and not is_there else []:
            _remove(ROOT / left)
        _require_new(place, is_there=is_there)
        files = [one for one in (source, *source.rglob("*")) if one.is_file()]
        size = sum(file.stat().st_size for file in files)
        if not is_there:
            _require_room(source, place, size, how)
        with _or_nothing(place, mark, files if how == "link" else []):
            print(f"data: {len(files)} files, {size / 1e6:.1f} MB", file=sys.stderr, flush=True)
            if not is_there:
                _bring(source, place, how)
            looked = _look(place, kind)
            print("data: DVC records them", file=sys.stderr, flush=True)
            if how == "link" and not is_there:
                code = _ADD_LINKED.format(relative(place))
                run("dvc add", [sys.executable, "-c", code], typed("add-data"))
            else:
                dvc("add", "--quiet", relative(place))
            lines = [f"{relative(place)} is recorded in {relative(_pointer(place))}"]
            lines += _write_experiment(name, looked) if looked else [NO_KIND]
    if how == "move" and not is_there:
        _remove(source)
    return lines


def _require_source(source: Path, name: str) -> None:
    if not source.exists():
        url = str(source).replace(":/", "://", 1)  # a path has no // any more
        remedy = f"dvc import-url {url} data/{name}" if "://" in url else "correct path="
        raise UserError(f"path={source}: there is nothing", "a file or a folder", "none", remedy)
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UserError("name=… is wrong", "letters, digits, _ - and .", name, "name=bees, say")
    if ROOT.is_relative_to(source.resolve()):
        expected = "a folder outside of the project, or inside of it"
        raise UserError(f"path={source} holds the project", expected, str(ROOT), "correct path=")
    if not (ROOT / ".dvc").is_dir():
        remedy = "git init && dvc init (or without git: dvc init --no-scm)"
        raise UserError("DVC does not know this project", "a folder .dvc/ in it", "none", remedy)


def _require_new(place: Path, *, is_there: bool) -> None:
    pointer = _pointer(place)
    if not pointer.exists() and (is_there or not os.path.lexists(place)):
        return
    if not pointer.exists():
        received = "one that DVC does not track"
        remedy = f"have that very one tracked: path={relative(place)}"
    elif os.path.lexists(place):
        received = f"what {relative(pointer)} records"
        remedy = f'record new files in it: {typed("data")} args="{relative(pointer)} accept=true"'
    else:
        received, remedy = f"{relative(pointer)}, not pulled yet", f"have its data: {typed('data')}"
    raise UserError(
        f"{relative(place)} is there already", "a name that is free", received,
        f"choose another name=, or {remedy}",
    )  # fmt: skip


def _require_room(source: Path, place: Path, size: int, how: str) -> None:
    """Refuse what does not fit: DVC's cache holds a copy of what is in data/."""
    is_near = source.stat().st_dev == place.parent.stat().st_dev
    if how == "link" and not is_near:
        expected = f"a source on the disk of {place.parent}"
        raise UserError("how=link cannot be", expected, "another disk", "how=copy or how=move")
    needed = 0 if how == "link" else size * (1 if how == "move" and is_near else 2)
    free = shutil.disk_usage(place.parent).free
    if needed > free:
        raise UserError(
            f"there is no room for {source}",
            f"{needed / 1e9:.1f} GB for data/ and DVC's cache in .dvc/cache",
            f"{free / 1e9:.1f} GB",
            "make room, put the cache elsewhere (dvc cache dir --local /PATH), or share the files: "
            "how=link",
        )


@contextmanager
def _or_nothing(place: Path, mark: Path, shared: list[Path]) -> Iterator[None]:
    """Remove what came to be, if the block fails; after a kill `mark` lists it."""
    joined = place.with_name(f"{place.name}.csv")  # which a look at recordings may write
    every = (place, _partial(place), _pointer(place), joined, _experiment(place.stem))
    new = [path for path in every if not os.path.lexists(path)]
    ignored = place.with_name(".gitignore")
    text = ignored.read_text() if ignored.exists() else None
    modes = {file: file.stat().st_mode for file in shared}
    write_text(mark, json.dumps([str(path.relative_to(ROOT)) for path in new]))
    try:
        yield
    except BaseException:
        for path in new:
            _remove(path)
        if text is None:
            ignored.unlink(missing_ok=True)
        else:
            ignored.write_text(text)
        for file, mode in modes.items():
            file.chmod(mode)
        raise
    finally:
        mark.unlink(missing_ok=True)


def _bring(source: Path, place: Path, how: str) -> None:
    def take(one: str, other: str) -> None:
        link_or_copy(Path(one).resolve(), Path(other))

    partial = _partial(place)
    try:
        if source.is_file():
            shutil.copy2(source, partial) if how == "copy" else take(str(source), str(partial))
        elif how == "copy":
            shutil.copytree(source, partial)
        else:
            shutil.copytree(source, partial, copy_function=take)
    except shutil.Error as error:  # a list of (source, target, reason)
        first = error.args[0][0]
        raise UserError(
            f"{source} cannot be copied whole", "files that can be read, and room for them",
            f"{first[0]}: {first[2]}", "mend that, then the same again",
        ) from None  # fmt: skip
    partial.rename(place)


def _look(place: Path, kind: str) -> Looked | None:
    """Look at data and check them, as far as that is cheap; None: they are of no kind."""
    kind = kind or kind_of(place)
    if kind in ("", "none"):
        return None
    try:
        dataset, _, look = KINDS[kind]
        guesses = look(place.relative_to(ROOT), {})
        return Looked(dataset, guesses, open_guessed(dataset, guesses))
    except UserError as error:
        what, expected, received, remedy = error.args
        remedy += f"; or say what they are, kind={'|'.join(KINDS)}; kind=none adds them unseen"
        raise UserError(what, expected, received, remedy) from None


def _write_experiment(name: str, looked: Looked) -> list[str]:
    key = "exp" if (ROOT / "Makefile").exists() else "experiment"
    command = f"{typed('train')} {key}={name}"
    file = _experiment(name)
    lines = guessed(looked.guesses, looked.opened)
    if file.exists():
        lines = [f"{relative(file)} is left as it is; the lines of its dataset would be:"]
        lines += dataset_lines(looked.guesses)
    else:
        write_text(file, experiment_text(name, *looked, command))
        check([f"experiment={name}"])
        lines += [f"{relative(file)} says so; commit it, data/.gitignore and data/*.dvc"]
    return [*lines, *(f"note: {note}" for note in looked.opened.notes), f"next: {command}"]


def _experiment(name: str) -> Path:
    return ROOT / f"conf/experiment/{name}.yaml"


def _pointer(place: Path) -> Path:
    return place.with_name(f"{place.name}.dvc")


def _partial(place: Path) -> Path:
    return place.with_name(f".partial-{place.name}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
