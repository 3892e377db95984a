"""A project of one's own: an experiment filled in from a look at the data, and what runs it."""

import keyword
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from reprise.config.check import check
from reprise.datasets.base import BaseDataset
from reprise.errors import UserError
from reprise.project import ENGINE_CONF
from reprise.runs.experiment import build_dataset, refuse_problems
from reprise.scaffold.engine import pack
from reprise.scaffold.look import KINDS, Guess, Guesses

HERE = Path(__file__).parent
_OBJECTIVES = {  # by kind of target: objective, and the metric that tells the best epoch
    "class": ("classification", "accuracy"),
    "labels": ("classification", "f1"),
    "mask": ("segmentation", "iou"),
    "values": ("regression", "r2"),
}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_WITH_FOLDER = ("masks", "folder", "table", "recordings")  # kinds whose files stand together


def new_project(place: Path, kind: str, data: str, engine: str, words: Sequence[str]) -> list[str]:
    """Write a project, all of it or nothing.

    Args:
        place: Its folder; missing or empty.
        kind: One of `KINDS`.
        data: A file or folder, which is linked under data/; the URL of a file, which is fetched, or
            of a database; '' for sample data.
        engine: What pip takes for the engine; '' for the one that runs, as a wheel in vendor/.
        words: `dataset.KEY=VALUE`, which are not guessed then.

    Returns:
        Lines to print: what was guessed, and what to do next.

    Raises:
        UserError: the folder is not empty, or the data are not of this kind.
    """
    if kind not in KINDS:
        raise UserError("kind=… is wrong", ", ".join(KINDS), kind, "choose one of these")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        held = "a file" if place.is_file() else f"{sum(1 for _ in place.iterdir())} entries"
        raise UserError(f"{place} is not empty", "a new folder", held, "choose another path=")
    given = {key: yaml.safe_load(value) for key, value in map(_setting, words)}
    name = _package_name(place.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    here = Path.cwd()
    try:
        if kind == "rows" and "#" in data:  # as predict's to= names a table
            data, _, given["table"] = data.partition("#")
        where = _bring(data, kind, name, partial, here)
        os.chdir(partial)  # the data's own readers take paths as a config has them
        dataset, _, look = KINDS[kind]
        guesses: Guesses = look(where, given)
        guesses |= {key: Guess(value) for key, value in given.items()}
        if not data:
            key = next(key for key in guesses if not key.startswith("source._"))
            guesses[key] = Guess(guesses[key].value, "sample data; FILL IN your own")
        opened = open_guessed(dataset, guesses)
        lines = write(partial, name, dataset, guesses, opened, engine)
        check([f"experiment={name}"], partial / "conf", lambda path: not data)
        partial.chmod(0o755)
        partial.rename(place)
    finally:
        os.chdir(here)
        shutil.rmtree(partial, ignore_errors=True)
    if _call("git", "rev-parse", "--git-dir", folder=place):
        _call("git", "init", "-q", folder=place)
    return lines


def write(
    place: Path, name: str, dataset: str, guesses: Guesses, opened: BaseDataset[Any], engine: str
) -> list[str]:
    """Write a project's files; returns what was guessed, a line each."""
    text = experiment_text(name, dataset, guesses, opened, "make train")
    files = {
        path.relative_to(HERE / "templates").as_posix(): path.read_text("utf-8")
        for path in sorted((HERE / "templates").rglob("*"))
        if path.is_file()
    }
    wheel = "" if engine else f"vendor/{pack(place / 'vendor').name}"
    for file, content in files.items():
        path = place / file.replace("dot-", ".").replace("__NAME__", name).removesuffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        filled = content.replace("__NAME__", name).replace("__ENGINE__", engine or wheel)
        path.write_text(filled, "utf-8")
    experiment = place / f"conf/experiment/{name}.yaml"
    experiment.parent.mkdir(parents=True)
    experiment.write_text(text, "utf-8")
    locks = ["requirements.lock"]
    if str(guesses.get("url", Guess("")).value).startswith(("mysql", "mariadb")):
        locks.append("requirements-mysql.lock")
    lock = "".join((HERE / one).read_text("utf-8") for one in locks)
    (place / "requirements.lock").write_text(lock, "utf-8")
    shutil.copy(HERE / "requirements-gpu.lock", place)
    return [f"package: src/{name}", *guessed(guesses, opened)]


def experiment_text(
    name: str, dataset: str, guesses: Guesses, opened: BaseDataset[Any], command: str
) -> str:
    """The file conf/experiment/NAME.yaml of a dataset that was looked at."""
    objective, metric = _OBJECTIVES[opened.target_spec.kind]
    train = opened.num_samples(opened.splits()["train"]) or 0
    text = [
        "# @package _global_",
        f"# Differences from the engine's defaults; make config prints every key of {name}.",
        f"# Command:  {command}",
        "defaults:",
        *(f"  - override /{group}: {option}" for group, option in
          (("dataset", dataset), ("model", _model(opened)), ("objective", objective))),
        "", "dataset:", *dataset_lines(guesses), "",
    ]  # fmt: skip
    if train > 1000:
        text += ["loader:", "  batch_size: 32 # guessed: there are many samples", ""]
    text += ["trainer:", "  epochs: 10"]
    if metric != "accuracy":  # of few samples it is equal in many epochs, and the first one stays
        text += [f"  monitor: valid/{metric}", "  monitor_mode: max"]
    text += [""]
    return "\n".join(text)


def guessed(guesses: Guesses, opened: BaseDataset[Any]) -> list[str]:
    """What was guessed, a line each."""
    return [
        f"model: {_model(opened)}",
        f"objective: {_OBJECTIVES[opened.target_spec.kind][0]}",
        *(f"dataset.{key}: {_flow(value)} ({why})" for key, (value, why) in guesses.items() if why),
    ]


def open_guessed(dataset: str, guesses: Guesses) -> BaseDataset[Any]:
    """Build the dataset, and look at its samples as a run does at its start."""
    node = OmegaConf.load(ENGINE_CONF / f"dataset/{dataset}.yaml")
    for key, (value, _) in guesses.items():
        OmegaConf.update(node, key, value, merge=False, force_add=True)
    opened = build_dataset(OmegaConf.to_container(node))  # type: ignore[arg-type]
    refuse_problems(opened.problems(opened.splits()))
    return opened


def _model(opened: BaseDataset[Any]) -> str:
    x, y = opened.input_spec, opened.target_spec
    if y.kind == "mask":
        return "unet"
    if len(x.shape) < 3:
        return "mlp"
    return "autoencoder" if y.kind == "values" and len(y.shape) == 3 else "cnn"


def _bring(data: str, kind: str, name: str, partial: Path, here: Path) -> Path | str:
    """Put the data in place under data/ of a project; returns where, relative to it."""
    sample = KINDS[kind][1]
    home = partial / "data"
    home.mkdir()
    if not data:
        stage = Path(sample).parts[0]
        command = [sys.executable, "-m", f"reprise.samples.{stage}", "--out", str(home / stage)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return Path("data", sample)
    if "://" in data and not data.startswith(("http://", "https://")) and kind != "rows":
        raise UserError(
            f"kind={kind} reads no database",
            "a file, a folder or an http(s) address",
            data.partition(":")[0],
            "kind=rows, for matrices by cells; else write the query's answer to a file: "
            "pandas.read_sql(…).to_parquet('rows.parquet'), for kind=csv",
        )
    if kind == "rows" and ":" in data and not Path(data).exists():
        if not data.startswith("sqlite:///"):
            return data
        data = data.removeprefix("sqlite:///")
    if data.startswith(("http://", "https://")):
        file = home / data.rpartition("/")[2].partition("?")[0]
        try:
            with urllib.request.urlopen(data) as source, file.open("wb") as target:
                shutil.copyfileobj(source, target)
        except OSError as error:
            what, remedy = f"{data} cannot be fetched", "correct data="
            raise UserError(what, "the URL of a file", str(error), remedy) from None
        if file.suffix in _ARCHIVES:
            shutil.unpack_archive(file, home / name)
            file.unlink()
            inner = [*(home / name).iterdir()]
            return Path(
                "data", name, inner[0].name if len(inner) == 1 and inner[0].is_dir() else ""
            )
        return Path("data", file.name)
    source = (here / Path(data).expanduser()).resolve()
    if not source.exists():
        raise UserError(
            f"data={data}: there is nothing", "a file, a folder or a URL", "none", "correct data="
        )
    if source.is_file() and kind in _WITH_FOLDER:
        (home / name).symlink_to(source.parent)
        return Path("data", name, source.name)
    link = home / (name + source.suffix if source.is_file() else name)
    link.symlink_to(source)
    return link.relative_to(partial)


def _package_name(text: str) -> str:
    """A name for a project's own package, that no other package has."""
    name = re.sub(r"\W+", "_", text).strip("_").lower() or "project"
    name = f"p_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name
    found = find_spec(name)  # a folder without code has no origin
    return f"{name}_project" if (found and found.origin) or name in ("tests", "conf") else name


def _setting(word: str) -> tuple[str, str]:
    key, is_set, value = word.partition("=")
    if not is_set or not key.startswith("dataset."):
        expected = "path=FOLDER kind=KIND [data=PATH_OR_URL engine=REQUIREMENT dataset.KEY=VALUE …]"
        raise UserError(f"'{word}' is not an option", expected, word, "correct or drop it")
    return key.removeprefix("dataset."), value


def dataset_lines(guesses: Guesses) -> list[str]:
    """Lines of YAML for settings by dotted key."""
    lines: list[str] = []
    shown: list[str] = []
    for key, (value, why) in guesses.items():
        *above, last = key.split(".")
        for depth, name in enumerate(above):
            if shown[: depth + 1] != above[: depth + 1]:
                lines.append("  " * (depth + 1) + f"{name}:")
        shown = above
        note = f" # {'' if 'FILL IN' in why else 'guessed: '}{why}" if why else ""
        lines.append("  " * (len(above) + 1) + f"{last}: {_flow(value)}{note}")
    return lines


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _call(*command: str, folder: Path) -> bool:
    """Whether a program fails, or is not there."""
    try:
        return subprocess.run(command, cwd=folder, capture_output=True).returncode != 0
    except OSError:
        return True
