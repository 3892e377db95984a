"""Tiny data on disk: for each conf/dataset/NAME.yaml a fixture `tiny_NAME` with what it needs."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest


@pytest.fixture
def tiny_image_mask(tmp_path: Path) -> dict[str, Any]:
    """Values for conf/dataset/image_mask.yaml: 11 noisy images with a bright disc each."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for at in range(11):
        rng = np.random.default_rng(at)
        mask = np.zeros((40, 48), np.uint8)
        cv2.circle(mask, (10 + 2 * at, 20), 8, 255, -1)
        image = rng.integers(0, 99, (40, 48, 3), np.uint8) + mask[..., None] // 2
        cv2.imwrite(str(tmp_path / "images" / f"disc{at}.png"), image)
        cv2.imwrite(str(tmp_path / "masks" / f"disc{at}.png"), mask)
    return {
        "images": str(tmp_path / "images"),
        "masks": str(tmp_path / "masks"),
        "image_size": [24, 32],
        "augment": {"rotation_range": 20, "horizontal_flip": True, "brightness_range": [0.5, 2.0]},
    }
