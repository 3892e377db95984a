"""Changes to a sound of one channel, shape (samples,), float32; each gives a new array."""

import numpy as np


def amplified(wave: np.ndarray, decibels: float) -> np.ndarray:
    """Make louder (above 0) or quieter (below); nothing is clipped."""
    return wave * np.float32(10 ** (decibels / 20))


def noisy(wave: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
    """Add white noise.

    Args:
        wave: The sound; silence stays silent.
        snr: Mean power of the sound over that of the noise, in decibels.
        rng: Source of the noise.
    """
    power = np.mean(np.square(wave, dtype=np.float64))
    deviation = np.float32(np.sqrt(power / 10 ** (snr / 10)))
    return wave + deviation * rng.standard_normal(len(wave), dtype=np.float32)


def stretched(wave: np.ndarray, length: int) -> np.ndarray:
    """Change the tempo so that the sound lasts `length` samples; the pitch stays.

    By librosa's phase vocoder. Its first use takes some seconds in each process.
    """
    if length == len(wave):
        return wave
    from librosa.effects import time_stretch
    from librosa.util import fix_length

    # rounding may leave it a sample short or long
    return fix_length(time_stretch(wave, rate=len(wave) / length), size=length)


def shifted_pitch(wave: np.ndarray, sample_rate: int, semitones: float) -> np.ndarray:
    """Move the pitch, up where `semitones` is above 0; the tempo stays. By librosa."""
    if semitones == 0:
        return wave
    from librosa.effects import pitch_shift

    return pitch_shift(wave, sr=sample_rate, n_steps=semitones)
