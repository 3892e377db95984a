"""List the registered models: `reprise models [uri=ADDRESS]`."""

from reprise.cli.main import options
from reprise.project import typed
from reprise.runs.promote import models
from reprise.runs.score import markdown_table


def main(argv: list[str]) -> None:
    """Print a row for each version: name, version, aliases, run, metric."""
    rows = models(options(argv, uri="")["uri"])
    if not rows:
        print(f"no model is registered: {typed('promote')} run=ID name=NAME")
        return
    print(markdown_table([("model", "version", "alias", "run", "metric"), *rows]))
