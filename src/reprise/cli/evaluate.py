"""Score a run's best model again: `reprise evaluate run=ID|model=NAME@alias [split=test]`.

`runs=FOLDER`, `uri=ADDRESS` as for predict.
"""

from reprise.cli.main import options
from reprise.project import ROOT
from reprise.runs.registered import find_asked
from reprise.runs.score import evaluate


def main(argv: list[str]) -> None:
    """Print the metrics of a run's best model on one split, a line `split/metric value` each."""
    asked = options(argv, run="", model="", split="test", runs="runs", uri="")
    saved = find_asked(asked["run"], asked["model"], ROOT / asked["runs"], asked["uri"])
    for name, value in evaluate(saved, asked["split"]).items():
        print(f"{name} {value!r}")
