"""The draw of changes to a window of sound, and the masks on its spectrogram."""

import numpy as np
import pytest

from reprise.errors import UserError
from reprise.transforms.audio_augment import AudioAugment, AudioChange

EVERYTHING = {
    "time_shift": 0.5,
    "stretch_range": [0.8, 1.25],
    "pitch_range": 2.0,
    "gain_range": [-6.0, 3.0],
    "snr_range": [10.0, 40.0],
    "frequency_masks": 2,
    "time_masks": 1,
}
WAVE = np.sin(np.arange(4000) / 5).astype(np.float32)


def drawn(count=300, **settings):
    augment = AudioAugment(**settings)
    return [augment.draw(np.random.default_rng(seed)) for seed in range(count)]


def test_the_default_changes_nothing():
    change = AudioAugment().draw(np.random.default_rng(0))
    assert (change.shift, change.tempo, change.pitch, change.gain, change.snr) == (0, 1, 0, 0, None)
    for one in (change, AudioChange()):
        assert one.sound(WAVE, len(WAVE), 8000) is WAVE
        assert one.mask(WAVE.reshape(40, 100)).base is WAVE


@pytest.mark.parametrize(
    ("setting", "value", "attribute", "low", "high"),
    [
        ("time_shift", 0.5, "shift", -0.5, 0.5),
        ("stretch_range", [0.8, 1.25], "tempo", 0.8, 1.25),
        ("pitch_range", 2.0, "pitch", -2, 2),
        ("gain_range", [-6.0, 3.0], "gain", -6, 3),
        ("snr_range", [10.0, 40.0], "snr", 10, 40),
    ],
)
def test_values_fill_their_range(setting, value, attribute, low, high):
    values = [getattr(change, attribute) for change in drawn(**{setting: value})]
    span = high - low
    assert low <= min(values) < low + 0.05 * span
    assert high - 0.05 * span < max(values) <= high
    assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.1 * span)


def test_turning_one_change_off_leaves_the_others_as_they_are():
    full = drawn(1, **EVERYTHING)[0]
    for setting in EVERYTHING:
        less = drawn(1, **{key: value for key, value in EVERYTHING.items() if key != setting})[0]
        same = [
            getattr(full, name) == getattr(less, name)
            for name in ("shift", "tempo", "pitch", "gain", "snr")
        ] + [full.masks[0] == less.masks[0]]
        assert same.count(False) == (0 if setting == "time_masks" else 1), setting


def test_gain_and_noise_reach_the_sound():
    change = drawn(1, gain_range=[20.0, 20.0])[0]
    assert np.allclose(change.sound(WAVE, 4000, 8000), 10 * WAVE, atol=1e-5)
    change = drawn(1, snr_range=[0.0, 0.0])[0]
    noise = change.sound(WAVE, 4000, 8000) - WAVE
    both = AudioChange(tempo=1.25, pitch=1.0)
    assert both.sound(np.tile(WAVE, 2)[:5000], 4000, 8000).shape == (4000,)
    assert np.mean(noise**2) == pytest.approx(np.mean(WAVE**2), rel=0.1)


def test_masks_are_blanked_with_the_mean_and_no_wider_than_asked():
    picture = np.random.default_rng(0).random((40, 100), np.float32)
    heights, widths = [], []
    for change in drawn(frequency_masks=1, frequency_mask_width=0.25, time_masks=1,
                        time_mask_width=0.1):  # fmt: skip
        masked = change.mask(picture)
        is_mean = masked == picture.mean()
        heights.append(int(is_mean.all(axis=1).sum()))
        widths.append(int(is_mean.all(axis=0).sum()))
        rest = masked[~is_mean.all(axis=1)][:, ~is_mean.all(axis=0)]
        assert np.isin(rest, picture).all()
    assert (min(heights), max(heights)) == (0, 10)
    assert (min(widths), max(widths)) == (0, 10)
    assert np.mean(heights) == pytest.approx(5, abs=0.6)


def test_a_mask_can_cover_everything_and_stand_anywhere():
    picture = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.all(AudioChange(masks=([(0.999, 0.5)], [])).mask(picture) == 5.5)
    assert AudioChange(masks=([], [(0.3, 0.999)])).mask(picture)[:, 3].tolist() == [5.5] * 3
    assert picture[0, 3] == 3, "the input is left as it was"


@pytest.mark.parametrize("key", ["stretch_range", "gain_range", "snr_range"])
def test_a_range_that_runs_backwards_is_refused(key):
    with pytest.raises(UserError, match=rf"(?s)dataset.augment.{key} runs backwards.*\[1.0,2.0\]"):
        AudioAugment(**{key: [2.0, 1.0]})


def test_what_changes_sounds_and_how_far_it_reaches():
    assert not AudioAugment(frequency_masks=3, time_masks=1, time_mask_width=0.5).changes_sound
    for key in ("time_shift", "stretch_range", "pitch_range", "gain_range", "snr_range"):
        assert AudioAugment(**{key: EVERYTHING[key]}).changes_sound
    assert AudioAugment(gain_range=[0, 1], stretch_range=[0.5, 0.9]).reach(1000, 8000) == 1000
    assert AudioAugment(stretch_range=[0.5, 1.2]).reach(1000, 8000) == 1204
    assert AudioAugment(time_shift=0.5).reach(1000, 8000) == 9004


RATE = 8000


def tone(hertz, seconds=1.0):
    at = np.arange(round(seconds * RATE))
    return (0.5 * np.sin(2 * np.pi * hertz * at / RATE)).astype(np.float32)


def peak(wave):
    """The loudest frequency, in Hz."""
    return np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave)


def noisy(wave, snr):
    return AudioChange(snr=snr, noise=np.random.default_rng(0)).sound(wave, len(wave), RATE)


@pytest.mark.parametrize("snr", [-10, 0, 20])
def test_noise_is_so_far_below_the_sound(snr):
    wave = tone(440, 4)
    changed = noisy(wave, snr)
    noise = (changed - wave).astype(np.float64)
    assert 10 * np.log10(np.mean(wave**2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.2)
    assert changed.dtype == np.float32
    assert np.array_equal(changed, noisy(wave, snr))
    assert not noisy(np.zeros(100, np.float32), snr).any()


@pytest.mark.parametrize("length", [7000, 7999, 8000, 8001, 9100])
def test_a_stretched_sound_has_the_length_and_its_old_pitch(length):
    wave = tone(1000)
    changed = AudioChange().sound(wave, length, RATE)
    assert (len(changed), changed.dtype) == (length, np.float32)
    assert peak(changed) == pytest.approx(1000, abs=3)


@pytest.mark.parametrize(("semitones", "factor"), [(12, 2.0), (-12, 0.5), (2, 1.1225)])
def test_a_shifted_pitch_keeps_the_length(semitones, factor):
    wave = tone(1000)
    changed = AudioChange(pitch=semitones).sound(wave, len(wave), RATE)
    assert (len(changed), changed.dtype) == (len(wave), np.float32)
    assert peak(changed) == pytest.approx(1000 * factor, rel=0.01)
