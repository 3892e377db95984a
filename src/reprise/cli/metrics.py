"""Print the names of what an experiment measures: `reprise metrics experiment=NAME`."""

from reprise.config.build import build
from reprise.runs.experiment import compose_and_check, open_data
from reprise.training.quiet import import_keras


def main(argv: list[str]) -> None:
    """Build the objective, which takes TensorFlow, and print the names under which it is scored."""
    composed = compose_and_check(argv)
    data = open_data(composed.values)
    data.learn()
    import_keras()
    _, metrics = build(composed.values["objective"], data.dataset.target_spec)
    for name in ("loss", *(metric.name for metric in metrics)):
        print(f"valid/{name}")
