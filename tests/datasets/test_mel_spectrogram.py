"""Windows of recordings as spectrograms: values, targets, splits, and every mistake."""

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
from datasets.sounds import RATE, noise, write
from matplotlib.figure import Figure
from tiny import refused, short

from reprise.datasets.mel_spectrogram import MelSpectrogram
from reprise.errors import UserError
from reprise.transforms.audio_augment import AudioAugment, AudioChange
from reprise.transforms.mel import Mel

COLUMNS = {"recording": "recording", "label": "label", "t_min": "t_min", "t_max": "t_max"}
HALVES = {"train": 0.5, "valid": 0.5, "test": None}
TABLE = """recording,label,t_min,t_max,who
a,owl,1.0,1.4,ann
a,frog,1.6,2.0,ann
b,owl,0.2,0.3,bob
c,newt,2.5,2.9,ann
"""


def tiny(folder: Path) -> dict[str, Any]:
    """Values for conf/dataset/mel_spectrogram.yaml: 8 recordings of 2 s, with 16 annotations."""
    lines = ["recording,label,t_min,t_max"]
    for at in range(8):
        rate, channels = ((RATE, 1), (11025, 2))[at % 2]
        sound = noise(2, rate, channels, seed=at)
        write(folder / "recordings" / f"{at}.flac", sound, rate)
        lines += [f"{at},{'xyz'[at % 3]},0.1,0.4", f"{at},{'yzx'[at % 3]},1.2,1.5"]
    (folder / "annotations.csv").write_text("\n".join(lines))
    return {
        "annotations": str(folder / "annotations.csv"),
        "recordings": str(folder / "recordings"),
        "suffix": ".flac",
        "window_s": 0.5,
        "sample_rate": RATE,
        "mel": {"n_mels": 16, "n_fft": 256, "hop_length": 128},
        "augment": {
            "time_shift": 0.1,
            "gain_range": [-6, 6],
            "snr_range": [0, 20],
            "frequency_masks": 1,
            "time_masks": 1,
        },
    }


@pytest.fixture
def make(tmp_path):
    for at, name in enumerate("abc"):
        write(tmp_path / "sounds" / f"{name}.flac", noise(3, seed=at))

    def construct(table=TABLE, **changes):
        (tmp_path / "t.csv").write_text(table)
        settings = {
            "annotations": str(tmp_path / "t.csv"),
            "recordings": str(tmp_path / "sounds"),
            "suffix": ".flac",
            "window_s": 1.0,
            "split": HALVES,
            "columns": COLUMNS,
            "mel": Mel(n_mels=16, n_fft=256, hop_length=100),
            "sample_rate": RATE,
        }
        return MelSpectrogram(**(settings | changes))

    return construct


def test_a_sample_is_librosas_spectrogram_of_the_window_and_its_class(make):
    dataset = make(normalize="none")
    x, y = dataset.read(1, None)  # from 1.3 to 2.3 s
    wave = noise(3, seed=0)[10400:18400, 0].astype(np.float32) / 32768
    power = librosa.feature.melspectrogram(y=wave, sr=RATE, n_mels=16, n_fft=256, hop_length=100)
    assert (x.shape, x.dtype) == ((16, 81, 1), np.float32)
    assert np.abs(x[..., 0] - librosa.power_to_db(power, top_db=80)).max() < 1e-4
    assert (y.shape, y.dtype, int(y)) == ((), np.int32, 0)
    assert dataset.target_spec.classes == ("frog", "newt", "owl")
    stretched, _ = make().read(1, None)
    assert np.allclose(stretched, (x - x.min()) / (x.max() - x.min()), atol=1e-6)
    assert dataset.name(1) == "a.flac 1.6-2 s"
    assert [dataset.label(at) for at in range(4)] == [2, 0, 2, 1]


def test_silence_gives_zeros(make, tmp_path):
    write(tmp_path / "sounds/b.flac", np.zeros((3 * RATE, 1), np.int16))
    augment = AudioAugment(snr_range=[0, 0], gain_range=[20, 20], time_masks=1, frequency_masks=1)
    dataset = make(augment=augment)
    for rng in (None, np.random.default_rng(0)):
        x, y = dataset.read(2, rng)
        assert not x.any()
        assert dataset.target_spec.classes[y] == "owl"


def test_labels_are_all_that_are_heard_in_the_window(make):
    table = TABLE + "a,newt,1.0,1.4,ann\n"
    dataset = make(table, target="labels")
    assert len(dataset) == 4, "the two on one stretch of time are one sample"
    assert dataset.target_spec.classes == ("frog", "newt", "owl")
    targets = [dataset.read(at, None)[1] for at in range(4)]
    assert [target.tolist() for target in targets] == [[0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert targets[0].dtype == np.uint8
    assert make(table, target="labels", overlap=0.2).read(0, None)[1].tolist() == [1, 1, 1]
    assert dataset.label(0) is None


def test_labels_move_with_the_window(make):
    dataset = make(target="labels", augment=AudioAugment(time_shift=2.0))
    seen = {tuple(dataset.read(1, np.random.default_rng(seed))[1]) for seed in range(30)}
    assert seen == {(0, 0, 0), (0, 0, 1), (1, 0, 1), (1, 0, 0)}


def test_counts_are_those_of_the_train_split(make):
    dataset = make()
    assert dataset.learn(np.array([0, 1, 2])) == {"counts": {"frog": 1, "newt": 0, "owl": 2}}
    assert dataset.target_spec.counts == (1, 0, 2)
    assert dataset.input_spec.scale == ()
    several = make(target="labels")
    several.learn(np.array([0, 1]))
    assert several.target_spec.counts == (1, 0, 1)


def test_decibels_are_scaled_by_what_the_train_split_teaches(make):
    dataset = make(normalize="none")
    seen = np.stack([dataset.read(at, None)[0] for at in (0, 3)])
    learned = dataset.learn(np.array([0, 3]))
    assert learned["input_offset"] == [pytest.approx(seen.mean(), abs=1e-4)]
    assert dataset.input_spec.scale == (pytest.approx(seen.std(), abs=1e-4),)


def test_groups_are_those_of_a_column(make):
    dataset = make(group_by="who")
    assert [dataset.group(at) for at in range(4)] == ["ann", "ann", "bob", "ann"]
    assert {tuple(own) for own in dataset.splits().values()} == {(2,), (0, 1, 3)}


def test_a_split_names_samples_recordings_or_groups(make, tmp_path):
    held = make(group_by="who", split={"train": 1.0, "valid": ["c"], "test": ["bob"]})
    assert {name: own.tolist() for name, own in held.splits().items()} == {
        "train": [0, 1], "valid": [3], "test": [2],
    }  # fmt: skip
    (tmp_path / "train.txt").write_text("a.flac\nc.flac 2.5-2.9 s\n")
    files = {"train": str(tmp_path / "train.txt"), "valid": ["bob"], "test": None}
    listed = make(group_by="who", split=files)
    assert [own.tolist() for own in listed.splits().values()] == [[0, 1, 3], [2]]
    assert listed.sources == (tmp_path / "t.csv", tmp_path / "sounds", tmp_path / "train.txt")


def test_low_bands_are_at_the_bottom_of_the_picture(make):
    dataset = make()
    x = np.zeros(dataset.input_spec.shape, np.float32)
    x[0] = 1
    axes = Figure().subplots()
    dataset.draw(axes, x, np.int32(0))
    assert axes.images[0].origin == "lower"
    assert np.array_equal(axes.images[0].get_array(), x[..., 0])
    seconds = dataset._windows.length / dataset._windows.rate
    assert axes.images[0].get_extent()[:2] == [0, seconds]


MASKS = AudioAugment(frequency_masks=1, time_masks=1)
MOVES = AudioAugment(time_shift=0.3, stretch_range=[0.8, 1.25])


def test_a_spectrogram_is_decoded_unless_sounds_are_changed(make):
    plain = make().decode(1)[0]
    assert plain.shape == make().decoded[0].shape == (16, 81)
    assert np.array_equal(make(augment=MASKS).decode(1)[0], plain)
    for augment in (AudioAugment(gain_range=[0, 1]), AudioAugment(pitch_range=1.0)):
        assert make(augment=augment).decoded[0].shape == (RATE,)
    moving = make(augment=MOVES)
    reach = round(RATE * 1.25) + 2 * round(0.3 * RATE) + 4
    assert moving.decode(1)[0].shape == moving.decoded[0].shape == (reach,)


def test_without_a_draw_the_spectrogram_is_the_same_whatever_is_decoded(make):
    for index in range(4):
        plain = make().read(index, None)[0]
        for augment in (MASKS, MOVES):
            assert np.array_equal(make(augment=augment).read(index, None)[0], plain)


@pytest.mark.parametrize("edges", ["clamp", "pad"])
def test_every_change_lies_in_what_was_decoded(make, edges):
    """A window read by itself, at its own place, is the one that is cut out."""
    windows = make(augment=MOVES, edges=edges)._windows
    reach = MOVES.reach(RATE, RATE)
    for row in range(4):
        for seed in range(200):
            change = MOVES.draw(np.random.default_rng(seed))
            start, length = windows.place(row, change)
            begin = start - windows._start(row, 0.0, reach)
            assert 0 <= begin <= begin + length <= reach


def test_a_shift_is_the_window_further_on(make):
    windows = make()._windows
    change = AudioChange(shift=0.25)
    start, length = windows.place(1, change)
    expected = (noise(3)[start : start + length, 0] / 32768).astype(np.float32)
    around = windows.around(1, round(1.5 * RATE))
    assert np.array_equal(windows.sound(around, 1, change), expected)
    assert start == windows.place(1, AudioChange())[0] + RATE // 4


def test_the_recipe_is_of_what_is_decoded(make):
    plain, padded = make().recipe, make(edges="pad").recipe
    assert make(augment=MASKS).recipe == plain != padded
    assert make(augment=MOVES).recipe not in (plain, padded)


def overrides(folder: Path) -> list[str]:
    values = tiny(folder)
    words = [f"dataset.{key}={values[key]}" for key in ("annotations", "recordings", "window_s")]
    words += ["dataset.suffix=.flac", f"dataset.sample_rate={RATE}", "dataset.mel.n_mels=16"]
    return ["experiment=audio", *words, *short(folder)]


@pytest.mark.parametrize(
    ("row", "words", "named"),
    [
        ("0,x,1.2,2.4", [], ["annotations.csv, line 18", "0.flac 1.2-2.4 s"]),
        ("0,x,1.6,1.7", ["dataset.window_s=2.5"], ["shorter than the window", "0.flac"]),
    ],
)
def test_a_mistake_is_refused_before_there_is_a_run(tmp_path, row, words, named):
    command = overrides(tmp_path)
    with (tmp_path / "annotations.csv").open("a") as file:
        file.write(f"\n{row}\n")
    said = refused(*command, *words, out=tmp_path)
    for name in named:
        assert name in said


def test_bands_that_cannot_be_are_refused_before_there_is_a_run(make):
    with pytest.raises(UserError, match="narrower than"):
        make(mel=Mel(n_mels=200, n_fft=256)).learn(np.arange(2))
