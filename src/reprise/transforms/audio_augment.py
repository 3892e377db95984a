"""Random changes to a window of a recording: to its position, its sound, and its spectrogram."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Interval, Len

from reprise.errors import UserError


@dataclass(frozen=True)
class AudioAugment:
    """Ranges of the random changes; a value is drawn for every sample.

    Masks are those of SpecAugment (Park et al. 2019), without its time warp.

    Args:
        time_shift: Largest shift of the window along the recording to either side, in seconds.
        stretch_range: Tempo, [lowest, highest]; above 1 is faster, and the window covers more of
            the recording. None leaves it.
        pitch_range: Largest change of pitch to either side, in semitones.
        gain_range: Gain, [lowest, highest], in decibels. `normalize=minmax` undoes it, except for
            its effect on noise and `top_db`. None leaves it.
        snr_range: Signal-to-noise ratio of added white noise, [lowest, highest], in decibels of
            the window's mean power. None adds none.
        frequency_masks: Number of masked ranges of bands.
        frequency_mask_width: Largest width of each, as a fraction of all bands.
        time_masks: Number of masked ranges of frames.
        time_mask_width: Largest width of each, as a fraction of the window.

    Raises:
        UserError: a range is not in ascending order.
    """

    time_shift: Annotated[float, Ge(0)] = 0.0
    stretch_range: Annotated[list[Annotated[float, Gt(0)]], Len(2, 2)] | None = None
    pitch_range: Annotated[float, Ge(0)] = 0.0
    gain_range: Annotated[list[float], Len(2, 2)] | None = None
    snr_range: Annotated[list[float], Len(2, 2)] | None = None
    frequency_masks: Annotated[int, Ge(0)] = 0
    frequency_mask_width: Annotated[float, Interval(ge=0, le=1)] = 0.2
    time_masks: Annotated[int, Ge(0)] = 0
    time_mask_width: Annotated[float, Interval(ge=0, le=1)] = 0.2

    def __post_init__(self) -> None:
        for key in ("stretch_range", "gain_range", "snr_range"):
            value = getattr(self, key)
            if value is not None and value[0] > value[1]:
                raise UserError(
                    f"dataset.augment.{key} runs backwards",
                    "[lowest, highest]",
                    str(value),
                    f"write dataset.augment.{key}=[{value[1]},{value[0]}]",
                )

    @property
    def changes_sound(self) -> bool:
        """Whether the sound is changed, and not the spectrogram alone."""
        ranges = self.stretch_range, self.gain_range, self.snr_range
        return bool(self.time_shift or self.pitch_range or any(ranges))

    def reach(self, length: int, sample_rate: int) -> int:
        """Number of samples that contain the window under every shift and stretch.

        Args:
            length: Samples of the window.
            sample_rate: In Hz.
        """
        longest = round(length * max([1.0, *(self.stretch_range or ())]))
        if longest == length and not self.time_shift:
            return length
        return longest + 2 * math.ceil(self.time_shift * sample_rate) + 4  # for rounding

    def draw(self, rng: np.random.Generator) -> "AudioChange":
        """Draw the changes of one sample; one setting does not change what is drawn for another."""
        shift, pitch = rng.uniform(-1, 1, 2)
        tempo, gain, snr = (
            rng.uniform(*(ends or (0.0, 0.0)))
            for ends in (self.stretch_range, self.gain_range, self.snr_range)
        )
        noise, masks = map(np.random.default_rng, rng.integers(2**63, size=2))
        bands = masks.random((self.frequency_masks, 2)) * (self.frequency_mask_width, 1)
        times = masks.random((self.time_masks, 2)) * (self.time_mask_width, 1)
        return AudioChange(
            shift=shift * self.time_shift,
            tempo=tempo if self.stretch_range else 1.0,
            pitch=pitch * self.pitch_range,
            gain=gain,
            snr=snr if self.snr_range else None,
            noise=noise,
            masks=(bands.tolist(), times.tolist()),
        )


@dataclass(frozen=True)
class AudioChange:
    """The changes of one sample; by default none.

    Args:
        shift: Of the window along the recording, in seconds.
        tempo: Samples of the recording for one sample of the window.
        pitch: In semitones.
        gain: In decibels.
        snr: Signal-to-noise ratio of added noise, in decibels; None adds none.
        noise: Random generator of the noise.
        masks: For bands and for frames, (width, start) of each mask: the width as a fraction of
            all, the start as a fraction of the possible ones.
    """

    shift: float = 0.0
    tempo: float = 1.0
    pitch: float = 0.0
    gain: float = 0.0
    snr: float | None = None
    noise: np.random.Generator | None = None
    masks: Sequence[Sequence[Sequence[float]]] = ((), ())

    def sound(self, wave: np.ndarray, length: int, sample_rate: int) -> np.ndarray:
        """Apply tempo, pitch, gain and noise, in this order.

        Args:
            wave: Shape (about `tempo` * `length`,), float32.
            length: Samples of the result.
            sample_rate: In Hz.

        Returns:
            Shape (length,), float32.
        """
        wave = stretched(wave, length)
        if self.pitch:
            from librosa.effects import pitch_shift

            wave = pitch_shift(wave, sr=sample_rate, n_steps=self.pitch)
        if self.gain:
            wave = wave * np.float32(10 ** (self.gain / 20))  # without clipping
        if self.snr is not None and self.noise is not None:  # silence stays silent
            power = np.mean(np.square(wave, dtype=np.float64))
            deviation = np.float32(np.sqrt(power / 10 ** (self.snr / 10)))
            wave = wave + deviation * self.noise.standard_normal(len(wave), dtype=np.float32)
        return wave

    def mask(self, spectrogram: np.ndarray) -> np.ndarray:
        """Fill the masks with the mean, as Park et al. do.

        Args:
            spectrogram: Shape (bands, frames), float32.
        """
        if not any(self.masks):
            return spectrogram
        masked, mean = spectrogram.copy(), spectrogram.mean()
        for axis, masks in enumerate(self.masks):
            view = np.moveaxis(masked, axis, 0)
            for part, place in masks:
                width = round(part * len(view))
                start = int(place * (len(view) - width + 1))
                view[start : start + width] = mean
        return masked


def stretched(wave: np.ndarray, length: int) -> np.ndarray:
    """Change the tempo, but not the pitch, so that the sound has `length` samples.

    By librosa's phase vocoder, whose first use takes some seconds in each process.
    """
    if length == len(wave):
        return wave
    from librosa.effects import time_stretch
    from librosa.util import fix_length

    # rounding may make it a sample too short or too long
    return fix_length(time_stretch(wave, rate=len(wave) / length), size=length)
