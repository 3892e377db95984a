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
_BACK = {"turned left": "turned right", "turned right": "turned left"}
_FREQUENCIES = 5  # of the cosine transform, along each axis
_NEIGHBOURS = 8  # that are looked at for each sample and turn
# Distance of small copies (of norm 1) up to which two pictures may be the same; and parts of the
# distance that pictures of this dataset usually have, for those with little detail and with much.
_NEAR, _PART, _SPARSE = 0.084, 0.5, 0.2
_FARTHEST = 0.25
_RANK = 10  # neighbours that are left out of what is usual: so many may be copies
_LOOKED_AT = 500  # samples, from which that is learned
_SAME_DETAIL, _SOME_DETAIL = 0.8, 0.1  # correlation of what is left without the coarse shapes
_SAME_COLOR = 0.92  # correlation of small copies in colour


class Twins(NamedTuple):
    """Two samples by their places, and how the second one is turned to be like the first.

    `detail` is the least correlation of their details with which they are the same.
    """

    first: int
    second: int
    turn: str = ""
    detail: float = _SAME_DETAIL


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

    They are found by their low frequencies in a k-d tree: a perceptual hash that is not rounded to
    bits. How near two of them must be depends on how near others are: digits are much alike, and
    photographs are not.

    Args:
        thumbs: Shape (samples, rows, columns), each of mean 0 and deviation 1.
        turns: Look for mirrored and turned copies, too.
    """
    if len(thumbs) < 2:
        return []
    thumbs = thumbs.astype(np.float32) / thumbs.shape[1]  # of norm 1
    tree = cKDTree(_hashes(thumbs))
    usual = _usual_distance(thumbs)
    sparse = min(_FARTHEST, _SPARSE * usual)
    reach = max(sparse, min(_NEAR, _PART * usual))
    found: dict[tuple[int, int], tuple[float, str]] = {}
    for name, turn in TURNS.items() if turns else [("", TURNS[""])]:
        turned = np.stack([turn(one) for one in thumbs]) if name else thumbs
        count = min(_NEIGHBOURS, len(thumbs))
        _, near = tree.query(_hashes(turned), count, distance_upper_bound=reach)
        second, at = np.nonzero((near < len(thumbs)) & (near != np.arange(len(thumbs))[:, None]))
        first = near[second, at]
        apart = np.sqrt(((thumbs[first] - turned[second]) ** 2).sum(axis=(1, 2)))
        for one, other, how in zip(first.tolist(), second.tolist(), apart.tolist(), strict=True):
            pair = (min(one, other), max(one, other))
            if how <= reach and how < found.get(pair, (reach + 1, ""))[0]:
                found[pair] = how, name if pair == (one, other) else _BACK.get(name, name)
    ordered = sorted(found.items(), key=lambda item: item[1][0])
    return [
        Twins(*pair, name, _SOME_DETAIL if how <= sparse else _SAME_DETAIL)
        for pair, (how, name) in ordered
    ]


def _usual_distance(thumbs: np.ndarray) -> float:
    """Distance to the tenth neighbour, as it is for the tenth of samples that have it nearest."""
    step = -(-len(thumbs) // _LOOKED_AT)
    flat = thumbs.reshape(len(thumbs), -1)
    alike = flat[::step] @ flat.T
    rank = min(_RANK, len(thumbs) - 1)
    near = -np.partition(-alike, rank, axis=1)[:, rank]
    return float(np.sqrt(2 * (1 - np.percentile(near, 90)).clip(0)))


def _hashes(thumbs: np.ndarray) -> np.ndarray:
    coarse = dctn(thumbs, axes=(1, 2), norm="ortho")[:, :_FREQUENCIES, :_FREQUENCIES]
    return coarse.reshape(len(thumbs), -1)[:, 1:]


def are_same(one: np.ndarray, other: np.ndarray, turn: str, detail: float) -> bool:
    """Whether two pictures of height, width and channels show the same, the second one turned.

    A copy that was stored again as JPEG, made brighter, or brought to another size and back, is the
    same; another photograph of the same thing is not.
    """
    one = one.astype(np.float32)
    turned = np.ascontiguousarray(TURNS[turn](other.astype(np.float32)))
    if turned.shape != one.shape:
        turned = cv2.resize(turned, one.shape[1::-1], interpolation=cv2.INTER_AREA)
        turned = turned.reshape(one.shape)
    both, greys = (one, turned), (one.mean(axis=2), turned.mean(axis=2))
    colors = [cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA) for image in both]
    details = [cv2.blur(grey, (3, 3)) - cv2.blur(grey, (7, 7)) for grey in greys]
    return _correlation(*colors) >= _SAME_COLOR and _correlation(*details) >= detail


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one**2).sum(dtype=float) * (other**2).sum(dtype=float)))
    return float((one * other).sum(dtype=float)) / size if size else 0.0
