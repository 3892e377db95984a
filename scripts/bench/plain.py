"""Datasets for comparison: the plain librosa chain, images as float32, and no work at all."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reprise.datasets.base import Dataset, Sample
from reprise.datasets.mel_spectrogram import MelSpectrogram
from reprise.spec import Spec


class _Wrapped(Dataset):
    """Samples of another dataset, read in another way."""

    _dataset: Dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def name(self, index: int) -> str:
        return self._dataset.name(index)

    def splits(self) -> Mapping[str, np.ndarray]:
        return self._dataset.splits()


class AsFloat(_Wrapped):
    """Pictures of another dataset in 0 to 1, float32, as most pipelines hand them on."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.input_spec = Spec(dataset.input_spec.shape, "float32")
        self.target_spec = dataset.target_spec

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        x, y = self._dataset.read(index, rng)
        return np.multiply(x, np.float32(1 / 255), dtype=np.float32), y


class Paced(_Wrapped):
    """A blank sample of another dataset's kind after a wait: what else it costs is the loader's.

    Args:
        dataset: For the shapes.
        seconds: The wait.
    """

    def __init__(self, dataset: Dataset, seconds: float) -> None:
        self._dataset, self._seconds = dataset, seconds
        self.input_spec, self.target_spec = dataset.input_spec, dataset.target_spec
        self._blank = tuple(np.zeros(s.shape, s.dtype) for s in (self.input_spec, self.target_spec))

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        time.sleep(self._seconds)
        return self._blank[0], self._blank[1]


class PlainMel(_Wrapped):
    """The samples of a MelSpectrogram as a careful user writes them: a slice read, then librosa.

    Args:
        dataset: For the labels, and the windows' places.
        recordings: Folder of the recordings.
        rate: Of the recordings, in Hz.
        window_s: Length of a window, in seconds.
    """

    def __init__(self, dataset: MelSpectrogram, recordings: Path, rate: int, window_s: float):
        self.input_spec, self.target_spec = dataset.input_spec, dataset.target_spec
        self._dataset, self._recordings = dataset, recordings
        self._rate, self._length = rate, round(window_s * rate)

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        import librosa
        import soundfile

        file, begin = place(self._dataset.name(index), self._rate, self._length)
        with soundfile.SoundFile(self._recordings / file) as sound:
            begin = min(begin, sound.frames - self._length)
            sound.seek(begin)
            wave = sound.read(self._length, dtype="float32")
        power = librosa.feature.melspectrogram(
            y=wave, sr=self._rate, n_fft=2048, hop_length=512, n_mels=self.input_spec.shape[0],
            pad_mode="constant",
        )  # fmt: skip
        decibels = librosa.power_to_db(power)
        decibels -= decibels.min()
        decibels /= decibels.max()
        return decibels[..., None], np.asarray(self._dataset.label(index), np.int32)


def place(name: str, rate: int, length: int) -> tuple[str, int]:
    """The recording of a sample, and the first frame of a window around the middle of its call."""
    file, _, span = name.partition(" ")
    low, high = (float(end) for end in span.removesuffix("s").strip().split("-"))
    return file, max(0, round((low + high) / 2 * rate) - length // 2)
