"""Compare runs side by side: `reprise compare [experiment=NAME | sweep=ID | runs=ID,ID]`.

Prints what differs between the runs and their metrics, and draws their curves in one picture.
`sort=METRIC|newest` orders them, `top=N` limits how many are shown, `folder=FOLDER` looks elsewhere
than in runs/. The runs' folders are read; no tracking server is asked.
"""

from reprise.cli.main import options
from reprise.runs.compare import compare


def main(argv: list[str]) -> None:
    """Print the table; write it as CSV, and the curves as PNG, to runs/compare/."""
    compare(options(argv, experiment="", sweep="", runs="", sort="", top="20", folder="runs"))
