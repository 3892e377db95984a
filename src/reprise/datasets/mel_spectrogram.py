"""Log-mel spectrograms of windows of long recordings, with labels from a table."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Interval

from reprise.datasets.base import Sample
from reprise.datasets.decodable import Decodable, Decoded
from reprise.datasets.drawing import write_target
from reprise.datasets.moments import standardized
from reprise.datasets.sound.annotations import read_annotations, samples_of
from reprise.datasets.sound.recordings import Channel, RecordingHeader
from reprise.datasets.sound.unlabelled import SoundWindows
from reprise.datasets.sound.windows import Edges, Windows
from reprise.datasets.splits import listed_files, make_splits
from reprise.datasets.targets import Targets
from reprise.spec import Spec
from reprise.transforms.audio_augment import AudioAugment, AudioChange
from reprise.transforms.mel import LogMel, Mel, minmax

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEARNED_FROM = 256  # windows of the train split that give mean and deviation


class MelSpectrogram(Decodable):
    """Annotated stretches of long recordings, each in the middle of a window.

    A sample is a spectrogram, shape (n_mels, frames, 1), float32, lowest band first, with a frame
    every `hop_length` samples: frames = 1 + window_s * sample_rate // hop_length. Its target is
    the class of the annotation, int32; or 0 or 1 for each class, (classes,), uint8: whether it is
    heard in the window. Only the window is read from a recording.

    Args:
        annotations: CSV or Parquet file with a row for each annotation.
        recordings: Folder of FLAC, WAV or other files.
        window_s: Length of a window, in seconds.
        split: As in `make_splits`; names in a file or list are those of samples, recordings or
            groups, and stand for all samples of these.
        columns: Names of the table's columns; times are seconds from the recording's beginning.
        suffix: Appended to names of recordings in the table, to make names of files.
        group_by: Column of groups, which splits by fraction keep together; None for the recording.
        target: 'class' is the annotation's own label; 'labels' are all in the window.
        overlap: For 'labels', the fraction of an annotation, or of the window if that is shorter,
            which must be in the window.
        classes: Labels in the order of their ids; None for the table's, sorted.
        sample_rate: In Hz; recordings of other rates are resampled.
        edges: As in `Windows`.
        channel: Number of the channel to read, from 0; 'mean' averages them all.
        mel: Settings of the spectrogram.
        normalize: 'minmax' scales each spectrogram to 0..1; 'none' leaves decibels.
        split_seed: Seed of splits by fraction, which do not depend on `seed`.
        augment: Random changes in training, or None.

    Raises:
        UserError: the table or a setting is not as described.
    """

    request = "sound"

    thorough_finds_more = True

    def __init__(
        self,
        annotations: Annotated[str, "file"],
        recordings: Annotated[str, "folder"],
        window_s: Annotated[float, Gt(0)],
        split: dict[
            Literal["train", "valid", "test"],
            Annotated[float, Interval(ge=0, le=1)] | Annotated[str, "file"] | list[str] | None,
        ],
        columns: dict[Literal["recording", "label", "t_min", "t_max"], str],
        mel: Mel,
        suffix: str = "",
        group_by: str | None = None,
        target: Literal["class", "labels"] = "class",
        overlap: Annotated[float, Interval(gt=0, le=1)] = 0.5,
        classes: list[str] | None = None,
        sample_rate: Annotated[int, Ge(1)] = 22050,
        edges: Edges = "clamp",
        normalize: Literal["minmax", "none"] = "minmax",
        split_seed: Annotated[int, Ge(0)] = 0,
        augment: AudioAugment | None = None,
        channel: Channel = "mean",
    ) -> None:
        table = read_annotations(annotations, columns, suffix, group_by, Path(recordings))
        self._rows, self._targets = samples_of(table, target, classes)
        length = max(1, round(window_s * sample_rate))
        self._windows = Windows(table, Path(recordings), length, sample_rate, edges, channel)
        self._log_mel, self._normalize, self._augment = LogMel(mel, sample_rate), normalize, augment
        self._files, self._split = (Path(annotations), Path(recordings)), dict(split)
        self._split_seed, self._suffix, self._overlap = split_seed, suffix, overlap
        shape = self._log_mel.shape(length)
        self.input_spec = Spec((*shape, 1), "float32")
        self.target_spec = self._targets.spec
        # Where augmentation changes the sound, `decode` reads as much of it as any change needs;
        # otherwise it makes the spectrogram.
        self._decodes_sound = augment is not None and augment.changes_sound
        self._reach = augment.reach(length, sample_rate) if augment else length
        self.decoded = (Spec((self._reach,) if self._decodes_sound else shape, "float32"),)
        made = None if self._decodes_sound else (mel, normalize)
        sound = (length, sample_rate, edges, *([] if channel == "mean" else [channel]))
        kinds = {Path(name).suffix.lower() for name in table.recordings}
        exact = ["exact"] if kinds & {".mp3", ".ogg", ".oga"} else []  # since November 2026
        self.recipe = repr((sound, self._reach, made, *exact))
        self._notes: list[str] = []

    @classmethod
    def unlabelled(
        cls,
        given: Sequence[str],
        spec: Spec,
        *,
        sample_rate: int = 22050,
        normalize: Literal["minmax", "none"] = "minmax",
        channel: Channel = "mean",
        hop_s: float | None = None,
        **settings: Any,
    ) -> SoundWindows:
        """Windows as `BaseDataset.unlabelled` says, one every `hop_s` seconds; None: `window_s`."""
        length = max(1, round(settings["window_s"] * sample_rate))
        log_mel = LogMel(settings["mel"], sample_rate)
        return SoundWindows(
            given,
            spec,
            length=length,
            hop=length if hop_s is None else max(1, round(hop_s * sample_rate)),
            rate=sample_rate,
            channel=channel,
            spectrogram=partial(_spectrogram, log_mel, normalize),
        )

    def __len__(self) -> int:
        return len(self._rows)

    def decode(self, index: int) -> Decoded:
        row = self._rows[index]
        around = self._windows.around(row, self._reach)
        return (around if self._decodes_sound else self._spectrogram(around, row, AudioChange()),)

    def finish(self, arrays: Decoded, index: int, rng: np.random.Generator | None) -> Sample:
        change = self._augment.draw(rng) if self._augment and rng else AudioChange()
        spectrogram = arrays[0]
        if self._decodes_sound:
            spectrogram = self._spectrogram(spectrogram, self._rows[index], change)
        return change.mask(spectrogram)[..., None], self._target(index, change)

    def name(self, index: int) -> str:
        return self._windows.annotations.name(self._rows[index])

    def group(self, index: int) -> str:
        return self._windows.annotations.groups[self._rows[index]]

    def label(self, index: int) -> int | None:
        return self._targets.label(self._rows[index])

    def splits(self) -> Mapping[str, np.ndarray]:
        table, groups = self._windows.annotations, [self.group(at) for at in range(len(self))]
        keys: dict[str, list[int]] = {}
        for at, row in enumerate(self._rows.tolist()):
            file = table.recordings[table.recording[row]]
            for key in {self.name(at), file, file.removesuffix(self._suffix), groups[at]}:
                keys.setdefault(key, []).append(at)
        return make_splits(keys, groups, self._split, self._split_seed)

    def sound(self, index: int) -> np.ndarray:
        """The sound in a sample's window, unchanged: shape (samples,), float32."""
        return self._windows.around(self._rows[index], self._windows.length)

    def facts(self, index: int) -> Mapping[str, float]:
        sound = self.sound(index)
        power = float(np.mean(sound**2, dtype=np.float64))
        level = 10 * math.log10(power) if power else -math.inf
        return {"level": level, "peak": float(np.abs(sound).max())}

    def span(self, index: int) -> tuple[str, float, float]:
        table, row = self._windows.annotations, self._rows[index]
        recording = table.recordings[table.recording[row]]
        return recording, float(table.start[row]), float(table.stop[row])

    def check(self, indices: np.ndarray, *, thorough: bool = False) -> list[str]:
        checked = self._windows.check(self._rows[indices], thorough=thorough)
        self._notes = [*checked.notes, *self._rate_notes(checked.headers)]
        return checked.problems

    @property
    def notes(self) -> Sequence[str]:
        return (*self._windows.annotations.notes, *self._table_notes, *self._notes)

    @cached_property
    def _table_notes(self) -> list[str]:
        repeated = len(self._windows.annotations) - len(self)
        is_class = self.target_spec.kind == "class"
        notes = self._windows.table_notes(self._overlap if is_class else None)
        if repeated and is_class:
            notes.append(f"{repeated} rows repeat the time and the label of another: one sample")
        return notes

    def learn(self, train: np.ndarray) -> Mapping[str, Any]:
        self.read(int(train[0]), None)  # raises for impossible bands before a run begins
        flags = np.stack([self._target(int(at), AudioChange()) for at in train])
        targets = Targets(flags, self._targets.spec)
        self.target_spec, learned = targets.learned(np.arange(len(flags)))
        if self._normalize == "none":
            some = train[:: -(-len(train) // _LEARNED_FROM)].tolist()
            inputs = (self.read(index, None)[0] for index in some)
            self.input_spec = spec = standardized(self.input_spec, inputs)
            learned |= {"input_offset": list(spec.offset), "input_scale": list(spec.scale)}
        return learned

    @property
    def sources(self) -> Sequence[Path]:
        return (*self._files, *listed_files(self._split))

    def draw(
        self, axes: "Axes", x: np.ndarray, y: np.ndarray, prediction: np.ndarray | None = None
    ) -> None:
        axes.imshow(
            x[..., 0],
            origin="lower",
            aspect="auto",
            extent=(0, self._windows.length / self._windows.rate, 0, len(x)),
        )
        axes.tick_params(labelsize=7, labelleft=False, left=False)
        axes.set_xlabel("s", fontsize=7)
        write_target(axes, self.target_spec, y, prediction)

    def _rate_notes(self, headers: Mapping[str, RecordingHeader]) -> list[str]:
        """Recordings whose rate is too low for the upper bands, a line for each rate."""
        names: dict[int, list[str]] = {}
        for name, header in headers.items():
            names.setdefault(header.rate, []).append(name)
        return [
            f"{len(own)} of {len(headers)} recordings ({own[0]}) have a rate of {rate} Hz: {empty} "
            f"of {self._log_mel.mel.n_mels} bands, above {rate / 2:g} Hz, are empty in them; "
            f"dataset.mel.fmax={rate / 2:g} leaves them out"
            for rate, own in sorted(names.items())
            if (empty := self._log_mel.bands_above(rate / 2))
        ]

    def _spectrogram(self, around: np.ndarray, row: int, change: AudioChange) -> np.ndarray:
        sound = self._windows.sound(around, row, change)
        return _spectrogram(self._log_mel, self._normalize, sound)

    def _target(self, index: int, change: AudioChange) -> np.ndarray:
        row = self._rows[index]
        if self.target_spec.kind == "class":
            return self._targets.values[row, ...]
        rows = self._windows.heard(row, change, self._overlap)
        return self._targets.values[rows].any(axis=0).astype(np.uint8)


def _spectrogram(log_mel: LogMel, normalize: str, sound: np.ndarray) -> np.ndarray:
    """The model's input without its last axis: shape (n_mels, frames), float32."""
    decibels = log_mel(sound)
    return minmax(decibels) if normalize == "minmax" else decibels
