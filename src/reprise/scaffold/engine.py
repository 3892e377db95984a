"""The engine as a wheel: packed from the files that run, whether of a checkout or of a wheel."""

import base64
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from reprise.errors import UserError
from reprise.project import PACKAGE

_METADATA = ("METADATA", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
_DATE = (1980, 1, 1, 0, 0, 0)  # of every file, so that the same code gives the same wheel


def pack(folder: Path) -> Path:
    """Write the engine that runs as a wheel; its version ends in a hash of its files.

    Args:
        folder: Where to put it; made if it is missing.
    """
    files = {}
    for place, folders, names in os.walk(PACKAGE, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = Path(place, name)
            files[f"reprise/{path.relative_to(PACKAGE).as_posix()}"] = path.read_bytes()
    return write_wheel(folder, files, _metadata())


def stamped(wheel: Path, folder: Path) -> Path:
    """Write a wheel of the engine anew, with its files' hash as in `pack`.

    Raises:
        UserError: it is no wheel of reprise.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        remedy = "name a wheel: uv build --wheel in a checkout of reprise makes one in dist/"
        raise UserError(f"{wheel} is no wheel", "reprise-….whl", str(error), remedy) from None
    metadata = {
        name.partition(".dist-info/")[2]: data
        for name, data in files.items()
        if ".dist-info/" in name
    }
    own = {name: data for name, data in files.items() if name.startswith("reprise/")}
    if not own or "METADATA" not in metadata:
        what, remedy = f"{wheel} holds no reprise", "name another wheel"
        raise UserError(what, "a wheel of reprise", ", ".join(list(files)[:3]), remedy)
    return write_wheel(folder, own, {one: metadata[one] for one in _METADATA if one in metadata})


def write_wheel(folder: Path, files: Mapping[str, bytes], metadata: Mapping[str, bytes]) -> Path:
    """Write a wheel of pure Python, as the binary distribution format says."""
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(name.encode() + b"\0" + data)
    text = metadata["METADATA"].decode()
    head, _, rest = text.partition("\nVersion: ")
    version, _, rest = rest.partition("\n")
    version = f"{version.partition('+')[0]}+e{digest.hexdigest()[:10]}"
    info = f"reprise-{version}.dist-info"
    held = dict(sorted(files.items()))
    held |= {f"{info}/{name}": data for name, data in metadata.items()}
    held[f"{info}/METADATA"] = f"{head}\nVersion: {version}\n{rest}".encode()
    tags = "Wheel-Version: 1.0\nGenerator: reprise\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    held[f"{info}/WHEEL"] = tags.encode()
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}"
        for name, data in held.items()
    ]
    held[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"reprise-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED)
    return wheel


def _metadata() -> dict[str, bytes]:
    """What describes the engine: of a checkout as its pyproject.toml says today."""
    checkout = PACKAGE.parents[1]
    if not (checkout / "pyproject.toml").is_file() or PACKAGE.parent.name != "src":
        installed = importlib.metadata.distribution("reprise")
        read = {name: installed.read_text(name) for name in _METADATA}
        return {name: text.encode() for name, text in read.items() if text}
    with tempfile.TemporaryDirectory() as place:
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(checkout / name, place)
        Path(place, "src").mkdir()
        code = "import setuptools.build_meta as b; b.prepare_metadata_for_build_wheel('out')"
        Path(place, "out").mkdir()
        subprocess.run([sys.executable, "-c", code], cwd=place, check=True, capture_output=True)
        (info,) = Path(place, "out").glob("*.dist-info")
        return {name: (info / name).read_bytes() for name in _METADATA if (info / name).is_file()}
