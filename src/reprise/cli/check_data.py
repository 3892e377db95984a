"""Read every sample in full: `reprise check-data experiment=NAME [key=value …]`."""

from reprise.runs.experiment import compose_and_check, open_data, refuse_problems


def main(argv: list[str]) -> None:
    """Check all splits; says how many samples are sound, or lists the problems and exits with 2."""
    data = open_data(compose_and_check(argv).values, checked=False)
    refuse_problems(data.problems(thorough=True))
    sizes = {split: size or 0 for split, size in data.sizes().items()}
    counts = ", ".join(f"{size} {split}" for split, size in sizes.items())
    print(f"{sum(sizes.values())} samples read, all sound: {counts}")
