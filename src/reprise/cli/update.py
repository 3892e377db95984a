"""Train a run's model further on new data: `reprise update run=ID dataset.KEY=VALUE …`.

`old=FRACTION` mixes in that fraction of the data the model was trained on; `runs=FOLDER` looks
elsewhere than in runs/. All other words change the run's configuration.
"""

from reprise.cli.main import split_options
from reprise.project import ROOT
from reprise.runs.update import update


def main(argv: list[str]) -> None:
    """Train a child run that starts from the best model of `run=ID`."""
    asked, changes = split_options(argv, run=None, old="0", runs="runs")
    update(asked["run"], ROOT / asked["runs"], changes, asked["old"])
