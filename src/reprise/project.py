"""The project: the nearest folder with a conf/ in it, from the working folder upwards.

Relative paths in configs start there; runs, data, cache and tracking store are kept there.
"""

import os
import sys
from pathlib import Path

from reprise.errors import UserError

PACKAGE = Path(__file__).resolve().parent
ENGINE_CONF = PACKAGE / "conf"  # in a checkout a link to the repository's own conf/


def find_root(start: Path) -> Path | None:
    """Return the nearest folder with a conf/, from `start` upwards, or None."""
    above = (start, *start.parents)
    return next((folder for folder in above if folder != PACKAGE and _has_conf(folder)), None)


def _has_conf(folder: Path) -> bool:
    return (folder / "conf").is_dir()


ROOT = find_root(Path.cwd()) or Path.cwd()


def enter() -> None:
    """Make the project's folder the working folder; import its own modules from it and its src/.

    Processes that this one starts do likewise.

    Raises:
        UserError: there is no project.
    """
    if not _has_conf(ROOT):
        raise no_project(ROOT)
    os.chdir(ROOT)
    for folder in (ROOT, ROOT / "src"):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


def no_project(folder: Path) -> UserError:
    """Return the error for a folder that has no conf/, and none above it."""
    return UserError(
        f"{folder} is no project",
        expected="a folder conf/ in it, or in one above it",
        received="none",
        remedy="go to a project's folder, or begin one here: mkdir conf",
    )


def typed(verb: str) -> str:
    """Return a verb as one types it here: `make VERB` with a Makefile, else `reprise VERB`."""
    return f"{'make' if (ROOT / 'Makefile').exists() else 'reprise'} {verb}"


def relative(path: Path) -> str:
    """Return `path` as one would type it in the project's folder."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
