"""See what training will see, without training: `reprise preview experiment=NAME`."""

from reprise.cli.main import with_experiment
from reprise.project import ROOT, relative
from reprise.runs.experiment import compose_and_check, open_data

NUM_PICTURES = 16


def main(argv: list[str]) -> None:
    """Write a grid of augmented training samples and of plain validation samples as PNG files."""
    composed = compose_and_check(with_experiment("preview", argv))
    data = open_data(composed.values)
    from reprise.datasets.drawing import save_grid

    for split in ("train", "valid"):
        x, y = data.first(split, NUM_PICTURES)
        path = ROOT / "runs" / "preview" / f"{composed.experiment}_{split}.png"
        print(relative(save_grid(path, data.dataset.draw, x, y)))
