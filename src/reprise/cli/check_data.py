"""Read every sample and list what is wrong: `reprise check-data experiment=NAME [key=value …]`.

Words of its own: `strict=true` makes warnings errors, `quarantine=true` writes the list of samples
to leave out, and `rare=5` is the number of samples below which a class is rare.
"""

from reprise.cli.main import split_options, with_experiment
from reprise.runs.check import check_data
from reprise.runs.experiment import compose_and_check


def main(argv: list[str]) -> None:
    """Check all splits; errors end with exit code 2."""
    own, words = split_options(argv, strict="false", quarantine="false", rare="5")
    check_data(compose_and_check(with_experiment("check-data", words)), **own)
