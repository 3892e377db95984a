"""Measure the loader beside others: `python -m scripts.bench [quick=true work=NAME,NAME …]`."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from reprise.cli import main as command
from reprise.errors import UserError
from reprise.project import ROOT, relative
from scripts.bench.measure import measure
from scripts.bench.report import ratios, rows, table
from scripts.bench.works import WORKS

BESIDE = ("costs", "predict")  # modules that measure what is no loader's work
INSTALL = {
    "grain": ".venv/bin/uv pip install --python .venv -r requirements-bench.lock",
    "torch": ".venv/bin/uv pip install --python .venv torch  # gigabytes, if it brings CUDA",
}


def main(argv: list[str]) -> None:
    """Measure, print a table for each work, and write bench.json, bench.txt and bench.png.

    Words: `work` (all, or names with commas between them), `quick` (fewer works and engines on less
    data), `repeats` (rounds; each measures every engine once), `seconds` (of one measurement),
    `workers`, `out` (folder).
    """
    words = command.options(
        argv,
        work="all",
        quick="false",
        repeats="auto",
        seconds="auto",
        workers=str(len(os.sched_getaffinity(0))),
        out=str(ROOT / "bench"),
    )
    is_quick, out = _flag(words, "quick"), Path(words["out"])
    repeats = int(_number(words, "repeats", 2 if is_quick else 5))
    seconds = _number(words, "seconds", 0.5 if is_quick else 1.0)
    workers = int(_number(words, "workers", 1))
    names = _names(words["work"], is_quick)
    out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is running is ended on the way
    began = time.monotonic()
    missing = _say_missing()
    found: dict[str, Any] = {"settings": words, "rows": [], "ratios": {}}
    tables: list[str] = []
    for name in names:
        if name in BESIDE:
            found[name] = beside(name, words["quick"], words["workers"])
            tables.append(f"\n{name}\n{yaml.safe_dump(found[name])}")
        else:
            engines, count = _plan(name, is_quick, missing)
            tables.append(_measured(found, name, engines, count, workers, repeats, seconds))
        print(tables[-1], flush=True)
    _write(found, "\n".join(tables), out)
    print(f"\n{time.monotonic() - began:.0f} s; bench.json, .txt and .png are in {relative(out)}")


def _plan(name: str, is_quick: bool, missing: set[str]) -> tuple[list[str], int]:
    """Engines to measure on a work, and the size of its data."""
    work = WORKS[name]
    engines = work.quick if is_quick and work.quick else work.engines
    return [engine for engine in engines if engine.split()[0] not in missing], work.count[is_quick]


def _measured(found: dict[str, Any], name: str, *how: Any) -> str:
    """Measure one work into `found`; its table."""
    try:
        results = measure(name, *how)
    except (RuntimeError, ImportError) as error:  # no server on this machine
        return f"\n{name} is left out: {error}"
    measured = rows(name, results, how[2])
    found["rows"] += measured
    found["ratios"][name] = ratios(results)
    return table(measured, found["ratios"][name])


def beside(name: str, *words: str) -> dict[str, Any]:
    """What one of `BESIDE` prints, in a process of its own."""
    command = [sys.executable, "-m", f"scripts.bench.{name}", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        return {"failure": done.stderr.strip().splitlines()[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _names(asked: str, is_quick: bool) -> list[str]:
    if asked == "all":
        return [*BESIDE, *(name for name, work in WORKS.items() if work.quick or not is_quick)]
    names = asked.split(",")
    for name in names:
        if name not in (*BESIDE, *WORKS):
            kinds = "all, or some of " + ", ".join((*BESIDE, *WORKS))
            raise UserError(f"'{name}' is no work", kinds, f"work={asked}", "choose among these")
    return names


def _number(words: dict[str, str], key: str, default: float) -> float:
    try:
        value = default if words[key] == "auto" else float(words[key])
    except ValueError:
        value = 0
    if not value > 0:
        raise UserError(
            f"{key} cannot be '{words[key]}'", "a number above 0", words[key], "mend it"
        )
    return value


def _flag(words: dict[str, str], key: str) -> bool:
    if words[key] not in ("true", "false"):
        mistake = f"{key} cannot be '{words[key]}'"
        raise UserError(mistake, "true or false", words[key], f"write {key}=true")
    return words[key] == "true"


def _say_missing() -> set[str]:
    missing = {name for name in INSTALL if find_spec(name) is None}
    for name in sorted(missing):
        print(f"{name} is not installed and left out; to have it: {INSTALL[name]}")
    return missing


def _write(found: dict[str, Any], tables: str, out: Path) -> None:
    from scripts.bench.machine import machine
    from scripts.bench.picture import draw

    (out / "bench.json").write_text(json.dumps({"machine": machine(), **found}, indent=1) + "\n")
    (out / "bench.txt").write_text(tables + "\n")
    if any(found["ratios"].values()):
        draw(found["ratios"], out / "bench.png")


if __name__ == "__main__":
    command.run(main, sys.argv[1:])
