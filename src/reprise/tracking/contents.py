"""What the input files of a run hold: an MD5 of each, in a list that `md5sum -c` can check.

A file is read once: its hash is remembered by device, inode, size and times, in a database beside
the runs. A program of its own hashes the inputs while the run trains:
`python -m reprise.tracking.contents ROOT MEMORY SOURCE …`.
"""

import gzip
import hashlib
import math
import os
import re
import sqlite3
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

LIST = "inputs/files.md5.gz"  # in the run's folder
MEMORY = ".inputs"  # in the folder of all runs: the database, and the lists, each once
FRESH_S = 2.0  # a file written later than that may change once more without another time
TOGETHER, TOGETHER_BYTES = 2000, 1 << 30  # files whose hashes are written down at once, at most
SHOWN = 5  # names of a kind of change

Found = dict[str, tuple[str, os.stat_result]]  # path and status by name
Files = dict[str, str]  # hash by name: relative to the project, or absolute if outside of it


def hash_inputs(
    root: Path, sources: Iterable[str], memory: Path, *, full: bool = False, most: float = math.inf
) -> Files | None:
    """Hash every file in these files and folders; links are followed.

    Args:
        root: The project's folder.
        sources: Paths relative to it, or absolute.
        memory: Folder of the database, made if it is missing.
        full: Read every file, whatever is remembered of it.
        most: Bytes to read at most; None is returned where it takes more.
    """
    found = {name: (path, seen) for name, path, seen in _every_file(root, sources)}
    with closing(_database(memory)) as database:
        hashes = {} if full else _remembered(database, found)
        left = {name: found[name] for name in found.keys() - hashes.keys()}
        if sum(seen.st_size for _, seen in left.values()) > most:
            return None
        for part in _parts(left):
            hashes |= _read(database, part)
    return {name: hashes[name] for name in sorted(hashes)}


def _every_file(root: Path, sources: Iterable[str]) -> Iterator[tuple[str, str, os.stat_result]]:
    """Name, path and status of each file."""
    top = os.path.normpath(root)
    for source in dict.fromkeys(sources):
        path = Path(os.path.normpath(root / source))
        name = str(path).removeprefix(f"{top}/")
        with suppress(OSError):  # deleted meanwhile, or not to be read: no run has read it, either
            if path.is_dir():
                yield from _inside(str(path), name, (os.path.realpath(path),))
            else:
                yield name, str(path), path.stat()


def _inside(
    folder: str, name: str, above: tuple[str, ...]
) -> Iterator[tuple[str, str, os.stat_result]]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            inner = f"{name}/{entry.name}"
            if entry.is_dir():
                real = f"{above[-1]}/{entry.name}"
                real = os.path.realpath(real) if entry.is_symlink() else real
                if real not in above:  # else a link to a folder that it is in
                    yield from _inside(entry.path, inner, (*above, real))
            elif entry.is_file():
                yield inner, entry.path, entry.stat()


def _database(memory: Path) -> sqlite3.Connection:
    try:
        memory.mkdir(parents=True, exist_ok=True)
        return _opened(memory / "hashes.sqlite")
    except (OSError, sqlite3.Error):  # read-only, or damaged: what is read is not remembered
        return _opened(":memory:")


def _opened(file: Path | str) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=60)
    database.execute(
        "CREATE TABLE IF NOT EXISTS files (place TEXT PRIMARY KEY, stamp TEXT, md5 TEXT) "
        "WITHOUT ROWID"
    )
    return database


def _place(seen: os.stat_result) -> str:
    return f"{seen.st_dev} {seen.st_ino}"


def _stamp(seen: os.stat_result) -> str:
    return f"{seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns}"


def _remembered(database: sqlite3.Connection, found: Found) -> Files:
    hashes = {}
    ask = "SELECT stamp, md5 FROM files WHERE place = ?"
    for name, (_, seen) in found.items():
        row = database.execute(ask, (_place(seen),)).fetchone()
        if row and row[0] == _stamp(seen):
            hashes[name] = row[1]
    return hashes


def _read(database: sqlite3.Connection, files: Found) -> Files:
    """Hash these files, in threads: Python's lock is free while a hash is computed."""

    def hashed(path: str) -> str | None:
        with suppress(OSError), open(path, "rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
        return None

    began = time.time()
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(hashed, (path for path, _ in files.values())))
    hashes = {name: md5 for name, md5 in zip(files, digests, strict=True) if md5}
    rows = []
    for name, md5 in hashes.items():
        seen = files[name][1]
        if max(seen.st_mtime, seen.st_ctime) < began - FRESH_S:
            rows.append((_place(seen), _stamp(seen), md5))
    with suppress(sqlite3.OperationalError), database:  # read-only, or the disk is full
        database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)
    return hashes


def _parts(files: Found) -> Iterator[Found]:
    """Files whose hashes are written to the database at once: what a kill may lose."""
    part: Found = {}
    size = 0
    for name, (path, seen) in files.items():
        part[name], size = (path, seen), size + seen.st_size
        if len(part) >= TOGETHER or size >= TOGETHER_BYTES:
            yield part
            part, size = {}, 0
    yield part


def write_list(memory: Path, sources: Iterable[str], files: Files) -> Path:
    """Write the list of these hashes, unless it is there; its file, named by its content."""
    lines = [f"# {source}" for source in sources]
    for name, md5 in files.items():
        plain = name.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"{'' if plain == name else chr(92)}{md5}  {plain}")
    text = ("\n".join(lines) + "\n").encode(errors="surrogateescape")
    path = memory / f"{hashlib.md5(text).hexdigest()}.md5.gz"
    if not path.exists():
        partial = memory / f".{os.getpid()}.md5.gz"
        partial.write_bytes(gzip.compress(text, compresslevel=1, mtime=0))
        partial.replace(path)
    return path


def read_list(folder: Path) -> tuple[list[str], Files] | None:
    """Sources and hashes that the run in `folder` recorded; None if it recorded none."""
    try:
        data = (folder / LIST).read_bytes()
        text = gzip.decompress(data).decode(errors="surrogateescape")
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    if not data:
        return None
    sources, files = [], {}
    for line in text.split("\n"):
        if line.startswith("# "):
            sources.append(line[2:])
        elif line.startswith("\\"):
            md5, name = line[1:].split("  ", 1)
            files[re.sub(r"\\(.)", lambda at: "\n" if at[1] == "n" else at[1], name)] = md5
        elif line:
            md5, name = line.split("  ", 1)
            files[name] = md5
    return sources, files


def changes(before: Mapping[str, str], now: Mapping[str, str], shown: int = SHOWN) -> list[str]:
    """Which files are new, gone and changed, a line each: `2 changed: a.png, b.png`.

    Args:
        before: Hash by name.
        now: The same at another time.
        shown: Names in a line, at most.
    """
    kinds = {
        "changed": [name for name in before if name in now and before[name] != now[name]],
        "gone": [name for name in before if name not in now],
        "new": [name for name in now if name not in before],
    }
    lines = []
    for kind, names in kinds.items():
        more = f" and {len(names) - shown} more" if len(names) > shown else ""
        if names:
            lines.append(f"{len(names)} {kind}: {', '.join(sorted(names)[:shown])}{more}")
    return lines


def _main(root: str, memory: str, *sources: str) -> None:
    """Hash the inputs and print the list's file, until the caller closes standard input or dies."""
    os.nice(19)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
    files = hash_inputs(Path(root), sources, Path(memory))
    assert files is not None
    print(write_list(Path(memory), sources, files), len(files), sep="\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
