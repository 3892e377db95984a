"""Bring MLflow what it lacks of any run: `reprise sync [uri=ADDRESS runs=FOLDER]`.

Each run is compared with what the tracking store has that it was recorded for, or with the one at
`uri`. A run whose process was killed before it could record its end is marked KILLED.
"""

from reprise.cli.main import options
from reprise.project import ROOT
from reprise.runs.sync import sync


def main(argv: list[str]) -> None:
    """Deliver what is missing, the oldest run first."""
    asked = options(argv, uri="", runs="runs")
    sync(ROOT / asked["runs"], asked["uri"])
