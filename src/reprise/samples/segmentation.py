"""Make a deterministic set of images and masks: handwritten digits, as ink, on photographs.

Only integers are computed with, so that the same bytes come out on every machine.
"""

import argparse
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits, load_sample_images

GLYPH_SIZE = 192  # 8 pixels and a margin of 2 on each side, doubled four times
GLYPH_FULL = 16 * 16**4  # a pixel of full ink (16) after four doublings of 16 times each
# What a PNG is packed with is fixed, and of the kind that every release of zlib packs alike.
PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 6),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)


def smooth_glyph(digit: np.ndarray) -> np.ndarray:
    """Enlarge one 8x8 digit to a smooth surface by repeated doubling (a quadratic B-spline).

    Args:
        digit: Ink, shape (8, 8), integers 0 to 16.

    Returns:
        Ink, shape (192, 192), int64, 0 to GLYPH_FULL.
    """
    surface = np.pad(digit.astype(np.int64), 2)
    for _ in range(4):
        for axis in (0, 1):
            before, after = np.roll(surface, 1, axis), np.roll(surface, -1, axis)
            pairs = np.stack([3 * surface + before, 3 * surface + after], axis + 1)
            shape = [size * (1 + (at == axis)) for at, size in enumerate(surface.shape)]
            surface = pairs.reshape(shape)
    return surface


def turned_ink(glyph: np.ndarray, size: int, degrees: int) -> np.ndarray:
    """Scale and rotate a glyph.

    Args:
        glyph: As `smooth_glyph` gives it.
        size: Side of the result in pixels.
        degrees: Angle, counter-clockwise.

    Returns:
        How much ink covers each pixel, shape (size, size), int64, 0 to 255; edges are soft.
    """
    cosine, sine = (round(4096 * f(math.radians(degrees))) for f in (math.cos, math.sin))
    offset = 2 * np.arange(size) + 1 - size  # twice the distance from the middle
    down, right = offset[:, None], offset[None, :]
    scale = 2 * 4096 * size
    row = ((cosine * down + sine * right) * GLYPH_SIZE + scale * GLYPH_SIZE // 2) // scale
    column = ((cosine * right - sine * down) * GLYPH_SIZE + scale * GLYPH_SIZE // 2) // scale
    inside = (row >= 0) & (row < GLYPH_SIZE) & (column >= 0) & (column < GLYPH_SIZE)
    value = glyph[row % GLYPH_SIZE, column % GLYPH_SIZE] * inside
    return np.clip(value * 1020 // GLYPH_FULL - 255, 0, 255)  # no ink below a quarter


def background(photos: list[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """A random crop of a photograph, half of them at half its scale, some mirrored.

    Returns:
        RGB, shape (size, size, 3), int64, 0 to 255.
    """
    photo = photos[rng.integers(len(photos))].astype(np.int64)
    factor = 2 if 2 * size <= min(photo.shape[:2]) and rng.integers(2) else 1
    top, left = (int(rng.integers(side - factor * size + 1)) for side in photo.shape[:2])
    crop = photo[top : top + factor * size, left : left + factor * size]
    crop = crop.reshape(size, factor, size, factor, 3).sum(axis=(1, 3)) // factor**2
    return crop[:, ::-1] if rng.integers(2) else crop


def ink_colour(under: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random RGB colour that can be told from the mean of the pixels under it."""
    mean = under.sum(axis=0) // len(under)
    while True:
        colour = rng.integers(0, 256, 3)
        if np.abs(colour - mean).sum() >= 180:
            return colour


def draw(
    photos: list[np.ndarray],
    glyphs: list[np.ndarray],
    names: np.ndarray,
    size: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one sample: one to three digits that do not touch, on a photograph.

    Returns:
        The RGB image, shape (size, size, 3), uint8; and the class ids, shape (size, size), uint8:
        0 where there is no ink, 1 to 10 where there is ink of the digits 0 to 9.
    """
    image = background(photos, size, rng)
    ids = np.zeros((size, size), np.uint8)
    taken = np.zeros((size, size), bool)
    for _ in range(int(rng.integers(1, 4))):
        chosen = int(rng.integers(len(glyphs)))
        side = int(rng.integers(size * 2 // 5, size * 3 // 4))
        ink = turned_ink(glyphs[chosen], side, int(rng.integers(-40, 41)))
        top, left = (int(place) for place in rng.integers(0, size - side + 1, 2))
        box = (slice(top, top + side), slice(left, left + side))
        colour, opacity = ink_colour(image[box].reshape(-1, 3), rng), int(rng.integers(160, 256))
        if (taken[box] & (ink > 0)).any():
            continue
        cover = (ink * opacity)[:, :, None]
        image[box] += ((colour - image[box]) * cover + 32512) // 65025
        taken[box] |= ink > 0
        ids[box][ink >= 128] = names[chosen] + 1
    return image.astype(np.uint8), ids


def write_set(out: Path, count: int, size: int, seed: int) -> None:
    """Write `count` samples to `out`/{images,masks,digit_masks}/NNNN.png, complete or not at all.

    Args:
        out: Folder to make.
        count: Number of samples.
        size: Side of every image in pixels.
        seed: Sample number i depends on the seed and i alone.
    """
    photos = load_sample_images().images
    digits = load_digits()
    glyphs = [smooth_glyph(digit) for digit in digits.images]
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in ("images", "masks", "digit_masks"):
        (partial / name).mkdir(parents=True)
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        image, ids = draw(photos, glyphs, digits.target, size, rng)
        pictures = {
            "images": image[:, :, ::-1],  # OpenCV writes BGR
            "masks": np.where(ids > 0, 255, 0).astype(np.uint8),
            "digit_masks": ids,
        }
        for name, picture in pictures.items():
            path = partial / name / f"{i:04d}.png"
            if not cv2.imwrite(str(path), picture, PNG):
                raise OSError(f"{path} could not be written")
    partial.rename(out)


def main() -> None:
    """Read the command line and write the set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--count", type=int, default=480, help="number of samples")
    parser.add_argument("--size", type=int, default=128, help="side of an image, 32 to 427 pixels")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other samples")
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} exists already: remove it, or choose another folder")
    if not 32 <= options.size <= 427:
        parser.error(f"--size must be 32 to 427 (a photograph's height), not {options.size}")
    write_set(options.out, options.count, options.size, options.seed)


if __name__ == "__main__":
    main()
