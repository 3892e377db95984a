"""The engine as a wheel in a project's vendor/: packed, and replaced by another one.

It is packed from the files that run, whether those of a checkout or of an installed wheel.
"""

import base64
import contextlib
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from reprise.errors import UserError
from reprise.files import write_text
from reprise.project import PACKAGE, ROOT

_METADATA = ("METADATA", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
_LOCKS = ("requirements.lock", "requirements-gpu.lock")
_BEFORE = "vendor/before"  # what `back` puts in place again
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


def update_engine(to: str) -> list[str]:
    """Give the project another engine, and say what that changes for its experiments.

    Args:
        to: A wheel of reprise, which goes to vendor/; or what pip takes for it.

    Returns:
        Lines: each experiment with its keys that changed or came, and those that are refused now.

    Raises:
        UserError: this is no project of `new-project`'s; or `to` cannot be installed, and all is as
            before.
    """
    makefile = ROOT / "Makefile"
    text = makefile.read_text("utf-8") if makefile.exists() else ""
    if not (found := re.search(r"^engine := (.*)$", text, re.MULTILINE)):
        expected, remedy = "a Makefile with a line engine := …", "pip install the other engine"
        raise UserError("this project has no engine of its own", expected, "none", remedy)
    before, old = _composed(sys.executable), found[1]
    kept = ROOT / _BEFORE
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for name in ("Makefile", *_LOCKS):
        shutil.copy(ROOT / name, kept)
    if Path(to).suffix == ".whl":
        wheel = stamped(Path(to), ROOT / "vendor")
        with zipfile.ZipFile(wheel) as archive:
            for name in _LOCKS:
                with contextlib.suppress(KeyError):  # of an engine before this verb
                    data = archive.read(f"reprise/scaffold/{name}")
                    write_text(ROOT / name, data.decode())
        new = f"vendor/{wheel.name}"
    else:
        new = to if re.search("[=@<>]", to) else f"reprise=={to}"
    if old.startswith("vendor/") and old != new:
        (ROOT / old).rename(kept / Path(old).name)
    write_text(makefile, text.replace(found[0], f"engine := {new}"))
    try:
        _make("lock", "setup") if _has_more() else _make("setup")
    except UserError:
        back()
        raise
    return [f"engine: {old} -> {new}", *_changes(before, _composed(".venv/bin/python"))]


def back() -> list[str]:
    """Put the engine that was there before the last update in place again."""
    kept = ROOT / _BEFORE
    if not (kept / "Makefile").exists():
        what, remedy = "there is no engine to go back to", "make update-engine to=WHEEL"
        raise UserError(what, f"{_BEFORE}, from an update", "none", remedy)
    for wheel in kept.glob("*.whl"):
        for other in (ROOT / "vendor").glob("*.whl"):
            other.unlink()
        wheel.rename(ROOT / "vendor" / wheel.name)
    for name in ("Makefile", *_LOCKS):
        (kept / name).replace(ROOT / name)
    shutil.rmtree(kept)
    _make("setup")
    return ["the engine before is in place again"]


def _has_more() -> bool:
    """Whether the project needs other packages than the engine and what tests it."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return 'dependencies = ["reprise"]' not in text


def _make(*targets: str) -> None:
    (ROOT / ".venv/.ready").unlink(missing_ok=True)  # files that are put back are older than it
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", *targets], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        received = (done.stdout + done.stderr)[-1000:].strip()
        what, remedy = f"make {targets[-1]} fails", "mend what it says; the engine is as before"
        raise UserError(what, "exit code 0", received, remedy)


def _composed(python: str) -> dict[str, Any]:
    """By experiment its values by dotted key, or why they are refused."""
    found: dict[str, Any] = {}
    for file in sorted((ROOT / "conf/experiment").rglob("*.yaml")):
        name = file.relative_to(ROOT / "conf/experiment").with_suffix("").as_posix()
        command = [python, "-m", "reprise", "config", f"experiment={name}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        found[name] = done.stderr.strip() if done.returncode else _flat(yaml.safe_load(done.stdout))
    return found


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, dict) and value
        flat |= _flat(value, f"{above}{key}.") if inner else {f"{above}{key}": value}
    return flat


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, now in after.items():
        was = before[name]
        if isinstance(now, str):
            lines.append(f"{name}: is refused now" if isinstance(was, dict) else f"{name}: refused")
            lines += [f"  {line}" for line in now.splitlines()]
        elif isinstance(was, dict):
            gone = [f"  {key} is gone" for key in was.keys() - now.keys()]
            new = [f"  {key}: {now[key]} is new" for key in now.keys() - was.keys()]
            other = [
                f"  {k}: {was[k]} -> {now[k]}" for k in was.keys() & now.keys() if was[k] != now[k]
            ]
            lines += [f"{name}: {'as before' if not (gone or new or other) else 'changes'}"]
            lines += sorted(gone) + sorted(new) + sorted(other)
    return lines
