"""What windows of recordings sound like: clipping, offsets, channels that cancel."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from reprise.datasets.sound.recordings import Channel

_SILENT = 1e-9  # power, full scale being 1: below the last bit of 16
_OFFSET = 0.05  # constant part, of full scale
_CLIPPED = 4, 0.001, 0.5  # samples in a row at the largest value; fraction of all; least value
_CANCELLED = 0.1, 0.5  # kept by the mean, of what channels keep that have nothing in common


class Heard(NamedTuple):
    """What a window sounds like.

    Args:
        powers: Power of each channel without its constant part, full scale being 1.
        mean_power: Power of the channels' mean, likewise.
        offset: Largest constant part of a channel, as a magnitude.
        peak: Largest magnitude.
        is_clipped: The largest value is held for several samples, again and again.
    """

    powers: np.ndarray
    mean_power: float
    offset: float
    peak: float
    is_clipped: bool


def hear(frames: np.ndarray) -> Heard:
    """Measure a window: shape (samples, channels), float32."""
    means = frames.mean(axis=0, dtype=np.float64)
    swinging = frames - means
    magnitudes = np.abs(frames)
    peak = float(magnitudes.max())
    run, fraction, least = _CLIPPED
    is_clipped = False
    if peak >= least:
        held = magnitudes == peak
        runs = np.logical_and.reduce([held[at : len(held) - run + at + 1] for at in range(run)])
        is_clipped = bool(runs.sum() >= fraction * held.size)
    powers = np.square(swinging).mean(axis=0)
    mean_power = float(np.square(swinging.mean(axis=1)).mean())
    return Heard(powers, mean_power, float(np.abs(means).max()), peak, is_clipped)


def kept_by_mean(powers: np.ndarray, mean_power: float) -> float:
    """Power that the mean of channels keeps: 1 where they have nothing in common, 0 for opposites.

    Args:
        powers: Of each channel.
        mean_power: Of the mean of the channels.
    """
    return mean_power * len(powers) / max(float(powers.mean()), _SILENT)


def is_cancelled(powers: np.ndarray, mean_power: float) -> bool:
    """Whether the mean of channels is as good as silent, although they are not."""
    return powers.max() > _SILENT and kept_by_mean(powers, mean_power) < _CANCELLED[0]


def channel_notes(
    channel: Channel, sounds: Mapping[str, tuple[np.ndarray, float]], counts: Mapping[str, int]
) -> list[str]:
    """What is lost of recordings with several channels, one line each.

    Args:
        channel: Which is read.
        sounds: For each recording that was heard, the powers of its channels and of their mean.
        counts: Number of channels of each recording.
    """
    notes = []
    several = [name for name, count in counts.items() if count > 1]
    if not several:
        return []
    numbers = " or ".join(map(str, sorted({counts[name] for name in several})))
    read = (
        "which are averaged; dataset.channel=0 reads one of them"
        if channel == "mean"
        else f"of which channel {channel} is read"
    )
    notes.append(f"{_some(several, len(counts), 'recording')} have {numbers} channels, {read}")
    heard = {name: sounds[name] for name in several if name in sounds}
    if channel == "mean":
        weak = [
            name
            for name, sound in heard.items()
            if sound[0].min() > _SILENT and _CANCELLED[0] <= kept_by_mean(*sound) < _CANCELLED[1]
        ]
        if weak:
            said = _some(weak, len(counts), "recording")
            notes.append(f"in {said} the channels cancel in part; dataset.channel=0 reads one")
        silent = [n for n, (own, _) in heard.items() if own.min() <= _SILENT < own.max()]
        what = "one channel or more is silent, which makes the mean quieter: dataset.channel=0"
    else:
        silent = [
            n for n, (powers, _) in heard.items() if powers[channel] <= _SILENT < powers.max()
        ]
        what = f"channel {channel}, which is read, is silent, and another one is not"
    if silent:
        notes.append(f"in {_some(silent, len(counts), 'recording')} {what}")
    return notes


def window_notes(heard: Mapping[str, Heard]) -> list[str]:
    """What is odd about windows, by name, one line for each kind."""
    notes, total = [], len(heard)
    clipped = [name for name, one in heard.items() if one.is_clipped]
    shifted = [name for name, one in heard.items() if one.offset > _OFFSET]
    loud = [name for name, one in heard.items() if one.peak > 1]
    if clipped:
        notes.append(f"{_some(clipped, total, 'window')} are clipped")
    if shifted:
        most = max(one.offset for one in heard.values())
        what = f"have a constant offset, of up to {most:.2g} of full scale, which low bands show"
        notes.append(f"{_some(shifted, total, 'window')} {what}")
    if loud:
        most = max(one.peak for one in heard.values())
        what = f"have values beyond full scale, up to {most:.4g}; they are read as they are"
        notes.append(f"{_some(loud, total, 'window')} {what}")
    return notes


def _some(names: list[str], total: int, kind: str) -> str:
    """'3 of 12 recordings (a.wav, b.wav, …)'."""
    shown = ", ".join(names[:2]) + (", …" if len(names) > 2 else "")
    return f"{len(names)} of {total} {kind}{'s' * (total != 1)} ({shown})"
