"""Score a run's best model again: `reprise evaluate run=ID [split=test runs=FOLDER]`."""

from reprise.cli.main import options
from reprise.project import ROOT
from reprise.runs.bring import find_or_bring
from reprise.runs.score import evaluate


def main(argv: list[str]) -> None:
    """Print the metrics of a run's best model on one split, a line `split/metric value` each."""
    asked = options(argv, run=None, split="test", runs="runs")
    saved = find_or_bring(asked["run"], ROOT / asked["runs"])
    for name, value in evaluate(saved, asked["split"]).items():
        print(f"{name} {value!r}")
