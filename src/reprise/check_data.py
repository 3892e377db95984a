"""Read every sample in full: `python -m reprise.check_data experiment=NAME [key=value …]`."""

import numpy as np

from reprise import command
from reprise.experiment import compose_and_check, open_data, refuse_problems


def main(argv: list[str]) -> None:
    """Check all splits; says how many samples are sound, or lists the problems and exits with 2."""
    data = open_data(compose_and_check(argv).values, checked=False)
    indices = np.concatenate(list(data.splits.values()))
    refuse_problems(data.dataset.check(indices, thorough=True))
    counts = ", ".join(f"{len(members)} {split}" for split, members in data.splits.items())
    print(f"{len(indices)} samples read, all sound: {counts}")


if __name__ == "__main__":
    command.run(main)
