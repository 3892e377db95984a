"""Snapshot of a project's code at the start of a run: a git bundle that needs no other commit.

The working tree as it is (commits that were never pushed, changes, and untracked files that git
does not ignore) becomes one commit without a parent, so it outlives a rebase, `git gc` and the
clone. Only of a repository above 20 MB, it needs the nearest commit that a remote has. Index and
objects are written to a folder of their own: the user's index, branches, stash and objects stay
untouched. `git clone FILE FOLDER` gives the tree back.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

LARGEST_FILE = 2_000_000  # bytes; what is larger is data rather than code
LARGEST = 20_000_000  # bytes of all files, not compressed
_SECRET_NAMES = (
    ".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "id_rsa", "id_ed25519",
    ".netrc", ".pgpass", ".my.cnf", ".git-credentials", ".pypirc", "credentials", "config.local",
    *(f"{name}.{form}" for name in ("credentials", "secrets") for form in ("json", "yaml", "toml")),
)  # fmt: skip
_SECRET = re.compile("|".join(map(translate, _SECRET_NAMES)))
# An address's password that is no variable; a token as its issuer writes it; a private key; and in
# files of settings, the value of a key that is called password.
_URL = r"([a-z][a-z0-9+]*://[^]/\s:@${}<>\"'%]+:)[^]/\s@${}<>\"'%][^]/\s@${}<>\"']*(?=@\w)"
_TOKEN = (
    r"()(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|hf_[A-Za-z0-9]{30,}"
    r"|xox[abprs]-[0-9A-Za-z-]{10,}|glpat-[0-9A-Za-z_-]{20,}|AIza[0-9A-Za-z_-]{35}"
    r"|(?<!\w)sk-[0-9A-Za-z_-]{32,}|-----BEGIN [A-Z ]*PRIVATE KEY-----)"
)
_KEY = (
    r"((?<!\w)(?:\w+_)?(?:password|passwd|secret|api_key|access_token|auth_token)[\"']?\s*[:=] *"
    r"[\"']?)(?!null\b|none\b|true\b|false\b|\*\*\*)[^\s\"'${}?~#,|>\[][^\s\"',}]*"
)
_SETTINGS = (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".dvc/config")
_ANYWHERE = re.compile(f"{_URL}".encode()), re.compile(_TOKEN.encode())
_IN_SETTINGS = re.compile(_KEY.encode(), re.IGNORECASE)
# What git looks for, to find the files that these may change.
_SIGNS = (
    "://[^/]+:.+@|AKIA|gh[pousr]_|github_pat|hf_|xox[abprs]-|glpat-|AIza|sk-[0-9a-z_-]{32}"
    "|PRIVATE KEY"
)
_SIGNS_IN_SETTINGS = "password|passwd|secret|api_key|access_token|auth_token"
_RECORDS = ("mlflow.db*", "mlartifacts/", "mlruns/")  # of runs, where git does not ignore them
_WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "reprise"), ("EMAIL", "reprise"), ("DATE", "@0 +0000"))
}


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot holds.

    Args:
        tree: Git's id of the files' content, the same for the same files; '' without a snapshot.
        left_out: Files that are not in it, each with the reason.
        redacted: Files that are in it with `***` in place of a password or token.
        project: The project's folder in it; '' where that is the top of the repository.
        problem: Why the run's code cannot be rebuilt from it; '' where it can.
    """

    tree: str = ""
    left_out: tuple[str, ...] = ()
    redacted: tuple[str, ...] = ()
    project: str = ""
    problem: str = ""


def take_snapshot(root: Path, folder: Path, data: Sequence[Path] = ()) -> Snapshot:
    """Write the code of the repository that a project is in to a git bundle.

    Args:
        root: The project's folder.
        folder: Where `<tree>.bundle` is written, unless it is there already.
        data: Files and folders that are no code, of which only what git tracks is taken.
    """
    try:
        top = Path(_git(root, {}, "rev-parse", "--show-toplevel").strip())
        index, objects = (
            top / _git(top, {}, "rev-parse", "--git-path", name).strip()
            for name in ("index", "objects")
        )
        with TemporaryDirectory() as scratch:
            own = {
                "GIT_INDEX_FILE": f"{scratch}/index",
                "GIT_OBJECT_DIRECTORY": f"{scratch}/objects",
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects.resolve()),
            }
            Path(own["GIT_OBJECT_DIRECTORY"]).mkdir()
            if index.exists():  # its times spare git from reading what has not changed; its own
                shutil.copy2(index, own["GIT_INDEX_FILE"])  # tells what may have changed since
            project = _git(root, {}, "rev-parse", "--show-prefix").strip().rstrip("/")
            return replace(_write(top, Path(scratch), own, folder, data), project=project)
    except FileNotFoundError as error:
        return Snapshot(problem=f"no {error.filename}")
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return Snapshot(problem=said[0] if said else "git failed")


def _write(
    top: Path, scratch: Path, own: dict[str, str], folder: Path, data: Sequence[Path]
) -> Snapshot:
    new = ("--others", "--exclude-standard", *(f"--exclude={name}" for name in _RECORDS))
    inside = [path.resolve() for path in data]
    hidden = {  # which git does not look at: assume-unchanged, skip-worktree
        name[2:]
        for name in _names(_git(top, own, "ls-files", "-vz"))
        if (name[0] == "S" or name[0].islower()) and os.path.lexists(top / name[2:])
    }
    for flag in ("--no-skip-worktree", "--no-assume-unchanged") if hidden else ():
        _put(top, own, "update-index", flag, "-z", "--stdin", lines=hidden)
    changed = set(_names(_git(top, own, "ls-files", "-z", "--modified")))
    for name in _names(_git(top, own, "ls-files", "-z", *new)):
        if not any((top / name).is_relative_to(path) for path in inside):
            changed.add(name)
    large = {name for name in changed if _size(top / name) > LARGEST_FILE}
    nested = sorted(name for name in changed if name.endswith("/"))
    update = ("update-index", "--add", "--remove", "--replace", "-z", "--stdin")
    _put(top, own, *update, lines=changed - large - {*nested})
    names = _names(_git(top, own, "ls-files", "-z"))
    secret = {name for name in names if _has_secret_name(name)}
    _put(top, own, "update-index", "--force-remove", "-z", "--stdin", lines=secret)
    redacted = _redact(top, own)
    left_out = [f"{name} ({_size(top / name) / 1e6:.1f} MB)" for name in sorted(large)]
    left_out += [f"{name} (by its name, a secret)" for name in sorted(secret)]
    tree = _git(top, own, "write-tree").strip()
    problems = [f"too large for a file of code: {', '.join(sorted(large))}"] if large else []
    if nested:
        problems.append(f"a git repository of its own, not in the snapshot: {', '.join(nested)}")
    sizes = _git(top, own, "ls-tree", "-rl", "--full-tree", tree).splitlines()
    total = sum(int(size) for line in sizes if (size := line.split()[3]) != "-")
    base = _base(top) if total > LARGEST else ""
    too_large = f"{total / 1e6:.0f} MB of code, more than {LARGEST / 1e6:.0f}"
    if any(line.startswith("160000") for line in sizes):
        problems.append("a git submodule, whose files are not in the snapshot")
    found = Snapshot(tree, tuple(left_out), tuple(redacted), problem="; ".join(problems))
    if total > LARGEST and not base:
        why = f"{too_large}, and no commit that a remote has"
        return replace(found, tree="", problem=why)
    file = folder / f"{tree}.bundle"
    if file.exists():
        return found
    above = ("-p", base) if base else ()
    message = "snapshot of a run's code"
    commit = _git(top, own | _WHO, "commit-tree", tree, *above, "-m", message).strip()
    bare = scratch / "bare"  # a bundle is made of a reference, which the user's repository lacks
    _git(top, {}, "init", "-q", "--bare", str(bare))
    (bare / "objects/info/alternates").write_text(
        f"{own['GIT_OBJECT_DIRECTORY']}\n{own['GIT_ALTERNATE_OBJECT_DIRECTORIES']}\n"
    )
    _git(bare, {}, "update-ref", "refs/heads/main", commit)
    _git(bare, {}, "symbolic-ref", "HEAD", "refs/heads/main")
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder.resolve() / f".{os.getpid()}.bundle"
    without = (f"^{base}",) if base else ()
    # to look for the smallest differences between files takes longer than all the rest
    create = ("-c", "pack.window=0", "bundle", "create", "-q", str(partial))
    _git(bare, {}, *create, "HEAD", "refs/heads/main", *without)
    if partial.stat().st_size > LARGEST:
        partial.unlink()
        why = f"{too_large}, and as much that no remote has"
        return replace(found, tree="", problem=why)
    partial.replace(file)  # several jobs of a sweep may write the same at once
    return found


def _base(top: Path) -> str:
    """The nearest commit that a remote has; '' if there is none."""
    remotes = _git(top, {}, "for-each-ref", "--format=%(objectname)", "refs/remotes").split()
    if not remotes:
        return ""
    return _git(top, {}, "merge-base", "HEAD", *remotes, ok=(0, 1)).strip().partition("\n")[0]


def bases(bundle: Path) -> list[str]:
    """The commits that a bundle needs: none, but of a repository that is too large to be whole."""
    with bundle.open("rb") as file:
        header = takewhile(lambda line: line != b"\n", file)
        return [line[1:41].decode("ascii", "replace") for line in header if line[:1] == b"-"]


def _redact(top: Path, own: dict[str, str]) -> list[str]:
    """Mask passwords and tokens in the index's files; the names of these."""
    search = ("grep", "-lzIiE", "--cached", "-e")
    found = {*_names(_git(top, own, *search, _SIGNS, ok=(0, 1)))}
    settings = ("--", *(f"*{ending}" for ending in _SETTINGS))
    found |= {*_names(_git(top, own, *search, _SIGNS_IN_SETTINGS, *settings, ok=(0, 1)))}
    entries = {}
    for line in _names(_git(top, own, "ls-files", "-sz")) if found else ():
        about, _, name = line.partition("\t")
        if name in found:
            mode, blob, _ = about.split()
            entries[name] = mode, blob
    masked = {}
    blobs = "".join(f"{blob}\n" for _, blob in entries.values()).encode()
    said = BytesIO(_call(top, own, "cat-file", "--batch", given=blobs) if blobs else b"")
    for name in entries:
        content = said.read(int(said.readline().split()[2]))
        said.readline()
        if (changed := mask(name, content)) != content:
            masked[name] = changed
    with TemporaryDirectory() as scratch:
        files = [Path(scratch, str(at)) for at in range(len(masked))]
        for file, content in zip(files, masked.values(), strict=True):
            file.write_bytes(content)
        given = "".join(f"{file}\n" for file in files).encode()
        hashed = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        new = _call(top, own, *hashed, given=given).decode().split() if files else []
    lines = {f"{entries[n][0]} {blob}\t{n}" for n, blob in zip(masked, new, strict=True)}
    if lines:
        _put(top, own, "update-index", "-z", "--index-info", lines=lines)
    return [*masked]


def mask(name: str, content: bytes) -> bytes:
    """A file's content, with *** in place of each password and token."""
    for pattern in (*_ANYWHERE, *((_IN_SETTINGS,) if name.endswith(_SETTINGS) else ())):
        content = pattern.sub(rb"\1***", content)
    return content


def _git(folder: Path, env: dict[str, str], *args: str, ok: Sequence[int] = (0,)) -> str:
    return _call(folder, env, *args, ok=ok).decode(errors="surrogateescape")


def _put(folder: Path, env: dict[str, str], *args: str, lines: set[str]) -> None:
    """Call git with lines on its standard input, each ended by a NUL."""
    given = "".join(f"{name}\0" for name in sorted(lines))
    _call(folder, env, *args, given=given.encode(errors="surrogateescape"))


def _call(
    folder: Path,
    env: dict[str, str],
    *args: str,
    given: bytes = b"",
    ok: Sequence[int] = (0,),
) -> bytes:
    done = subprocess.run(
        ["git", "-C", str(folder), *args],
        input=given,
        capture_output=True,
        env={**_environment(), **env},
    )
    if done.returncode not in ok:
        said = done.stderr.decode(errors="replace")
        raise subprocess.CalledProcessError(done.returncode, args, stderr=said)
    return done.stdout


def _environment() -> dict[str, str]:
    """The environment, without what a git hook, which a run may be started from, sets there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _names(output: str) -> list[str]:
    return [name for name in output.split("\0") if name]


def _has_secret_name(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return _SECRET.fullmatch(name) is not None


def _size(file: Path) -> int:
    """Bytes of a file; 0 of one that is gone."""
    try:
        return file.lstat().st_size
    except OSError:
        return 0
