"""Matrices of values as a picture: dark blue for the target's least value, yellow for its most."""

from collections.abc import Sequence

import numpy as np

from reprise.transforms.caption import WHITE, enlarged, heat_map, written

_GAP, _TITLE = 4, 18  # pixels


def side_by_side(titles: Sequence[str], matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Draw matrices beside one another in one scale of colours, each under its title.

    Args:
        titles: A word for each.
        matrices: Each of shape (rows, columns, values); several values stand below one another.
            The second, a sample's target, sets the scale; what is beyond it has its end's colour.
            Where it is all one value, the first sets it.

    Returns:
        RGB, shape (height, width, 3), uint8; one shape for matrices of one shape.
    """
    scale = matrices[1] if np.ptp(matrices[1]) else matrices[0]
    low, high = float(scale.min()), float(scale.max())
    panels = []
    for title, matrix in zip(titles, matrices, strict=True):
        layers = [enlarged(heat_map(layer, low, high)) for layer in np.moveaxis(matrix, -1, 0)]
        drawn = np.concatenate([np.pad(one, ((0, _GAP), (0, _GAP), (0, 0))) for one in layers])
        strip = written([(title, WHITE)], (_TITLE, drawn.shape[1]))
        panels.append(np.concatenate([strip, drawn]))
    height = max(len(panel) for panel in panels)
    return np.concatenate(
        [np.pad(panel, ((0, height - len(panel)), (0, 0), (0, 0))) for panel in panels], axis=1
    )
