"""Windows of recordings as spectrograms, in two steps: the costly one, and that of augmentation."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from reprise.datasets.sound.windows import Windows
from reprise.spec import Spec
from reprise.transforms.audio_augment import AudioAugment, AudioChange
from reprise.transforms.mel import LogMel, minmax

Normalize = Literal["minmax", "none"]


@dataclass(frozen=True)
class Spectrograms:
    """Spectrograms of the windows of some annotations.

    Args:
        windows: Where they lie.
        log_mel: From sound to decibels.
        normalize: 'minmax' stretches each spectrogram to 0..1; 'none' leaves decibels.
        augment: Random changes, or None.
    """

    windows: Windows
    log_mel: LogMel
    normalize: Normalize
    augment: AudioAugment | None

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and frames."""
        return self.log_mel.shape(self.windows.length)

    @property
    def decoded(self) -> Spec:
        """What `decode` gives: a spectrogram; or, where augmentation changes sounds, a sound."""
        return Spec((self._reach,) if self._is_sound else self.shape, "float32")

    @property
    def recipe(self) -> str:
        """What `decode` depends on beside the files."""
        windows = self.windows.length, self.windows.rate, self.windows.edges
        picture = None if self._is_sound else (self.log_mel.mel, self.normalize)
        return repr((windows, self._reach, picture))

    def decode(self, row: int) -> np.ndarray:
        """All that of an annotation's window is always the same."""
        around = self.windows.around(row, self._reach)
        return around if self._is_sound else self._picture(around, row, AudioChange())

    def change(self, rng: np.random.Generator | None) -> AudioChange:
        """Draw what is done to one window; nothing where `rng` is None."""
        return self.augment.draw(rng) if self.augment and rng else AudioChange()

    def finish(self, decoded: np.ndarray, row: int, change: AudioChange) -> np.ndarray:
        """The changed spectrogram, of `shape`, float32, lowest band first."""
        picture = self._picture(decoded, row, change) if self._is_sound else decoded
        return change.mask(picture)

    @property
    def _is_sound(self) -> bool:
        return self.augment is not None and self.augment.changes_sound

    @property
    def _reach(self) -> int:
        length, rate = self.windows.length, self.windows.rate
        return self.augment.reach(length, rate) if self.augment else length

    def _picture(self, around: np.ndarray, row: int, change: AudioChange) -> np.ndarray:
        decibels = self.log_mel(self.windows.sound(around, row, change))
        return minmax(decibels) if self.normalize == "minmax" else decibels
