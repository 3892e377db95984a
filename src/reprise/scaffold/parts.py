"""Parts of one's own, begun from a template or a file of the engine, and what changed there."""

import difflib
import importlib.metadata
import re
from pathlib import Path

import yaml

from reprise.config.files import Conf
from reprise.config.mistakes import listing
from reprise.config.parameters import find_target
from reprise.errors import UserError
from reprise.files import write_text
from reprise.project import ENGINE_CONF, PACKAGE, ROOT, relative

TEMPLATES = Path(__file__).parent / "part_files"
EJECTED = "vendor/ejected"  # the engine's files as they were when they were copied
_RECORD = (
    "# Copied from {file} of reprise {version}; make updates shows what changed there since.\n"
)


def new_part(group: str, name: str, source: str) -> list[str]:
    """Write a class or function, its YAML and its test into the project.

    Args:
        group: 'dataset', 'model' or 'objective'.
        name: Of the option, and of the module.
        source: The engine's option to copy; '' for a template.

    Returns:
        The files, as one would type them.

    Raises:
        UserError: the name is none or is taken, or the engine has no such option.
    """
    taken = Conf(ROOT / "conf").options(group)
    if not name.isidentifier() or name in taken:
        expected = f"letters, digits and underscores; none of {listing(taken)}"
        raise UserError(f"name={name} cannot be used", expected, name, "choose another name")
    package = own_package()
    title = "".join(word.capitalize() for word in name.split("_"))
    texts = {
        kind: (TEMPLATES / f"{group}.{kind}.txt").read_text("utf-8")
        for kind in ("py", "yaml", "test")
    }
    if source:
        copied = _of_engine(group, source)
        node = (ENGINE_CONF / group / f"{source}.yaml").read_text("utf-8")
        target = _target(group, source)
        called = target.rpartition(".")[2]
        record = _RECORD.format(file=copied.relative_to(PACKAGE), version=version())
        text = copied.read_text("utf-8")
        if called != "build":
            text = re.sub(rf"\b{called}\b", title, text)
            called = title
        texts["py"] = record + text
        own = f"_target_: {package}.{name}.{called}"
        texts["yaml"] = node.replace(f"_target_: {target}", own, 1)
    words = {
        "__NAME__": name,
        "__CLASS__": title,
        "__PACKAGE__": package,
        "__DOC__": f"The {group} {name}.",
        "__LIKE__": f', like="{source}"' if source else "",
    }
    files = {
        "py": ROOT / "src" / package / f"{name}.py",
        "yaml": ROOT / "conf" / group / f"{name}.yaml",
        "test": ROOT / "tests" / f"test_{name}.py",
    }
    if there := [file for file in files.values() if file.exists()]:
        what = f"{relative(there[0])} is there"
        raise UserError(what, "no such file", "one that would be lost", "choose another name")
    for kind, file in files.items():
        for word, meant in words.items():
            texts[kind] = texts[kind].replace(word, meant)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(texts[kind], "utf-8")
    if source:
        kept = ROOT / EJECTED / f"{package}.{name}.py"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(copied.read_text("utf-8"), "utf-8")
    return [relative(file) for file in files.values()]


def updates() -> list[str]:
    """What changed in the engine's files since they were copied: lines of a diff for each."""
    lines: list[str] = []
    for kept in sorted((ROOT / EJECTED).glob("*.py")):
        own = ROOT / "src" / Path(*kept.stem.split(".")).with_suffix(".py")
        first = own.read_text("utf-8").partition("\n")[0] if own.exists() else ""
        found = re.fullmatch(r"# Copied from (\S+) of reprise (\S+); .*", first)
        if not found:
            lines.append(f"{relative(own)}: no longer says what it was copied from")
            continue
        file, since = found.groups()
        now = PACKAGE / file
        before = kept.read_text("utf-8").splitlines()
        after = now.read_text("utf-8").splitlines() if now.exists() else []
        names = f"{file} ({since})", f"{file} ({version()})"
        changed = list(difflib.unified_diff(before, after, *names, lineterm=""))
        what = "changed" if changed else "nothing changed"
        lines += [f"{relative(own)}: {what} in {file}", *changed]
    return lines


def own_package() -> str:
    """Name of the project's own package: the one in src/; where there is none, `mine` is made.

    Raises:
        UserError: there are several.
    """
    found = [file.parent.name for file in sorted((ROOT / "src").glob("*/__init__.py"))]
    own = [name for name in found if ROOT / "src" / name != PACKAGE]
    if len(own) > 1:
        what, expected = "which package is the project's own?", "one with an __init__.py in src/"
        raise UserError(what, expected, ", ".join(own), "make one of them a folder of the other")
    if not own:
        write_text(ROOT / "src/mine/__init__.py", "")
    return own[0] if own else "mine"


def version() -> str:
    """Version of the engine that runs."""
    return importlib.metadata.version("reprise")


def _of_engine(group: str, source: str) -> Path:
    """The engine's module of an option.

    Raises:
        UserError: there is none.
    """
    options = sorted(file.stem for file in (ENGINE_CONF / group).glob("*.yaml"))
    if source not in options or source == "stream":
        own = [one for one in options if one != "stream"]
        raise UserError(f"from={source} is no {group} to copy", listing(own), source, "choose one")
    module = find_target(_target(group, source)).__module__
    return PACKAGE.parent / Path(*module.split(".")).with_suffix(".py")


def _target(group: str, option: str) -> str:
    return str(
        yaml.safe_load((ENGINE_CONF / group / f"{option}.yaml").read_text("utf-8"))["_target_"]
    )
