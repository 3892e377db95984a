"""Train one experiment: `reprise train experiment=NAME [key=value …]`."""

from reprise.cli.main import with_experiment
from reprise.runs.experiment import compose_and_check, open_data
from reprise.runs.train import train

MULTIRUN = {"-m", "--multirun"}  # as Hydra spells it


def main(argv: list[str]) -> None:
    """Train a run; with `-m` or `sweep=…` train one for each value of the swept keys."""
    if any(word in MULTIRUN or word.startswith("sweep=") for word in argv):
        from reprise.cli import sweep

        sweep.main([word for word in argv if word not in MULTIRUN])
        return
    composed = compose_and_check(with_experiment("train", argv))
    train(composed, open_data(composed.values))
