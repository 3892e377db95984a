"""Train an experiment for several values of some keys: `reprise sweep experiment=NAME a=1,2 …`.

The same command continues a sweep that was stopped or killed, and joins one that another process
runs; `reprise resume sweep=ID` continues it by its id.
"""

import sys

from reprise.cli.main import with_experiment
from reprise.sweeps.sweep import sweep

SOME_FAILED = 3  # exit code


def main(argv: list[str]) -> None:
    """Start a sweep, or continue the one that the same command started."""
    if not sweep(with_experiment("sweep", argv)):
        sys.exit(SOME_FAILED)
