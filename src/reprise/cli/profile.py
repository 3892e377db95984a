"""Measure where the time of training goes: `reprise profile experiment=NAME [key=value …]`.

On the experiment's own data and model, which trains for some dozen steps; nothing is recorded.
"""

from reprise.cli.main import with_experiment
from reprise.runs.experiment import compose_and_check
from reprise.runs.profile import profile


def main(argv: list[str]) -> None:
    """Print what each stage costs, alone and together, and what limits training."""
    profile(compose_and_check(with_experiment("profile", argv)))
