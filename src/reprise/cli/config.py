"""Check a configuration and print it: `python -m reprise.config experiment=NAME [key=value …]`."""

import sys
from typing import Any

import yaml

from reprise.cli.main import with_experiment
from reprise.config.check import check
from reprise.config.compose import Composed
from reprise.config.secrets import redact
from reprise.runs.sample_data import is_providable

WIDTH = 100
_DIM, _PLAIN = "\033[2m", "\033[0m"


class _Dumper(yaml.SafeDumper):
    """Short lists on one line: an image size is read as one thing."""

    def represent_list(self, items: list[Any]) -> yaml.Node:
        nested = any(isinstance(item, dict | list) for item in items)
        return self.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=not nested)


_Dumper.add_representer(list, _Dumper.represent_list)


def as_text(composed: Composed) -> str:
    """Write a composition as YAML, its choices on top, without any password."""
    chosen = " ".join(f"{group}={option}" for group, option in composed.choices.items())
    values = redact(composed.values)
    body = yaml.dump(values, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
    return f"# {chosen}\n{body}"


def main(argv: list[str]) -> None:
    """Print the composition.

    Raises:
        UserError: there are mistakes; the message lists every one of them.
    """
    composed = check(with_experiment("config", argv), providable=is_providable)
    for line in as_text(composed).splitlines():
        is_wiring = sys.stdout.isatty() and line.lstrip().startswith("_target_")
        print(f"{_DIM}{line}{_PLAIN}" if is_wiring else line)
