"""Begin a loss of one's own: `reprise new-objective name=NAME [from=OPTION_OF_THE_ENGINE]`."""

from reprise.cli.main import options
from reprise.scaffold.parts import new_part


def main(argv: list[str]) -> None:
    """Print the files that were written."""
    asked = options(argv, **{"name": None, "from": ""})
    print(*new_part("objective", asked["name"], asked["from"]), sep="\n")
    print(f"next:  choose it, objective={asked['name']}, and try it: make test")
