"""Configuration files: those of the project and, behind them, those of the engine."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from reprise.config.mistakes import Mistake, listing, nearest_name, suggest
from reprise.errors import UserError
from reprise.project import ENGINE_CONF, ROOT, no_project, relative

CONF = ROOT / "conf"
GLOBAL = {"experiment", "debug"}  # groups whose files set keys of other groups
HEADER = "# @package _global_"
PRIMARY = "config"  # the file that names the groups


@dataclass(frozen=True)
class Choice:
    """An option chosen for a group, on the command line or in a defaults list; None: no option."""

    group: str
    option: str | None
    place: str


class Conf:
    """Folders of configuration files.

    Args:
        project: The project's conf/. Its files take precedence over the engine's of the same name.

    Attributes:
        root: The project's folder, where relative paths in configs start.
        folders: The project's conf/ and the engine's, or one folder if they are the same.
        groups: Groups that config.yaml names, with their default options.

    Raises:
        UserError: the folder does not exist.
    """

    def __init__(self, project: Path) -> None:
        if not project.is_dir():
            raise no_project(project.parent)
        project = project.absolute()
        self.root = project.parent
        is_engine = project.samefile(ENGINE_CONF)
        self.folders = [project] if is_engine else [project, ENGINE_CONF]
        self.groups = {one.group: one.option for one in self.choices_in(PRIMARY) if one.group}

    def find(self, name: str) -> Path | None:
        """Return the file of a `group/option`, or of the primary config."""
        files = (folder / f"{name}.yaml" for folder in self.folders)
        return next((file for file in files if file.is_file()), None)

    def is_group(self, name: str) -> bool:
        """Return whether there is a folder of this name."""
        return any((folder / name).is_dir() for folder in self.folders)

    def options(self, group: str, *, own: bool = False) -> list[str]:
        """Return the names that can be chosen for `group`, sorted; `own`: the project's files."""
        places = [folder / group for folder in (self.folders[:1] if own else self.folders)]
        found = [(place, file) for place in places for file in place.rglob("*.yaml")]
        files = [(place, file) for place, file in found if file.is_file()]
        return sorted({str(file.relative_to(place).with_suffix("")) for place, file in files})

    def shown(self, file: Path) -> str:
        """Return a file's name for messages, relative to the project's folder if it is inside."""
        return str(file.relative_to(self.root) if file.is_relative_to(self.root) else file)

    def description(self, name: str) -> str:
        """Return the first comment of a `group/option`, a line that says what it is."""
        file = self.find(name)
        lines = file.read_text(errors="replace").splitlines() if file else []
        comments = (line.lstrip("# ") for line in lines if line.startswith("#"))
        return next((one for one in comments if one and not one.startswith("@package")), "")

    def choices_in(self, name: str) -> Iterator[Choice]:
        """Iterate over the choices in the defaults list of a file."""
        file = self.find(name)
        if file is None:
            return
        group = name.rpartition("/")[0]
        nodes = {key.value: node for key, node in read_entries(file)}
        defaults = nodes.get("defaults")
        if defaults is not None and not isinstance(defaults, yaml.SequenceNode):
            raise UserError(
                f"{self.shown(file)}, line {defaults.start_mark.line + 1}: defaults is no list",
                "lines of `- group: option` or `- override /group: option`",
                "one value" if isinstance(defaults, yaml.ScalarNode) else "keys without a dash",
                "begin each of its lines with a dash",
            )
        for entry in defaults.value if defaults else []:
            place = f"{self.shown(file)}, line {entry.start_mark.line + 1}"
            if isinstance(entry, yaml.ScalarNode) and entry.value != "_self_":
                yield Choice(group, entry.value, place)
            for key, node in entry.value if isinstance(entry, yaml.MappingNode) else []:
                inner = _group(key.value, group)
                for option in node.value if isinstance(node, yaml.SequenceNode) else [node]:
                    value = None if option.tag.endswith(":null") else option.value
                    if not inner.startswith("hydra/"):
                        yield Choice(inner, value, place)

    def no_option(self, choice: Choice) -> Mistake:
        """Return the mistake of a choice whose group or option does not exist."""
        if options := self.options(choice.group):
            otherwise = f"see the files in conf/{choice.group}/"
            for folder in self.folders:
                for file in (folder / choice.group).glob(f"{choice.option or '?'}.[yY]*"):
                    if file.suffix != ".yaml":
                        otherwise = f"rename {self.shown(file)}: its name has to end in .yaml"
            return Mistake(
                f"{choice.group}: there is no '{choice.option}'",
                choice.place,
                f"one of: {listing(options)}",
                str(choice.option),
                suggest(nearest_name(str(choice.option), options), otherwise),
            )
        inside = (path for folder in self.folders for path in folder.iterdir())
        groups = sorted({path.name for path in inside if path.is_dir()})
        inner = choice.group.rpartition("/")[2]
        likely = f"/{inner}" if inner in groups else nearest_name(choice.group, groups)
        return Mistake(
            f"there is no group '{choice.group}'",
            choice.place,
            f"one of: {listing(groups)}",
            choice.group,
            suggest(likely, "a group is a folder of conf/"),
        )

    def not_global(self, choice: Choice) -> Mistake | None:
        """Return the mistake of an experiment whose keys would not be those of the groups."""
        file = self.find(f"{choice.group}/{choice.option}")
        if file is None or choice.group not in GLOBAL:
            return None
        read_entries(file)  # which says if it is no text
        first = next(iter(file.read_text(encoding="utf-8").strip().splitlines()), "")
        if re.match(r"#\s*@package\s+_global_$", first):
            return None
        return Mistake(
            f"{self.shown(file)}: its keys belong to no group",
            choice.place,
            f"the first line {HEADER}",
            first or "an empty file",
            f"put {HEADER} at the top of the file",
        )


def options_of(group: str, conf: Path = CONF) -> list[str]:
    """Return the names that can be chosen for `group` in a project, sorted."""
    return Conf(conf).options(group)


def _group(name: str, parent: str) -> str:
    """Return the group in the key of an entry: 'model' for `override /model@net`."""
    group = name.split(" ")[-1].partition("@")[0]
    return group.lstrip("/") if group.startswith("/") or not parent else f"{parent}/{group}"


def read_entries(path: Path) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """Read the outermost keys and values of a YAML file, as nodes with line numbers.

    Raises:
        UserError: the file is no YAML, or has no keys, or a number that YAML does not read as a
            person does.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader) if text else None
    except yaml.MarkedYAMLError as error:
        raise unreadable(error, path) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).partition("\n")[0]
        raise _no_file(path, "YAML in UTF-8", reason, "save it as a text in UTF-8") from None
    if text.startswith("\ufeff"):
        wanted, remedy = "a file without a byte order mark", "save it as UTF-8 without BOM"
        raise _no_file(path, wanted, "a byte order mark in front of its first line", remedy)
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise UserError(
            f"{relative(path)}: holds no keys",
            "lines of `key: value`",
            "one value or a list",
            "write keys",
        )
    for scalar in _numbers(node, set()):
        if re.fullmatch(r"[+-]?(0[\d_]*[1-9][\d_]*|\d+(:[0-5]?\d)+)", scalar.value):
            place = f"{relative(path)}, line {scalar.start_mark.line + 1}"
            raise UserError(
                f"{place}: {scalar.value} would not be read as it stands",
                "a number in decimal digits, without a zero in front",
                f"{scalar.value}, in YAML a number of base {60 if ':' in scalar.value else 8}",
                "write the number, or put quotes around a text",
            )
    return node.value


def _numbers(node: yaml.Node, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    """Iterate over the whole numbers in a YAML node."""
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int") and not node.style:
        yield node
    if isinstance(node, yaml.CollectionNode) and id(node) not in seen:
        seen.add(id(node))
        for item in node.value:
            for inner in item if isinstance(item, tuple) else (item,):
                yield from _numbers(inner, seen)


def _no_file(path: Path, expected: str, received: str, remedy: str) -> UserError:
    return UserError(f"{relative(path)}: cannot be read", expected, received, remedy)


def unreadable(error: yaml.MarkedYAMLError, path: Path | None = None) -> UserError:
    """Return the error for a file that is no YAML, or that has a key twice."""
    mark = error.problem_mark or error.context_mark
    name = relative(path or Path(mark.name)) if mark else ""
    place = f"{name}, line {mark.line + 1}" if mark else "a file of conf/"
    return UserError(
        f"{place}: cannot be read",
        "YAML: every key once, `key: value`, indented with spaces",
        str(error.problem),
        "mend that line, or the one before it",
    )
