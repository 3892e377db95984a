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
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(
            f"{relative(path)}, line {line}: cannot be read",
            "YAML: `key: value`, indented with spaces",
            str(error.problem),
            f"mend line {line}, or the one before it",
        ) from None
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
