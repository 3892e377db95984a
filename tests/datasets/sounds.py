"""Recordings and tables of annotations that tests make."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 8000


def noise(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> np.ndarray:
    """White noise, shape (samples, channels), int16."""
    rng = np.random.default_rng(seed)
    return rng.integers(-9000, 9000, (round(seconds * rate), channels)).astype(np.int16)


def write(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    """Write a recording of 16 bits, of the kind that the path's suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype="PCM_16")
    return path


def empty_flac(rate: int = RATE) -> bytes:
    """A FLAC file that has a header and says that 0 samples follow."""
    sizes = (4096).to_bytes(2, "big") * 2 + bytes(6)
    format_ = (rate << 44) | (15 << 36)  # one channel, 16 bits, 0 samples
    return b"fLaC\x80\x00\x00\x22" + sizes + format_.to_bytes(8, "big") + bytes(16)
