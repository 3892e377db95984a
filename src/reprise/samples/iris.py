"""Write the iris flowers (Fisher 1936), which scikit-learn carries, as a table with a header."""

import argparse
import shutil
from pathlib import Path

from sklearn.datasets import load_iris

COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width", "species")


def write_set(out: Path) -> None:
    """Write `out`/iris.csv, 150 flowers in centimetres and their species, complete or not at all.

    Args:
        out: Folder to make.
    """
    flowers = load_iris()
    lines = [",".join(COLUMNS)]
    for numbers, species in zip(flowers.data.tolist(), flowers.target.tolist(), strict=True):
        cells = [f"{value:.1f}" for value in numbers]
        lines.append(",".join([*cells, str(flowers.target_names[species])]))
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / "iris.csv").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")
    partial.rename(out)


def main() -> None:
    """Read the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} exists already: remove it, or choose another folder")
    write_set(options.out)


if __name__ == "__main__":
    main()
