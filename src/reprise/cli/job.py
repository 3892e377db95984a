"""Train one job of a sweep: `reprise job FILE key=value …`, as the sweep or anyone types it.

The run that the file names is trained, or resumed: the same line is right for every attempt.
"""

from pathlib import Path

from reprise.sweeps.job import run_job


def main(argv: list[str]) -> None:
    """Train what is left of the job's run."""
    file, *words = argv
    run_job(Path(file), words)
