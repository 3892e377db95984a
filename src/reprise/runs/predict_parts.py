"""Answers kept in parts, so that a prediction that was killed goes on where it was."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reprise.files import replacing, write_text

_ABOUT = "about.json"


class Parts:
    """Answers to inputs in order, in files of so many inputs each.

    Args:
        folder: Where the parts are; those of other inputs or settings are deleted.
        about: What the answers depend on.
        count: Number of inputs.
        size: Inputs of a part.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], count: int, size: int) -> None:
        self.folder, self._count, self.size = folder, count, size
        text = json.dumps({**about, "count": count, "size": size}, indent=1, default=str)
        if not (folder / _ABOUT).is_file() or (folder / _ABOUT).read_text() != text:
            shutil.rmtree(folder, ignore_errors=True)
            write_text(folder / _ABOUT, text)

    def missing(self) -> list[int]:
        """Numbers of the parts that are not there yet."""
        return [at for at in range(-(-self._count // self.size)) if not self._file(at).exists()]

    def indices(self, part: int) -> np.ndarray:
        """The inputs of a part."""
        return np.arange(part * self.size, min((part + 1) * self.size, self._count))

    def write(self, part: int, answers: np.ndarray, problems: Mapping[int, str]) -> None:
        """Write a part in one step.

        Args:
            part: Its number.
            answers: A row for each of its inputs; of those with a problem it does not count.
            problems: By input, why it could not be read.
        """
        with replacing(self._file(part)) as partial, partial.open("wb") as file:
            np.savez(file, answers=answers, problems=np.array(json.dumps(dict(problems))))

    def read(self) -> tuple[np.ndarray, dict[int, str]]:
        """All answers in one array, and the problems by input."""
        answers, problems = [], dict[int, str]()
        for part in range(-(-self._count // self.size)):
            with np.load(self._file(part), allow_pickle=False) as arrays:
                answers.append(arrays["answers"])
                found = json.loads(str(arrays["problems"]))
                problems |= {int(at): text for at, text in found.items()}
        some = next((one for one in answers if one.size), np.zeros((0, 0), np.float32))
        every = [
            one if one.size else np.zeros((len(one), *some.shape[1:]), some.dtype)
            for one in answers
        ]
        return np.concatenate(every), problems

    def _file(self, part: int) -> Path:
        return self.folder / f"part-{part:06d}.npz"


def fingerprint(paths: Sequence[Path], names: Sequence[str]) -> str:
    """Tell inputs from others: by their names, and by size and time of their files."""
    digest = hashlib.sha256("\n".join(names).encode())
    for path in paths:
        try:
            status = path.stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
        except OSError:
            digest.update(f"{path} missing\n".encode())
    return digest.hexdigest()
