"""Many small pictures on one sheet."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

GAP = 4  # pixels of white between two pictures


def write_grid(path: Path, pictures: Sequence[np.ndarray]) -> Path:
    """Write pictures of one shape, (height, width, 3) uint8 RGB, as one PNG of about 4:3."""
    height, width = pictures[0].shape[:2]
    columns = max(1, round((len(pictures) * height / width * 4 / 3) ** 0.5))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for at, picture in enumerate(pictures):
        top, left = at // columns * (height + GAP), at % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = picture
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), sheet[..., ::-1])
    return path
