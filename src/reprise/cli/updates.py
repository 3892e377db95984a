"""Show what changed in the engine's files since they were copied: `reprise updates`."""

from reprise.cli.main import options
from reprise.scaffold.parts import updates


def main(argv: list[str]) -> None:
    """Print a diff for each file that was copied by from=."""
    options(argv)
    print("\n".join(updates()) or "nothing was copied: new-model name=NAME from=OPTION does")
