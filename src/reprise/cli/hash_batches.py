"""Hash what training will see: `reprise hash-batches experiment=NAME [key=value …]`."""

import hashlib
import sys

from reprise.cli.main import with_experiment
from reprise.runs.experiment import Data, compose_and_check, open_data

TRAIN_STEPS = 50


def main(argv: list[str]) -> None:
    """Print one line, `train SHA256 valid SHA256`: equal lines mean equal batches, byte for byte.

    The hash is over the first 50 training batches and all validation batches. Who made them goes
    to stderr.
    """
    data = open_data(compose_and_check(with_experiment("hash-batches", argv)).values)
    train = hash_split(data, "train", TRAIN_STEPS)
    valid = hash_split(data, "valid", None)
    print(f"train {train} valid {valid}")


def hash_split(data: Data, split: str, steps: int | None) -> str:
    """SHA-256 of the first batches of a split; None means one whole pass."""
    digest = hashlib.sha256()
    with data.loader(split) as loader:
        for x, y in loader.batches(stop=steps or loader.steps_per_pass):
            for array in (x, y):
                digest.update(f"{array.shape} {array.dtype}".encode())
                digest.update(array.tobytes())
        made_by = ", ".join(sorted(loader.producers))
    print(f"{split} batches made by {made_by}", file=sys.stderr)
    return digest.hexdigest()
