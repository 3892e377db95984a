"""The input files of a run: which there are, and the record of what they hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprise.errors import Stopped
from reprise.files import discard_unused, link_or_copy
from reprise.project import ROOT
from reprise.tracking.contents import LIST, MEMORY, changes, hash_inputs, read_list
from reprise.tracking.folders import all_runs, home, is_debug

if TYPE_CHECKING:
    from reprise.runs.experiment import Data
    from reprise.runs.load import SavedRun
    from reprise.tracking.run import Run

SAID_S = 1.0  # a longer wait at the end of a run is said
STOPPED_S = 5.0  # waited for at the end of a run that is stopped; a scheduler soon kills it
CHEAP = 100_000_000  # bytes that a verb reads for no more than a note
NO_INPUTS = {"tracking", "loader", "trainer"}  # parts of a configuration that name none


@contextmanager
def inputs_recorded(run: Run, config: Mapping[str, Any], data: Data) -> Iterator[None]:
    """Hash every input file while the run trains, by a process of its own, and record the list.

    A run that is stopped before that has the reason as its tag `data.files`; so have runs of
    debug=…, whose inputs are not read. One that goes on does it then.
    """
    runs = home(run.folder)
    if (run.folder / LIST).exists() or is_debug(run.folder, runs):
        yield
        return
    run.tags({"data.files": "not recorded: the run has been ended before"})
    command = [sys.executable, "-m", "reprise.tracking.contents", str(ROOT), str(runs / MEMORY)]
    process = subprocess.Popen(
        [*command, *_sources(config, data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        start_new_session=True,  # Ctrl-C is for the run, which ends it
    )
    try:
        yield
        _wait(process)
    except Stopped:
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOPPED_S)
        raise
    finally:
        if process.poll() is not None:
            _record(run, process)
        process.kill()
        process.communicate()


def _wait(process: subprocess.Popen[str]) -> None:
    with suppress(KeyboardInterrupt, Stopped):
        try:
            process.wait(SAID_S)
        except subprocess.TimeoutExpired:
            print("the data are still being read for the run's record; Ctrl-C: without", flush=True)
            process.wait()


def _record(run: Run, process: subprocess.Popen[str]) -> None:
    said, error = process.communicate()
    if process.returncode != 0:
        why = error.strip().rpartition("\n")[2] or f"exit code {process.returncode}"
        run.tags({"data.files": f"not recorded: {why}"})
        print(f"note: the content of the data is not recorded: {why}", file=sys.stderr)
        return
    file, count = said.splitlines()
    recorded = run.folder / LIST
    recorded.parent.mkdir(exist_ok=True)
    link_or_copy(Path(file), recorded)
    run.artifact(recorded.parent)
    run.tags({"data.files": f"{count} files", "data.md5": Path(file).name.partition(".")[0]})
    discard_unused(Path(file).parent, "*.md5.gz")


def _sources(config: Mapping[str, Any], data: Data) -> Sequence[str]:
    """The files and folders of the data, and files that other parts of a configuration name."""
    parts = {name: node for name, node in config.items() if name not in NO_INPUTS}
    files = [text for text in texts(parts) if _is_file(text)]
    return [*dict.fromkeys([*map(str, data.sources), *files])]


def _is_file(text: str) -> bool:
    with suppress(OSError, ValueError):  # too long for a name, say
        return (ROOT / text).is_file()
    return False


def texts(node: object) -> Iterator[str]:
    """Every text in a part of a configuration."""
    if isinstance(node, Mapping | list):
        for value in node.values() if isinstance(node, Mapping) else node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


def changed_inputs(
    saved: SavedRun,
    root: Path = ROOT,
    *,
    leave: Sequence[str] = (),
    full: bool = False,
    most: float = CHEAP,
) -> list[str]:
    """Which input files of a run are not what they were, a line each; none if that is not known.

    Args:
        saved: The run.
        root: The project to look in.
        leave: Files and folders that are not looked at.
        full: Read every file, whatever is remembered of it.
        most: Bytes to read at most; nothing is said where it takes more.
    """
    recorded = read_list(saved.folder)
    if recorded is None:
        return []
    sources, before = recorded
    left = [one for one in sources if not _is_in(one, leave)]
    before = {name: md5 for name, md5 in before.items() if not _is_in(name, leave)}
    memory = all_runs(saved.runs) / MEMORY
    now = hash_inputs(root, left, memory, full=full, most=most)
    if now is None:
        return []
    return changes(before, {name: md5 for name, md5 in now.items() if not _is_in(name, leave)})


def _is_in(name: str, folders: Sequence[str]) -> bool:
    return any(name == folder or name.startswith(f"{folder}/") for folder in folders)
