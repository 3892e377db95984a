"""Samples with the same content: to the byte, or near enough to be the same picture."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from scipy.fft import dctn
from scipy.spatial import cKDTree

Turn = Callable[[np.ndarray], np.ndarray]  # of an array whose first axes are height and width

TURNS: dict[str, Turn] = {
    "": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "upside down and mirrored": lambda image: image[::-1, ::-1],
    "upside down": lambda image: image[::-1],
    "turned left": lambda image: np.rot90(image),
    "turned right": lambda image: np.rot90(image, -1),
    "transposed": lambda image: image.swapaxes(0, 1),
    "transposed the other way": lambda image: np.rot90(image, 2).swapaxes(0, 1),
}
_FREQUENCIES = 5  # of the cosine transform, along each axis
_NEIGHBOURS = 8  # that are looked at for each sample and turn
_ALIKE = 0.985  # correlation of small copies, from which pictures are compared in full
_SAME = 0.97  # correlation of pictures, from which they are near duplicates
_SAME_DETAIL = 0.6  # likewise of what is left of them without their coarse shapes


class Twins(NamedTuple):
    """Two samples by their places, and how the second one is turned to be like the first."""

    first: int
    second: int
    turn: str


def equal_groups(digests: np.ndarray, places: np.ndarray) -> Iterator[np.ndarray]:
    """Places of equal digests, two or more at a time, in ascending order."""
    order = np.argsort(digests[places], kind="stable")
    ordered = digests[places][order]
    bounds = np.flatnonzero(np.diff(ordered)) + 1
    for group in np.split(places[order], bounds):
        if len(group) > 1:
            yield np.sort(group)


def candidates(thumbs: np.ndarray, turns: bool) -> list[Twins]:
    """Pairs of small copies that are nearly alike, the most alike first.

    They are found by their low frequencies in a k-d tree, a perceptual hash that is not rounded to
    bits.

    Args:
        thumbs: Shape (samples, rows, columns), each of mean 0 and deviation 1.
        turns: Look for mirrored and turned copies, too.
    """
    if len(thumbs) < 2:
        return []
    thumbs = thumbs.astype(np.float32)
    tree = cKDTree(_hashes(thumbs))
    reach = np.sqrt(2 * (1 - _ALIKE))
    found: dict[tuple[int, int], tuple[float, str]] = {}
    for name, turn in TURNS.items() if turns else [("", TURNS[""])]:
        turned = np.stack([turn(one) for one in thumbs]) if name else thumbs
        count = min(_NEIGHBOURS, len(thumbs))
        _, near = tree.query(_hashes(turned), count, distance_upper_bound=reach)
        second, at = np.nonzero((near < len(thumbs)) & (near != np.arange(len(thumbs))[:, None]))
        first = near[second, at]
        alike = (thumbs[first] * turned[second]).mean(axis=(1, 2))
        for one, other, how in zip(first.tolist(), second.tolist(), alike.tolist(), strict=True):
            pair = (min(one, other), max(one, other))
            if how >= _ALIKE and how > found.get(pair, (0.0, ""))[0]:
                found[pair] = how, name
    ordered = sorted(found.items(), key=lambda item: -item[1][0])
    return [Twins(one, other, name) for (one, other), (_, name) in ordered]


def _hashes(thumbs: np.ndarray) -> np.ndarray:
    coarse = dctn(thumbs, axes=(1, 2), norm="ortho")[:, :_FREQUENCIES, :_FREQUENCIES]
    return coarse.reshape(len(thumbs), -1)[:, 1:] / thumbs.shape[1]


def are_same(one: np.ndarray, other: np.ndarray, turn: str) -> bool:
    """Whether two pictures of height, width and channels show the same, the second one turned.

    A copy that was stored again as JPEG, made brighter, or brought to another size and back, is the
    same; another photograph of the same thing is not.
    """
    one = one.astype(np.float32)
    turned = np.ascontiguousarray(TURNS[turn](other.astype(np.float32)))
    if turned.shape != one.shape:
        turned = cv2.resize(turned, one.shape[1::-1], interpolation=cv2.INTER_AREA).reshape(
            one.shape
        )
    if _correlation(one, turned) < _SAME:
        return False
    details = (image - cv2.blur(image, (7, 7)).reshape(image.shape) for image in (one, turned))
    return _correlation(*details) >= _SAME_DETAIL


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one**2).sum(dtype=float) * (other**2).sum(dtype=float)))
    return float((one * other).sum(dtype=float)) / size if size else 0.0
