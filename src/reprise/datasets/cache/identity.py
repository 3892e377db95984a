"""Which decoded arrays are the same: a name that changes with the data, the settings, the code."""

import hashlib
import inspect
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from reprise.datasets.decodable import Decodable
from reprise.errors import UserError

_DECODERS = ("numpy", "opencv-python-headless", "pillow", "scipy", "librosa", "soundfile", "soxr")
_ROOMS = Path(__file__).parents[2]


def identity(dataset: Decodable) -> str:
    """A name for what `decode` gives of these samples.

    Files count by their names, sizes and times of change, a server's rows by the dataset's stamp.

    Raises:
        UserError: the dataset names neither: that its data has changed could not be told.
    """
    kind = type(dataset)
    if not dataset.sources and not dataset.stamp:
        raise UserError(
            f"loader.cache cannot tell whether the data of {kind.__qualname__} is still the same",
            "a dataset that names its files",
            "no sources, and no stamp",
            f"give {kind.__qualname__} the property sources, or set loader.cache=null",
        )
    digest = hashlib.sha256()
    code = [*_files([_ROOMS / "datasets", _ROOMS / "transforms"]), Path(inspect.getfile(kind))]
    for path in code:
        if path.suffix == ".py":
            digest.update(path.read_bytes())
    words = [dataset.recipe, repr(dataset.decoded), dataset.stamp, *map(_version, _DECODERS)]
    words += [dataset.name(index) for index in range(len(dataset))]
    for path in _files(dataset.sources):
        status = path.stat()
        words.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    digest.update("\0".join(words).encode())
    return f"{kind.__name__.lower()}-{digest.hexdigest()[:16]}"


def _files(sources: Sequence[Path]) -> Iterator[Path]:
    """Every file of these files and folders, in one order."""
    for source in sources:
        if not source.is_dir():
            log = source.with_name(f"{source.name}-wal")  # where SQLite writes first
            yield from (path for path in (source, log) if path.exists())
        for folder, folders, names in os.walk(source):
            folders.sort()
            yield from (Path(folder) / name for name in sorted(names))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
