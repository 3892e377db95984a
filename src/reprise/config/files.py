"""Configuration files: those of the project and, behind them, those of the engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from reprise.config.mistakes import Mistake, listing, nearest_name, suggest
from reprise.errors import UserError
from reprise.project import ENGINE_CONF, ROOT, no_project, relative

CONF = ROOT / "conf"
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

    def options(self, group: str) -> list[str]:
        """Return the names that can be chosen for `group`, sorted."""
        places = [folder / group for folder in self.folders]
        files = [(place, file) for place in places for file in place.rglob("*.yaml")]
        return sorted({str(file.relative_to(place).with_suffix("")) for place, file in files})

    def shown(self, file: Path) -> str:
        """Return a file's name for messages, relative to the project's folder if it is inside."""
        return str(file.relative_to(self.root) if file.is_relative_to(self.root) else file)

    def choices_in(self, name: str) -> Iterator[Choice]:
        """Iterate over the choices in the defaults list of a file."""
        file = self.find(name)
        if file is None:
            return
        group = name.rpartition("/")[0]
        nodes = {key.value: node for key, node in read_entries(file)}
        for entry in nodes["defaults"].value if "defaults" in nodes else []:
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
            return Mistake(
                f"{choice.group}: there is no '{choice.option}'",
                choice.place,
                f"one of: {listing(options)}",
                str(choice.option),
                suggest(nearest_name(str(choice.option), options), otherwise),
            )
        inside = (path for folder in self.folders for path in folder.iterdir())
        groups = sorted({path.name for path in inside if path.is_dir()})
        return Mistake(
            f"there is no group '{choice.group}'",
            choice.place,
            f"one of: {listing(groups)}",
            choice.group,
            suggest(nearest_name(choice.group, groups), "a group is a folder of conf/"),
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
        UserError: the file is no YAML, or has no keys.
    """
    try:
        with path.open(encoding="utf-8") as file:
            node = yaml.compose(file, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise unreadable(error) from None
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise UserError(
            f"{relative(path)}: holds no keys",
            "lines of `key: value`",
            "one value or a list",
            "write keys",
        )
    return node.value


def unreadable(error: yaml.MarkedYAMLError) -> UserError:
    """Return the error for a file that is no YAML, or that has a key twice."""
    mark = error.problem_mark or error.context_mark
    place = f"{relative(Path(mark.name))}, line {mark.line + 1}" if mark else "a file of conf/"
    return UserError(
        f"{place}: cannot be read",
        "YAML: every key once, `key: value`, indented with spaces",
        str(error.problem),
        "mend that line, or the one before it",
    )
