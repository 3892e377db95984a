"""Large pictures in overlapping tiles, and the tiles' answers blended into one without seams."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

_SIGMA = 0.125  # of a tile's side, as in nnU-Net and MONAI


def starts(length: int, size: int) -> list[int]:
    """Where tiles begin along an axis: every half tile, the last one moved inwards.

    Args:
        length: Of the picture, at least `size`.
        size: Of a tile.
    """
    last = length - size
    return [*range(0, last, max(1, size // 2)), last]


def places(picture: Sequence[int], tile: Sequence[int]) -> list[tuple[int, int]]:
    """Top and left of every tile, row by row, of a picture that is as large as a tile or larger."""
    rows, columns = (starts(picture[axis], tile[axis]) for axis in (0, 1))
    return [(top, left) for top in rows for left in columns]


def gaussian(tile: Sequence[int]) -> np.ndarray:
    """Weight of each pixel of a tile: 1 in the middle, little at its border, where less is seen.

    Returns:
        Shape `tile`, float32.

    Source: Isensee et al. (2021), nnU-Net.
    """
    axes = [np.arange(side) - (side - 1) / 2 for side in tile]
    bells = [np.exp(-0.5 * (at / (_SIGMA * len(at))) ** 2) for at in axes]
    return np.outer(*bells).astype(np.float32)


def blended(
    answers: Iterable[tuple[int, int, np.ndarray]], tile: Sequence[int], width: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Mean of overlapping answers, weighted by `gaussian`; holds one row of tiles in memory.

    Args:
        answers: Top and left of each tile in the order of `places`, and its answer, shape (*tile,
            channels), float32.
        tile: Height and width of a tile.
        width: Of the picture.

    Yields:
        Number of the first of some rows that are complete, and these, shape (rows, width,
        channels), float32.
    """
    weights = gaussian(tile)[..., None]
    first, band, total = 0, np.empty(0, np.float32), np.zeros((tile[0], width, 1), np.float32)
    for top, left, answer in answers:
        if not len(band):
            band = np.zeros((tile[0], width, answer.shape[-1]), np.float32)
        if done := top - first:
            yield first, band[:done] / total[:done]
            for array in (band, total):
                array[:-done] = array[done:]
                array[-done:] = 0
            first = top
        own = slice(left, left + tile[1])
        band[:, own] += answer * weights
        total[:, own] += weights
    yield first, band / total


def enlarged(
    answer: np.ndarray, size: Sequence[int], rows: int = 256
) -> Iterator[tuple[int, np.ndarray]]:
    """Scale an answer to a picture's size, linearly between the centres of pixels.

    Args:
        answer: Shape (height, width, channels), float32.
        size: Height and width of the picture.
        rows: That are made at a time.

    Yields:
        Number of the first row, and the rows, shape (rows, width, channels), float32.
    """
    wide = _between(answer, np.arange(size[1]), size[1], axis=1)
    for first in range(0, size[0], rows):
        wanted = np.arange(first, min(first + rows, size[0]))
        yield first, _between(wide, wanted, size[0], axis=0)


def _between(answer: np.ndarray, wanted: np.ndarray, length: int, axis: int) -> np.ndarray:
    have = answer.shape[axis]
    at = np.clip((wanted + 0.5) * have / length - 0.5, 0, have - 1)
    low = np.minimum(at.astype(int), max(0, have - 2))
    high = np.minimum(low + 1, have - 1)
    share = (at - low).astype(np.float32).reshape([-1 if own == axis else 1 for own in range(3)])
    below, above = answer.take(low, axis), answer.take(high, axis)
    return below + (above - below) * share
