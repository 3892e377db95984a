"""Paths and databases that a value names: there already, or what the program can make."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import AfterValidator, ValidationInfo
from pydantic_core import PydanticCustomError

NO_PATH = "no_path"


@dataclass(frozen=True)
class Surroundings:
    """What decides whether a path exists.

    Args:
        root: Folder that relative paths start from.
        providable: Tells of a missing path whether the program can make it.
    """

    root: Path
    providable: Callable[[Path], bool]


def sqlite_file(url: str) -> str | None:
    """The file of `sqlite:///FILE`, which is a path like any other; None of every other text."""
    found = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+).*", url)
    return found and found[1]


def _folder(value: str, info: ValidationInfo) -> str:
    return _existing(value, "folder", info)


def _file(value: str, info: ValidationInfo) -> str:
    return _existing(value, "file", info)


def _database(value: str, info: ValidationInfo) -> str:
    """Of a server one cannot tell without asking it."""
    if file := sqlite_file(value):
        _existing(file, "file", info)
    elif not re.match(r"(?!sqlite)\w[\w+]*://", value):
        raise ValueError("no URL of a database")
    return value


def _existing(value: str, kind: str, info: ValidationInfo) -> str:
    surroundings: Surroundings = info.context  # type: ignore[assignment]
    path = surroundings.root / value
    found = path.is_dir() if kind == "folder" else path.is_file()
    if not value or not (found or (not path.exists() and surroundings.providable(path))):
        raise PydanticCustomError(NO_PATH, "{path}", {"path": value, "kind": kind})
    return value


PATHS = {
    "folder": AfterValidator(_folder),
    "file": AfterValidator(_file),
    "database": AfterValidator(_database),
}
