"""Send MLflow the records it has missed: `reprise sync [uri=ADDRESS runs=FOLDER]`.

Each run goes to the tracking store it was recorded for, or all of them to the one at `uri`. A run
whose process was killed before it could record its end is marked KILLED.
"""

from reprise.cli.main import options
from reprise.project import ROOT
from reprise.runs.sync import sync


def main(argv: list[str]) -> None:
    """Deliver outstanding records, the oldest run first."""
    asked = options(argv, uri="", runs="runs")
    sync(ROOT / asked["runs"], asked["uri"])
