"""YAML files as nodes that know their lines."""

from pathlib import Path

import yaml

from reprise.errors import UserError
from reprise.project import relative

Entry = tuple[yaml.ScalarNode, yaml.Node]


def read_entries(path: Path) -> list[Entry]:
    """Read a YAML file's outermost keys and values.

    Raises:
        UserError: the file is no YAML, or something else than keys with values.
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
    """Say of a file that is no YAML, or has a key twice, in which line."""
    mark = error.problem_mark or error.context_mark
    place = f"{relative(Path(mark.name))}, line {mark.line + 1}" if mark else "a file of conf/"
    return UserError(
        f"{place}: cannot be read",
        "YAML: every key once, `key: value`, indented with spaces",
        str(error.problem),
        "mend that line, or the one before it",
    )
