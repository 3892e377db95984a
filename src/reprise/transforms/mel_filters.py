"""Triangular filters on the mel scale, as in Slaney's Auditory Toolbox (1998).

The same as `librosa.filters.mel` gives, bit for bit, without the seconds that importing it takes.
"""

import numpy as np

from reprise.errors import UserError

_LINEAR = 200 / 3  # Hz for a mel, up to the corner
_CORNER = 1000.0  # Hz
_STEP = np.log(6.4) / 27  # growth of the frequency's logarithm for a mel, from the corner on


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> np.ndarray:
    """Weights of the frequencies of a transform in each band.

    Args:
        sample_rate: Of the sound, in Hz.
        n_fft: Samples that are transformed.
        n_mels: Bands, whose middles are equally far apart in mel.
        fmin, fmax: Ends of the lowest and of the highest band, in Hz; None for half the rate.

    Returns:
        Shape (n_mels, 1 + n_fft // 2), float32: triangles of the same area over the frequencies.
    """
    low, high = _to_mel(np.array([fmin, fmax or sample_rate / 2])).tolist()
    points = _to_hz(np.linspace(low, high, n_mels + 2))
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    above = points[:, None] - frequencies
    widths = np.diff(points)[:, None]
    rising, falling = -above[:-2] / widths[:-1], above[2:] / widths[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    triangles *= (2 / (points[2:] - points[:-2]))[:, None]
    return triangles


def require_bands(filters: np.ndarray, sample_rate: int, n_fft: int) -> None:
    """Refuse bands that are too narrow to have any frequency of the transform in them.

    Raises:
        UserError: there are some.
    """
    if empty := np.flatnonzero(filters.max(axis=1) == 0).tolist():
        raise UserError(
            "dataset.mel: bands are narrower than the transform can tell apart",
            "for every band a frequency in it, of those that are sample_rate / n_fft = "
            f"{sample_rate / n_fft:g} Hz apart",
            f"{len(empty)} of n_mels={len(filters)} bands without any, the lowest is band "
            f"{empty[0]}",
            "lower dataset.mel.n_mels, or raise dataset.mel.n_fft or dataset.mel.fmin",
        )


def _to_mel(hz: np.ndarray) -> np.ndarray:
    corner = _CORNER / _LINEAR
    beyond = corner + np.log(np.maximum(hz, _CORNER) / _CORNER) / _STEP
    return np.where(hz >= _CORNER, beyond, hz / _LINEAR)


def _to_hz(mel: np.ndarray) -> np.ndarray:
    corner = _CORNER / _LINEAR
    beyond = _CORNER * np.exp(_STEP * (np.maximum(mel, corner) - corner))
    return np.where(mel >= corner, beyond, _LINEAR * mel)
