"""Lists of samples that are left out of a dataset, each with the reason."""

import csv
import difflib
import io
from collections.abc import Collection, Mapping
from pathlib import Path

from reprise.errors import UserError
from reprise.files import write_text

HEADER = ["sample", "reason"]
MAX_EXCLUDED = 0.01


def read_list(path: Path) -> dict[str, str]:
    """Read a list: a CSV file with the columns sample and reason, or a name in each line.

    Returns:
        The reason by the sample's name; empty where none is given.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"dataset.exclude: {path} cannot be read",
            "a CSV file with the columns sample and reason, or a sample's name in each line",
            str(error),
            "correct dataset.exclude, or set it to null to leave nothing out",
        ) from error
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].split(",")[0].strip() == HEADER[0]:
        rows = csv.reader(lines[1:])
        return {row[0].strip(): ",".join(row[1:]).strip() for row in rows if row}
    return {line.strip(): "" for line in lines}


def write_list(path: Path, reasons: Mapping[str, str]) -> None:
    """Write a list as `read_list` reads it, sorted by name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(sorted(reasons.items()))
    write_text(path, text.getvalue())


def require_known(path: Path, listed: Collection[str], known: Collection[str]) -> None:
    """Refuse a list with a name that no sample has.

    Raises:
        UserError: there is one; the most similar name is given.
    """
    missing = [name for name in listed if name not in known]
    if not missing:
        return
    near = difflib.get_close_matches(missing[0], known, n=1, cutoff=0.5)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    raise UserError(
        f"dataset.exclude: {path} names samples that there are not",
        f"names of the dataset's samples, for instance '{(near or list(known)[:1] or ['…'])[0]}'",
        f"'{missing[0]}'{more}",
        f"did you mean '{near[0]}'? correct the line, or take it out"
        if near
        else "correct the line, or take it out",
    )


def require_few(path: Path, left_out: int, total: int, most: float) -> None:
    """Refuse to leave out more than a share of all samples.

    Raises:
        UserError: it would be more.
    """
    if left_out > most * total:
        enough = min(1.0, left_out / total * 1.01 + 0.0005)
        raise UserError(
            f"dataset.exclude: {path} leaves out {left_out} of {total} samples",
            f"at most dataset.max_excluded={most:g} of them, {int(most * total)}",
            f"{left_out / total:.2%}",
            f"look at the list; if it is right: dataset.max_excluded={enough:.3f}",
        )
