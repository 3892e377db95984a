"""Make a deterministic set of tilted handwritten digits, three times over the same pictures.

DIGITS/digits.npz has them as arrays, DIGITS/folders as PNG files in a folder per class, and
DIGITS/table.csv lists those files with labels, tags and the tilt. Only integers are computed with,
so that the same bytes come out on every machine.
"""

import argparse
import csv
import io
import math
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits

SIDE = 28  # pixels of a picture
DRAWN = 22  # pixels of it that the 8 of a digit are drawn over
MOST_TILT, NOISE = 30, 60  # degrees to either side; largest brightness added to a pixel
TAGS = {"even": {0, 2, 4, 6, 8}, "loop": {0, 6, 8, 9}, "prime": {2, 3, 5, 7}}
# What a PNG is packed with is fixed, and of the kind that every release of zlib packs alike.
PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 6),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)


def tilted(digit: np.ndarray, degrees: int) -> np.ndarray:
    """Enlarge and turn a digit, between its pixels by their bilinear mean.

    Args:
        digit: Ink, shape (8, 8), integers 0 to 16.
        degrees: Angle, counter-clockwise.

    Returns:
        Ink, shape (28, 28), int64, 0 to 255.
    """
    cosine, sine = (round(4096 * f(math.radians(degrees))) for f in (math.cos, math.sin))
    offset = 2 * np.arange(SIDE) + 1 - SIDE  # twice the distance from the middle
    down, right = offset[:, None], offset[None, :]
    unit = 4096 * DRAWN  # 256ths of a digit's pixel, from its padded corner: 1 + 3.5 pixels
    row = (cosine * down + sine * right) * 8 * 128 // unit + 9 * 128
    column = (cosine * right - sine * down) * 8 * 128 // unit + 9 * 128
    row, column = (np.clip(place, 0, 9 * 256 - 1) for place in (row, column))
    padded = np.pad(digit.astype(np.int64), 1)
    ink = np.zeros((SIDE, SIDE), np.int64)
    for below in (0, 1):
        for beside in (0, 1):
            part_down = (row & 255) if below else 256 - (row & 255)
            part_right = (column & 255) if beside else 256 - (column & 255)
            ink += padded[(row >> 8) + below, (column >> 8) + beside] * part_down * part_right
    return ink * 255 // (16 * 65536)


def draw(digit: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Draw one digit, bright on dark, with noise.

    Returns:
        The picture, shape (28, 28), uint8; and its tilt in degrees.
    """
    degrees = int(rng.integers(-MOST_TILT, MOST_TILT + 1))
    noise = rng.integers(0, NOISE + 1, (SIDE, SIDE))
    return np.minimum(tilted(digit, degrees) + noise, 255).astype(np.uint8), degrees


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a `.npz` file, as `np.savez` does but for the time of day in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, 0o644 << 16
            data = io.BytesIO()
            np.lib.format.write_array(data, array, version=(1, 0), allow_pickle=False)
            archive.writestr(member, data.getvalue())


def write_set(out: Path, count: int, seed: int) -> None:
    """Write `count` digits to `out`, complete or not at all.

    Args:
        out: Folder to make.
        count: Number of samples, at most 1797.
        seed: Sample number i depends on the seed and i alone.
    """
    digits = load_digits()
    labels = digits.target[:count]
    drawn = [draw(digits.images[i], np.random.default_rng([seed, i])) for i in range(count)]
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    arrays = {
        "x": np.stack([picture for picture, _ in drawn]),
        "y": labels.astype(np.uint8),
        "tags": np.array([[y in own for own in TAGS.values()] for y in labels], np.uint8),
        "tilt": np.array([tilt for _, tilt in drawn], np.float32),
    }
    write_arrays(partial / "digits.npz", arrays)
    with (partial / "table.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["path", "label", "tags", "tilt"])
        for i, ((picture, tilt), label) in enumerate(zip(drawn, labels, strict=True)):
            path = f"folders/{label}/{i:04d}.png"
            (partial / path).parent.mkdir(parents=True, exist_ok=True)
            if not cv2.imwrite(str(partial / path), picture, PNG):
                raise OSError(f"{path} could not be written")
            tags = "|".join(name for name, own in TAGS.items() if label in own)
            table.writerow([path, label, tags, tilt])
    partial.rename(out)


def main() -> None:
    """Read the command line and write the set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--count", type=int, default=1797, help="number of samples, 1 to 1797")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other tilts and noise")
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} exists already: remove it, or choose another folder")
    if not 1 <= options.count <= 1797:
        parser.error(f"--count must be 1 to 1797 (as many as there are), not {options.count}")
    write_set(options.out, options.count, options.seed)


if __name__ == "__main__":
    main()
