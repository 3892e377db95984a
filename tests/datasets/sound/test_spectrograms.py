"""Spectrograms in two steps: what is always the same, and what is drawn."""

import numpy as np
import pytest
from datasets.sounds import RATE, noise, write

from reprise.datasets.sound.annotations import read_annotations
from reprise.datasets.sound.spectrograms import Spectrograms
from reprise.datasets.sound.windows import Windows
from reprise.transforms.audio_augment import AudioAugment
from reprise.transforms.mel import LogMel, Mel

COLUMNS = {"recording": "file", "label": "label", "t_min": "from", "t_max": "to"}
MASKS = AudioAugment(frequency_masks=1, time_masks=1)
MOVES = AudioAugment(time_shift=0.3, stretch_range=[0.8, 1.25])


@pytest.fixture
def pictures(tmp_path):
    write(tmp_path / "a.flac", noise(4))
    rows = "a.flac,x,0,0.2\na.flac,x,1.4,1.9\na.flac,x,3.9,4\n"
    (tmp_path / "t.csv").write_text("file,label,from,to\n" + rows)
    table = read_annotations(str(tmp_path / "t.csv"), COLUMNS, "", None)

    def make(augment, edges="clamp"):
        windows = Windows(table, tmp_path, RATE // 2, RATE, edges)
        return Spectrograms(windows, LogMel(Mel(n_mels=16, n_fft=256), RATE), "minmax", augment)

    return make


def test_a_spectrogram_is_decoded_unless_sounds_are_changed(pictures):
    plain = pictures(None).decode(1)
    assert plain.shape == pictures(None).shape == pictures(None).decoded.shape
    assert np.array_equal(pictures(MASKS).decode(1), plain)
    for augment in (AudioAugment(gain_range=[0, 1]), AudioAugment(pitch_range=1.0)):
        assert pictures(augment).decoded.shape == (RATE // 2,)
    moving = pictures(MOVES)
    reach = round(RATE // 2 * 1.25) + 2 * round(0.3 * RATE) + 4
    assert moving.decode(1).shape == moving.decoded.shape == (reach,)


def test_without_a_draw_the_spectrogram_is_the_same_whatever_is_decoded(pictures):
    for row in range(3):
        plain = pictures(None).decode(row)
        for augment in (MASKS, MOVES):
            made = pictures(augment)
            found = made.finish(made.decode(row), row, made.change(None))
            assert np.array_equal(found, plain)


@pytest.mark.parametrize("edges", ["clamp", "pad"])
def test_every_change_lies_in_what_was_decoded(pictures, edges):
    """A window read by itself, at its own place, is the one that is cut out."""
    made = pictures(MOVES, edges)
    for row in range(3):
        around = made.decode(row)
        for seed in range(200):
            change = made.change(np.random.default_rng(seed))
            start, length = made.windows.place(row, change)
            begin = start - made.windows._start(row, 0.0, len(around))
            assert 0 <= begin <= begin + length <= len(around)


def test_a_shift_is_the_window_further_on(pictures, tmp_path):
    made = pictures(AudioAugment(time_shift=0.3))
    change = made.change(np.random.default_rng(1))
    found = made.windows.sound(made.decode(1), 1, change)
    start, length = made.windows.place(1, change)
    expected = (noise(4)[start : start + length, 0] / 32768).astype(np.float32)
    assert np.array_equal(found, expected)
    assert round(change.shift * RATE) != 0


def test_the_recipe_is_of_what_is_decoded(pictures):
    assert pictures(None).recipe == pictures(MASKS).recipe
    assert pictures(MOVES).recipe not in (pictures(None).recipe, pictures(None, "pad").recipe)
    assert pictures(None).recipe != pictures(None, "pad").recipe
