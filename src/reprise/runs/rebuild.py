"""Rebuild what a run was made of, from its record: its code, its packages, its data."""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reprise.config.secrets import redact
from reprise.datasets.tracked import tracked
from reprise.errors import UserError
from reprise.project import PACKAGE, ROOT, relative
from reprise.runs.folder import DATA, PACKAGES, SNAPSHOT, to_type
from reprise.runs.inputs import changed_inputs, texts
from reprise.runs.load import SavedRun
from reprise.tracking.contents import SHOWN, read_list
from reprise.tracking.journal import tags_of
from reprise.tracking.provenance import outs_of, packages
from reprise.tracking.snapshot import bases, mask


def rebuild_code(saved: SavedRun, place: Path) -> Path:
    """Rebuild a run's code in a folder; returns the project's folder in it.

    Args:
        saved: The run.
        place: The folder; one that is there is replaced.

    Raises:
        UserError: the code is not recorded, or its record is damaged; no folder is left.
    """
    tags, bundle = tags_of(saved.folder), saved.folder / SNAPSHOT
    if not bundle.exists():
        reason = "the file is gone" if "code.tree" in tags else tags.get("code.problem")
        reason = reason or "the run was made before snapshots were recorded"
        raise UserError(
            f"the code of run {saved.folder.name} is not recorded",
            f"{SNAPSHOT} in its folder",
            reason,
            "reproduce it with the code of today: "
            + to_type("reproduce", f"run={saved.folder.name}", saved.runs, "code=here"),
        )
    if problem := tags.get("code.problem"):
        print(f"note: not all of the run's code is recorded: {problem}")
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    project = place / tags.get("code.project", "")
    try:
        done = _unbundle(bundle.resolve(), place)
        if done.returncode != 0:
            raise UserError(
                f"the code of run {saved.folder.name} cannot be rebuilt",
                f"a git bundle in {relative(bundle)}",
                redact(done.stderr.strip()),
                _remedy(done.stderr)
                or "copy the run's folder again, or take the artifact snapshot/ from MLflow",
            )
        has = _call(["git", "rev-parse", "-q", "--verify", "HEAD^{tree}"], place).stdout.strip()
        if has != (recorded := tags.get("code.tree", has)):  # git takes a cut head for no commits
            raise UserError(
                f"the code of run {saved.folder.name} is damaged",
                f"{relative(bundle)} with the tree {recorded}",
                f"the tree {has}" if has else "no commit",
                "copy the run's folder again, or take the artifact snapshot/ from MLflow",
            )
        (project / "conf").mkdir(parents=True, exist_ok=True)  # git records no empty folder
        _unmask(
            [name for name in tags.get("code.redacted", "").split(", ") if name], place, project
        )
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return project


def _fill(place: Path, project: Path) -> None:
    """Put the files of git LFS, of which the record holds only the hash, in their places."""
    sign = "^version https://git-lfs.github.com/spec/v1"
    names = _call(["git", "grep", "-lz", "--cached", "-e", sign], place).stdout.split("\0")[:-1]
    store = ROOT / _call(["git", "rev-parse", "--git-path", "lfs/objects"], ROOT).stdout.strip()
    lacking = []
    for name in names:
        file = place / name
        found = re.fullmatch(
            r"version \S+\noid sha256:(\w{64})\nsize \d+\n", file.read_text(errors="replace")
        )
        if found is None:
            continue
        sha = found[1]
        for source in (ROOT / os.path.relpath(file, project), store / sha[:2] / sha[2:4] / sha):
            if source.is_file() and _sha256(source) == sha:
                shutil.copy(source, file)
                break
        else:
            lacking.append(name)
    if lacking:
        shown = ", ".join(lacking[:SHOWN]) + (", …" if len(lacking) > SHOWN else "")
        print(f"note: {len(lacking)} file(s) of git LFS are not here: {shown}; git lfs fetch --all")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unmask(names: Sequence[str], place: Path, project: Path) -> None:
    """Take files whose passwords are masked in the record from here, if nothing else differs."""
    masked = []
    for name in names:
        file = place / name
        here = ROOT / os.path.relpath(file, project)
        try:
            content = here.read_bytes()
            is_same = mask(name, content) == file.read_bytes()
        except OSError:
            is_same = False
        if is_same:
            file.write_bytes(content)
        else:
            masked.append(name)
    if masked:
        shown = ", ".join(masked[:SHOWN]) + (", …" if len(masked) > SHOWN else "")
        print(
            f"note: *** stands in place of passwords in {len(masked)} file(s) of the code: {shown}"
        )


def _unbundle(bundle: Path, place: Path) -> subprocess.CompletedProcess[str]:
    """Check a bundle out into a new folder."""
    if not bases(bundle):
        return _call(["git", "clone", "-q", str(bundle), str(place)], place.parent)
    _call(["git", "init", "-q", str(place)], place.parent)
    refused = bring_bases(bundle, place)
    done = _call(["git", "fetch", "-q", str(bundle), "refs/heads/main"], place)
    done.stderr = refused + done.stderr
    return done if done.returncode else _call(["git", "checkout", "-q", "FETCH_HEAD"], place)


def bring_bases(bundle: Path, repository: Path) -> str:
    """Bring the commits that a bundle needs, from the project's repository or its remotes.

    Returns:
        What git said where a commit cannot be had, such as that a remote asks for a password.
    """
    refused = ""
    for base in bases(bundle):
        names = _call(["git", "remote"], ROOT).stdout.split()
        urls = [_call(["git", "remote", "get-url", name], ROOT).stdout.strip() for name in names]
        said = []
        for url in (str(ROOT), *urls):
            way = ["fetch", "-q", "--depth=1", url, f"{base}:refs/heads/{base}"]
            done = _call(["git", *way], repository)
            if done.returncode == 0:
                break
            said.append(done.stderr)
        else:
            refused += said[-1]
    return refused


def python_of(saved: SavedRun, environments: Path, project: Path) -> str:
    """The Python of an environment with the packages that a run recorded; this one if it has.

    Args:
        saved: The run.
        environments: Folder of environments, each used again by runs with the same packages.
        project: Its rebuilt project, whose vendor/ may have the engine as a wheel.

    Raises:
        UserError: a package cannot be had any more, or there is no uv; no environment is left.
    """
    file = saved.folder / PACKAGES
    if not file.exists():
        print("note: the run recorded no packages; those of today are taken")
        return sys.executable
    wanted = file.read_text()
    if wanted == packages():
        return sys.executable
    place = environments / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    python = place / "bin/python"
    if python.exists():
        return str(python)
    uv = shutil.which(
        "uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if uv is None:
        raise UserError(
            f"the packages of run {saved.folder.name} differ from today's, and uv is missing",
            "uv, which makes the environment",
            "no program uv on the PATH",
            "install it (pip install uv), or take the packages of today: packages=here",
        )
    partial = place.with_suffix(f".{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        _install(uv, saved, wanted, partial, project / "vendor")
        with suppress(OSError):  # another process has made it meanwhile
            partial.rename(place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return str(python)


def _install(uv: str, saved: SavedRun, wanted: str, place: Path, vendor: Path) -> None:
    """Make an environment in an empty folder."""
    version, *lines = wanted.splitlines()
    version = version.partition("==")[2]
    wheels = [line for line in lines if not line.startswith("reprise==")]
    engines = [line.replace("==", "-") for line in lines if line.startswith("reprise==")]
    engine = [str(file) for name in engines for file in vendor.glob(f"{name}-*.whl")]
    (place / "packages.txt").write_text("\n".join([*wheels, *engine]))
    print(f"making an environment of {len(wheels)} packages, as the run had them …", flush=True)
    install = ["pip", "install", "--no-deps", "--python", str(place / "bin/python")]
    steps = {
        f"Python {version} of run {saved.folder.name} cannot be had": [
            *("venv", "-q", "--allow-existing", "--python", version, str(place))
        ],
        f"the packages of run {saved.folder.name} cannot be had": [
            *(*install, "-q", "-r", str(place / "packages.txt"))
        ],
    }
    for what, step in steps.items():
        done = _call([uv, *step], ROOT)
        if done.returncode != 0:
            raise UserError(
                what,
                f"what {relative(saved.folder / PACKAGES)} lists",
                redact(done.stderr.strip()[-1000:]),
                _remedy(done.stderr) or "reproduce it with the packages of today: packages=here",
            )
    if engines and not engine:  # a project without the engine's source has it as a package
        (site,) = place.glob("lib/python*/site-packages")
        (site / PACKAGE.name).symlink_to(PACKAGE)


def bring_data(saved: SavedRun, project: Path, *, from_here: bool) -> list[str]:
    """Bring the data of a run into its rebuilt project: from DVC's cache, or by a link to here.

    Data that came with an exported run are linked from its folder.

    Args:
        saved: The run.
        project: Its rebuilt project.
        from_here: Link the data of today, whatever DVC has.

    Returns:
        The files and folders that DVC has brought.

    Raises:
        UserError: DVC has the run's version of its data neither in the cache nor in the remote.
    """
    own = set(texts(saved.config["dataset"]))
    of_dvc = {Path(out).parts[0] for out in tracked(project, project / "any")[0]}
    files = [
        Path(text.removeprefix("sqlite:///"))
        for text in texts(saved.config)
        if "/" in text
        or (text in own and text in of_dvc)
        or (os.path.lexists(ROOT / text) and (text in own or (ROOT / text).is_file()))
    ]
    files = [file for file in files if file.parts and not file.is_absolute()]
    came = saved.folder.resolve() / DATA  # with the file of an exported run
    if came.is_dir() and not from_here:
        for inner in came.iterdir():
            _link(inner, project / inner.name)
        return []
    changed = tags_of(saved.folder).get("data.dvc", "").startswith("changed on disk")
    outs = [] if from_here or changed else outs_of(project, files)
    if outs:
        with suppress(OSError):  # which names remotes, and holds their passwords
            shutil.copy(ROOT / ".dvc/config.local", project / ".dvc/config.local")
        cache = _dvc(ROOT, "cache", "dir").stdout.strip()
        _dvc(project, "config", "--local", "cache.dir", str(ROOT / cache))
        _dvc(project, "config", "--local", "cache.type", "reflink,hardlink,symlink,copy")
        if _dvc(project, "checkout", "-q", *outs).returncode != 0:
            done = _dvc(project, "pull", *outs)
            is_here = all((ROOT / out).exists() for out in outs)
            if done.returncode != 0 and is_here and read_list(saved.folder):
                for out in outs:  # what is here does, if each file has the hash that was recorded
                    shutil.rmtree(project / out, ignore_errors=True)
                outs = []
            elif done.returncode != 0:
                raise UserError(
                    f"the data of run {saved.folder.name} cannot be had any more",
                    f"the version of {', '.join(outs)} that the run's own record of DVC names",
                    redact(done.stderr[max(0, done.stderr.find("ERROR")) :].strip()[-1000:]),
                    _remedy(done.stderr)
                    or "bring it into DVC's remote, give DVC the password that this asks for, or "
                    "take the data of today: data=here",
                )
    for file in files:
        old = ROOT / file
        is_above = ROOT.is_relative_to(old.resolve())
        if not is_above and not any(file.is_relative_to(out) for out in outs):
            _link(old, project / file)
    return outs


def require_same_data(
    saved: SavedRun, project: Path, brought: Sequence[str] = (), *, full: bool = False
) -> None:
    """Check that the input files in a project hold what they held when a run was trained.

    Args:
        saved: The run.
        project: The project.
        brought: What DVC has brought, which is checked only with `full`.
        full: Read every file, whatever is remembered of it.

    Raises:
        UserError: files came, went or changed.
    """
    if read_list(saved.folder) is None:
        tags = tags_of(saved.folder)
        why = tags.get("data.files", "not recorded").removeprefix("not recorded: ")
        why = "its list is gone" if "data.md5" in tags else why
        print(f"note: what each input file held is not known: {why}")
        return
    leave = () if full else brought
    if lines := changed_inputs(saved, project, leave=leave, full=full, most=math.inf):
        raise UserError(
            f"the data of run {saved.folder.name} has changed since",
            "the files that it was trained on, which DVC does not have",
            "\n".join(lines),
            "bring them back, or take the data of today: data=here",
        )


def _link(old: Path, new: Path) -> None:
    """Link data into a rebuilt project; in a folder of which git tracks a part, only the rest."""
    if not new.exists() and old.exists():
        new.parent.mkdir(parents=True, exist_ok=True)
        new.symlink_to(old)
    elif new.is_dir() and not new.is_symlink() and old.is_dir():
        for inner in old.iterdir():
            _link(inner, new / inner.name)


def _remedy(said: str) -> str:
    """What to do about a failure that has nothing to do with the record; '' about another one."""
    if re.search(
        "no space|out of diskspace|disk quota|read-only|could not create", said, re.IGNORECASE
    ):
        return "make room on the disk, or get the right to write there; nothing is left of it"
    if re.search(
        "password|could not read username|authentication|\\b(401|403)\\b|denied|credentials",
        said,
        re.IGNORECASE,
    ):
        return "give git, DVC or uv the password as you do where you work, then type it again"
    if re.search(
        "connect|network|timed? ?out|dns|resolve host|name resolution", said, re.IGNORECASE
    ):
        return "have the network, or the server, reachable again, then type it again"
    return ""


def _dvc(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return _call([sys.executable, "-m", "dvc", *words], folder)


def _call(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Call a program that cannot ask for a password: it has no terminal, and fails."""
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
    quiet["GIT_LFS_SKIP_SMUDGE"] = "1"  # a bundle is no server of LFS
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **quiet, "DVC_NO_ANALYTICS": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said = process.communicate()
    except BaseException:  # with the programs that it has called, which would go on writing
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return subprocess.CompletedProcess(command, process.returncode, *said)
