"""Recordings without annotations: a window of the model's length every so many seconds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from reprise.datasets.sound.recordings import Channel, cut_short, length_at, read_header, read_slice
from reprise.datasets.unlabelled import Unlabelled, find_given
from reprise.errors import UserError
from reprise.spec import Spec

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".aifc", ".opus", ".w64")


class SoundWindows(Unlabelled):
    """Windows of recordings, in order; the last one ends where the recording does.

    An input is a spectrogram, shape (n_mels, frames, 1), float32. A recording that is shorter than
    a window is followed by silence.

    Args:
        given: Recordings, folders, patterns.
        spec: Of the run's input.
        length: Samples of a window, at `rate`.
        hop: Samples from the beginning of a window to that of the next.
        rate: In Hz; recordings of other rates are resampled.
        channel: As in `Windows`.
        spectrogram: From sound, shape (length,), float32, to bands and frames.

    Attributes:
        files: Of the recordings.
        file: Number of each window's recording, shape (windows,), int64.
        start: First sample of each window, shape (windows,), int64.
        stop: Sample after its last in the recording, likewise.
        rate: As given.
    """

    def __init__(
        self,
        given: Sequence[str],
        spec: Spec,
        *,
        length: int,
        hop: int,
        rate: int,
        channel: Channel,
        spectrogram: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self.files, self._names, notes = find_given(given, SUFFIXES)
        self.input_spec, self.rate = spec, rate
        self._length, self._channel, self._spectrogram = length, channel, spectrogram
        files, starts, stops = [], [], []
        for number, path in enumerate(self.files):
            try:
                samples = length_at(read_header(path), rate)
                if cut := cut_short(path):
                    notes.append(f"{self._names[number]} is cut short: {cut}")
            except UserError:  # its one window raises it again when it is read
                samples = 0
            last = max(0, samples - length)
            own = np.arange(0, last + 1, hop)
            own = own if own[-1] == last else np.append(own, last)
            files.append(np.full(len(own), number))
            starts.append(own)
            stops.append(np.minimum(own + length, samples))
        self.notes = notes
        self.file, self.start, self.stop = map(np.concatenate, (files, starts, stops))

    def __len__(self) -> int:
        return len(self.file)

    def name(self, index: int) -> str:
        name = self._names[self.file[index]]
        return f"{name}, {self.start[index] / self.rate:g} s to {self.stop[index] / self.rate:g} s"

    def came_in(self) -> Mapping[str, Sequence[Any]]:
        return {
            "file": [self._names[number] for number in self.file],
            "start": (self.start / self.rate).tolist(),
            "end": (self.stop / self.rate).tolist(),
        }

    def read_input(self, index: int) -> np.ndarray:
        return self.stretch(self.file[index], int(self.start[index]), self._length)

    def stretch(self, file: int, start: int, length: int) -> np.ndarray:
        """Spectrogram of a stretch of a recording: its number, first sample, and samples."""
        sound = read_slice(self.files[file], start, length, self.rate, self._channel)
        return self._spectrogram(sound)[..., None]
