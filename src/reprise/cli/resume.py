"""Continue a run that was stopped or killed: `reprise resume run=ID|last [key=value …]`.

The run continues from its training state, in the same folder and the same MLflow run.
`force=true` continues although its configuration or its data has changed; `runs=FOLDER` looks
elsewhere than in runs/. `sweep=ID|last` continues a sweep.
"""

import sys

from reprise.cli.main import split_options
from reprise.cli.sweep import SOME_FAILED
from reprise.project import ROOT
from reprise.runs.resume import resume
from reprise.sweeps.job import pruning_callbacks
from reprise.sweeps.sweep import resume as resume_sweep


def main(argv: list[str]) -> None:
    """Train the rest of a run, or of a sweep."""
    if any(word.startswith("sweep=") for word in argv):
        if not resume_sweep(argv):
            sys.exit(SOME_FAILED)
        return
    asked, changes = split_options(argv, run=None, force="false", runs="runs")
    resume(
        asked["run"],
        ROOT / asked["runs"],
        changes,
        force=asked["force"] == "true",
        callbacks=pruning_callbacks,
    )
