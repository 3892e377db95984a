"""A folder in which a run can be changed and taken further: its code, config, data and record."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from reprise.config.files import HEADER, Conf
from reprise.config.overrides import quoted, restate
from reprise.errors import UserError
from reprise.files import link_or_copy
from reprise.project import ROOT, relative
from reprise.runs.archive import recorded_files, settle
from reprise.runs.folder import DATA
from reprise.runs.load import SavedRun
from reprise.runs.rebuild import bring_data, python_of, rebuild_code, require_same_data
from reprise.tracking.folders import name_in
from reprise.tracking.journal import tags_of

AGAIN = "again.sh"  # what trains an update again, which no experiment file says


def clone(
    saved: SavedRun, ancestors: Sequence[SavedRun], folder: Path, *, here: Sequence[str]
) -> tuple[Path, str]:
    """Rebuild a run's project in a folder, with a git repository of one commit.

    Args:
        saved: The run.
        ancestors: The runs whose models it started from.
        folder: Where to; it is empty, or there is none.
        here: What is taken as it is here today: `data`, `packages`.

    Returns:
        The project's folder in it, and the command that trains the same run there.

    Raises:
        UserError: something that the run was made of is missing, or the folder is in use; nothing
            is left in it.
    """
    _require_empty(folder)
    project = rebuild_code(saved, folder)
    try:
        environments = saved.runs / ".environments"
        python = sys.executable if "packages" in here else python_of(saved, environments, project)
        chain = [*ancestors, saved]
        words = _write_words(saved, project)
        _commit(saved, folder)
        brought: list[str] = []
        for run in chain:
            brought += bring_data(run, project, from_here="data" in here)
            _copy_record(run, project)
        if "data" not in here:
            require_same_data(saved, project, brought)
        _ignore_rest(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if names := tags_of(saved.folder).get("code.redacted"):
        first, *others = names.split(", ")
        more = f" and {len(others)} more (tag code.redacted)" if others else ""
        print(f"note: what may be a password stays in the copy: {first}{more}")
    engine = ["env", "PYTHONPATH=src"] if (project / "src/reprise").is_dir() else []
    if words[0] == AGAIN:
        return project, shlex.join([*engine, "bash", AGAIN, python])
    return project, shlex.join([*engine, python, "-m", "reprise", *words])


def _require_empty(folder: Path) -> None:
    if folder.resolve().is_relative_to(ROOT.resolve()):
        raise UserError(
            f"{relative(folder)} is in this project",
            "a folder outside of it, since a repository in a repository is recorded by neither",
            f"to={folder}",
            "choose another: to=../NAME",
        )
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(
            f"{folder} is in use",
            "an empty folder, or none",
            "a folder that holds files" if folder.is_dir() else "a file",
            "choose another: to=FOLDER",
        )


def _write_words(saved: SavedRun, project: Path) -> list[str]:
    """Write the run's configuration as an experiment, or of an update its command; its words."""
    own = {"runs": "runs", "experiment": saved.experiment}
    if saved.parent:
        changes = [f"tracking.{key}={quoted(value)}" for key, value in own.items()]
        words = restate(saved.config, saved.choices, changes, project / "conf")
        first = ["-m", "reprise", "update", f"run={saved.parent}", f"old={saved.old}"]
        lines = " \\\n  ".join(map(shlex.quote, [*first, *words]))
        text = f"# Train run {saved.folder.name} again, or another with other words.\n"
        (project / AGAIN).write_text(f'{text}exec "${{1:-.venv/bin/python}}" {lines}\n')
        return [AGAIN]
    name = re.sub(r"[^\w-]", "_", f"{Path(saved.experiment).name}_{saved.folder.name}")
    file = project / "conf/experiment" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    config = {**saved.config, "tracking": {**saved.config["tracking"], **own}}
    head = f"{HEADER}\n# Run {saved.folder.name}, with every value that it had.\n"
    head += f"# Command:  make train exp={name}\n"
    node = experiment_of(config, saved.choices, Conf(project / "conf"))
    file.write_text(head + yaml.safe_dump(node, sort_keys=False, allow_unicode=True))
    return ["train", f"experiment={name}"]


def experiment_of(config: Mapping[str, Any], choices: Mapping[str, str], conf: Conf) -> Any:
    """A configuration as the content of an experiment file.

    Args:
        config: Its values.
        choices: Chosen option of each group.
        conf: The files of the project that it is for.
    """
    taken = {
        group: option
        for group, option in choices.items()
        if group not in ("experiment", "debug") and conf.find(f"{group}/{option}")
    }
    values = {
        key: {name: value for name, value in node.items() if name != "_target_"}
        if key in conf.groups
        else node
        for key, node in config.items()
    }
    defaults = [
        {f"override /{group}" if group in conf.groups else f"/{group}": option}
        for group, option in taken.items()
    ]
    return {"defaults": defaults, **_plain(values)}


def _plain(node: Any) -> Any:
    """Values in which `${` is no reference."""
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node.replace("${", "\\${") if isinstance(node, str) else node


def _copy_record(run: SavedRun, project: Path) -> None:
    """Copy a run into the runs of its clone, so that it can be compared, updated and evaluated."""
    folder = project / "runs" / name_in(run.folder, run.runs) / run.folder.name
    for name, path in recorded_files(run.folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder / name)
    came = run.folder / DATA
    for path in came.rglob("*"):
        if path.is_file():
            copy = folder / path.relative_to(run.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, copy)
    settle(folder, f"sqlite:///{project.resolve()}/mlflow.db")


def _commit(saved: SavedRun, folder: Path) -> None:
    """Make one commit of everything, without a remote."""
    who = ["-c", "user.name=reprise", "-c", "user.email=reprise", "-c", "commit.gpgSign=false"]
    message = f"run {saved.folder.name} of {saved.experiment}"
    _git(folder, "remote", "remove", "origin")
    _git(folder, "add", "--all", "--force")
    _git(folder, *who, "commit", "-q", "--amend", "--no-verify", "--reset-author", "-m", message)


def _ignore_rest(folder: Path) -> None:
    """Have git ignore data and runs, which are no part of the code."""
    rest = _git(folder, "ls-files", "-z", "--others", "--exclude-standard").split("\0")[:-1]
    tops = {re.sub(r"([*?\[\]\\!# ])", r"\\\1", name) for name in rest}
    with (folder / ".git/info/exclude").open("a") as file:
        file.writelines(
            f"/{name}\n" for name in sorted({*tops, "runs/", "mlflow.db*", "mlartifacts/"})
        )


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout
