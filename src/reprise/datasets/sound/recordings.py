"""Reads headers and slices of long recordings, at any sample rate.

Recordings are in any format that libsndfile reads: FLAC, WAV, Ogg and others. No file stays open.
"""

import re
from contextlib import suppress
from functools import lru_cache
from math import gcd
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import soundfile
import soxr
from annotated_types import Ge

from reprise.errors import UserError

# Samples of the lower rate that the resampler needs on both sides of a slice. From 128 on, the
# result is that of the whole recording resampled, within 3e-6 for white noise (measured).
_MARGIN = 192
_VORBIS_PAGE = 255 * 1024
_MP3_RESERVOIR = 32 * 1152
_NO_LENGTH = 0x7FFFF000  # about what programs write that do not know a length yet
_UNKNOWN = 2**62  # about the length that libsndfile gives for a header without a length


Channel = Annotated[int, Ge(0)] | Literal["mean"]


class RecordingHeader(NamedTuple):
    """Length of a recording, in samples of each channel, its sample rate, in Hz, and channels."""

    frames: int
    rate: int
    channels: int = 1

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.rate


def read_header(path: Path) -> RecordingHeader:
    """Read a recording's header.

    Raises:
        UserError: the file is missing, empty, without sound, no recording, or of unknown length.
    """
    with suppress(OSError):  # libsndfile has the better message
        return _read_header(path, path.stat().st_mtime_ns)
    return _read_header(path, 0)


def require_end(path: Path) -> None:
    """Refuse a recording that is shorter than its header says, by reading its last sample.

    Raises:
        UserError: it is, or the header cannot be read.
    """
    header = read_header(path)
    read_frames(path, header.frames - 1, header.frames)


def cut_short(path: Path) -> str:
    """How much sound is missing of a WAV, AIFF or W64 whose header promises more; '' if none.

    Of other kinds a reading of what is missing fails. A header without a length promises nothing.
    """
    with soundfile.SoundFile(path) as file:
        found = re.search(r"\b(?:data|SSND) : (\d+) \(should be (\d+)\)", file.extra_info)
    promised, there = map(int, found.groups()) if found else (0, 0)
    if not there < promised < _NO_LENGTH:
        return ""
    return f"{there:,} of {promised:,} bytes of sound are there"


def read_slice(
    path: Path, start: int, length: int, rate: int, channel: Channel = "mean"
) -> np.ndarray:
    """Read `length` samples of a recording at a given sample rate.

    Args:
        path: The recording.
        start: First sample at `rate`; silence precedes and follows the recording.
        length: Number of samples.
        rate: Sample rate, in Hz. A recording of another rate is resampled by soxr ('HQ'), with the
            same result as if the whole recording were resampled.
        channel: Number of the channel to read, from 0; 'mean' averages them all.

    Returns:
        Shape (length,), float32, full scale being 1.

    Raises:
        UserError: the recording cannot be read there; the message names it.
    """
    header = read_header(path)
    first, stop = max(start, 0), min(start + length, length_at(header, rate))
    if first >= stop:
        return np.zeros(length, np.float32)
    sound = _resampled(path, header, first, stop, rate, channel)
    return np.pad(sound, (first - start, start + length - stop)) if len(sound) < length else sound


def length_at(header: RecordingHeader, rate: int) -> int:
    """Number of samples of a recording at `rate`, in Hz."""
    return header.frames * rate // header.rate


@lru_cache(maxsize=4096)
def _read_header(path: Path, modified_ns: int) -> RecordingHeader:
    """Cached, since a window asks several times; `modified_ns` identifies a replaced file."""
    try:
        with soundfile.SoundFile(path) as file:
            header = RecordingHeader(file.frames, file.samplerate, file.channels)
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, _reason(path, error)) from error
    if not 0 < header.frames < _UNKNOWN:
        size = f"0 samples, or a header that does not say how many, in {path.stat().st_size} bytes"
        raise _unreadable(path, f"{size} (ffmpeg -i {path.name} NEW writes it anew)")
    return header


def span(header: RecordingHeader, first: int, stop: int, rate: int) -> tuple[int, int]:
    """The frames of a file that its samples from `first` to `stop` at `rate` are made of."""
    if header.rate == rate:
        return first, stop
    # Every `step` frames of the file, both rates have a sample at the same instant: start there.
    step = header.rate // gcd(header.rate, rate)
    margin = _MARGIN * max(1, header.rate // rate + 1)
    begin = max(0, first * header.rate // rate - margin) // step * step
    return begin, min(header.frames, -(-stop * header.rate // rate) + margin)


def read_frames(path: Path, start: int, stop: int) -> np.ndarray:
    """Read all channels at the file's own rate: shape (stop - start, channels), float32.

    Raises:
        UserError: the file cannot be read there, or ends before `stop`.
    """
    try:
        with soundfile.SoundFile(path) as file:
            begin = _safe_start(file, start)
            file.seek(begin)
            frames = file.read(stop - begin, dtype="float32", always_2d=True)[start - begin :]
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, _reason(path, error)) from error
    place = f"from {start / rate:.6g} to {stop / rate:.6g} s"
    if len(frames) < stop - start:
        raise _unreadable(path, f"{len(frames)} of {stop - start} samples {place}: it is cut short")
    if not np.isfinite(frames).all():
        raise _unreadable(path, f"values that are no numbers (NaN or infinite) {place}")
    return frames


def require_channel(path: Path, header: RecordingHeader, channel: Channel) -> None:
    """Raise a UserError if a recording does not have this channel."""
    if channel != "mean" and channel >= header.channels:
        raise UserError(
            f"{path} has no channel {channel}",
            f"at least {channel + 1} channels, numbered from 0, for dataset.channel={channel}",
            f"{header.channels} channel(s)",
            "choose another dataset.channel, or mean, which averages what there is",
        )


def _resampled(
    path: Path, header: RecordingHeader, first: int, stop: int, rate: int, channel: Channel
) -> np.ndarray:
    require_channel(path, header, channel)
    begin, end = span(header, first, stop, rate)
    frames = read_frames(path, begin, end)
    if channel == "mean" and header.channels > 1:
        part = frames.mean(axis=1)
    else:
        part = frames[:, 0 if channel == "mean" else channel]
    if header.rate == rate:
        return part
    part = soxr.resample(part, header.rate, rate, quality="HQ")
    skipped = first - begin * rate // header.rate
    return part[skipped : skipped + stop - first]


def _safe_start(file: soundfile.SoundFile, start: int) -> int:
    """Where to begin reading, for the same samples at `start` as when the whole file is read.

    libsndfile (1.2.2, issue 885) miscounts where it seeks into the last page of Ogg Vorbis, of at
    most 255 packets. A frame of MP3 needs bits of those before it.
    """
    if file.subtype == "VORBIS":
        return max(0, min(start, file.frames - _VORBIS_PAGE))
    if file.subtype.startswith("MPEG"):
        return max(0, start - _MP3_RESERVOIR)
    return start


def _reason(path: Path, error: soundfile.LibsndfileError) -> str:
    if not path.is_file():
        return "no such file"
    if not path.stat().st_size:
        return "an empty file (0 bytes)"
    return f"a file that is cut short, damaged, or no recording (libsndfile: {error.error_string})"


def _unreadable(path: Path, received: str) -> UserError:
    return UserError(
        f"{path} cannot be read",
        "a whole recording, in FLAC, WAV or another kind that libsndfile reads",
        received,
        "copy the file again from its source, or take its rows out of the table",
    )
