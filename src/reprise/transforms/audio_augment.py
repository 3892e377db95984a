"""Random changes to a window of a recording: to its place, its sound, and its spectrogram."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Interval, Len

from reprise.errors import UserError
from reprise.transforms.waveform import amplified, noisy, shifted_pitch, stretched


@dataclass(frozen=True)
class AudioAugment:
    """How far each random change may go; a value is drawn anew for every sample.

    The masks are those of SpecAugment (Park et al. 2019), without its time warp.

    Args:
        time_shift: Largest move of the window along the recording to either side, in seconds.
        stretch_range: Tempo, [lowest, highest]; above 1 is faster. The window shows as much more
            or less of the recording. None leaves it.
        pitch_range: Largest change of pitch to either side, in semitones.
        gain_range: Change of loudness, [lowest, highest], in decibels; `normalize=minmax` undoes
            it but for what noise and `top_db` make of it. None leaves it.
        snr_range: White noise is added, so much below the window's mean power, [lowest, highest],
            in decibels. None adds none.
        frequency_masks: Number of bands that are blanked.
        frequency_mask_width: Largest height of each, as a part of all bands.
        time_masks: Number of spans of time that are blanked.
        time_mask_width: Largest length of each, as a part of the window.

    Raises:
        UserError: the ends of a range stand in the wrong order.
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
        """Whether more is changed than the spectrogram."""
        ranges = self.stretch_range, self.gain_range, self.snr_range
        return bool(self.time_shift or self.pitch_range or any(ranges))

    def reach(self, length: int, sample_rate: int) -> int:
        """Samples that hold a window of `length` samples, wherever it is moved or stretched."""
        longest = round(length * max([1.0, *(self.stretch_range or ())]))
        if longest == length and not self.time_shift:
            return length
        return longest + 2 * math.ceil(self.time_shift * sample_rate) + 4  # for rounding

    def draw(self, rng: np.random.Generator) -> "AudioChange":
        """Draw the changes of one sample.

        A change that is turned on or off leaves the values of the others.
        """
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
    """The changes of one sample; the default changes nothing.

    Args:
        shift: Of the window along the recording, in seconds.
        tempo: Samples of the recording for one of the window.
        pitch: In semitones.
        gain: In decibels.
        snr: Of the added noise, in decibels; None adds none.
        noise: Source of the noise.
        masks: For bands and for frames, width and place of each mask: the width as a part of all,
            the place as a part of those where a mask of this width can start.
    """

    shift: float = 0.0
    tempo: float = 1.0
    pitch: float = 0.0
    gain: float = 0.0
    snr: float | None = None
    noise: np.random.Generator | None = None
    masks: Sequence[Sequence[Sequence[float]]] = ((), ())

    def sound(self, wave: np.ndarray, length: int, sample_rate: int) -> np.ndarray:
        """Change a window's sound, gain and noise last.

        Args:
            wave: Shape (about `tempo` * `length`,), float32.
            length: Samples of the result.
            sample_rate: In Hz.
        """
        wave = shifted_pitch(stretched(wave, length), sample_rate, self.pitch)
        if self.gain:
            wave = amplified(wave, self.gain)
        if self.snr is not None and self.noise is not None:
            wave = noisy(wave, self.snr, self.noise)
        return wave

    def mask(self, spectrogram: np.ndarray) -> np.ndarray:
        """Blank bands and spans of time with the mean, as Park et al. do.

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
