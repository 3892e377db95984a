"""Make a deterministic set of long recordings: calls of six kinds over noise, and where they are.

Only integers are computed with, and FLAC's quickest setting is used, which predicts with integers
alone, so that the same bytes come out on every machine.
"""

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
import soundfile

LABELS = ("buzz", "clicks", "fall", "rise", "trill", "whistle")
SECONDS = 60
SLOT_MS = 1200  # one call somewhere in each
KINDS = ((48000, 1), (44100, 1), (48000, 1), (48000, 2))  # rate and channels of recordings, in turn
TURN = 1 << 32  # phase of a whole turn
SINE = np.round(32767 * np.sin(2 * np.pi * (np.arange(4096) + 0.5) / 4096)).astype(np.int64)


def tone(millihertz: np.ndarray, rate: int) -> np.ndarray:
    """A sine of changing frequency.

    Args:
        millihertz: Frequency at each sample, int64.
        rate: Samples in a second.

    Returns:
        Shape (samples,), int64, -32767 to 32767.
    """
    phase = np.cumsum(millihertz * TURN // (1000 * rate)) % TURN
    return SINE[phase * len(SINE) // TURN]


def call(label: str, samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    """One call.

    Args:
        label: Its kind.
        samples: Its length.
        rate: Samples in a second.
        rng: Source of its pitch and pace.

    Returns:
        Shape (samples,), int64, -32767 to 32767, with soft ends.
    """
    at = np.arange(samples, dtype=np.int64)
    low = 1000 * int(rng.integers(1000, 2500))
    pace = rate // int(rng.integers(12, 25))  # samples from beat to beat
    on = at % pace < pace // 2
    if label == "buzz":
        parts = [tone(np.full(samples, low // 6 * harmonic), rate) for harmonic in range(1, 9)]
        wave = np.sum(parts, axis=0) // len(parts)
    elif label == "clicks":
        wave = tone(np.full(samples, 2 * low), rate) * on
    elif label == "trill":
        wave = tone(np.where(on, low, low * 3 // 2), rate)
    elif label == "whistle":
        wave = tone(np.full(samples, low * 3 // 2), rate)
    else:
        sweep = low * at // samples
        wave = tone(low + sweep if label == "rise" else 2 * low - sweep, rate)
    ramp = rate // 50
    edge = np.minimum(np.minimum(at, samples - 1 - at), ramp)
    return wave * edge // ramp


def record(
    number: int, labels: list[str], rng: np.random.Generator
) -> tuple[np.ndarray, int, list[tuple[int, int, str]]]:
    """Make one recording with a call of each label, in that order.

    Returns:
        Sound, shape (samples, channels), int16; its sample rate; and for each call its beginning
        and end in milliseconds, and its label.
    """
    rate, channels = KINDS[number % len(KINDS)]
    shape = (SECONDS * rate, channels)
    hiss, hum = int(rng.integers(4, 16)), 1000 * int(rng.integers(60, 180))
    sound = np.sum([rng.integers(-hiss, hiss + 1, shape) for _ in range(4)], axis=0)
    sound += tone(np.full(SECONDS * rate, hum), rate)[:, None] * 4 * hiss // 32767
    rows = []
    for slot, label in enumerate(labels):
        length = int(rng.integers(300, 801))
        begin = slot * SLOT_MS + int(rng.integers(SLOT_MS - 100 - length))
        first, samples = begin * rate // 1000, length * rate // 1000
        loud = rng.integers(80, 1500) * rng.integers(4, 9, channels) // 8
        wave = call(label, samples, rate, rng)
        sound[first : first + samples] += wave[:, None] * loud // 32767
        rows.append((begin, begin + length, label))
    return sound.astype(np.int16), rate, rows


def write_set(out: Path, count: int, seed: int) -> None:
    """Write `out`/recordings/site_NN.flac and `out`/annotations.csv, complete or not at all.

    Args:
        out: Folder to make.
        count: Number of recordings.
        seed: Recording number i depends on the seed and i alone.
    """
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "recordings").mkdir(parents=True)
    with (partial / "annotations.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("recording", "t_min", "t_max", "label"))
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            kinds = np.arange(SECONDS * 1000 // SLOT_MS) % len(LABELS)
            labels = [LABELS[kind] for kind in rng.permutation(kinds)]
            sound, rate, rows = record(number, labels, rng)
            name = f"site_{number:02d}.flac"
            path = partial / "recordings" / name
            soundfile.write(path, sound, rate, subtype="PCM_16", compression_level=0.0)
            for begin, end, label in rows:
                table.writerow((name, f"{begin / 1000:.3f}", f"{end / 1000:.3f}", label))
    partial.rename(out)


def main() -> None:
    """Read the command line and write the set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--count", type=int, default=10, help="recordings, of a minute each")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other recordings")
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} exists already: remove it, or choose another folder")
    if options.count < 1:
        parser.error(f"--count must be at least 1, not {options.count}")
    write_set(options.out, options.count, options.seed)


if __name__ == "__main__":
    main()
