"""Log-mel spectrograms against librosa's own chain."""

import itertools
import pickle
import warnings

import librosa
import numpy as np
import pytest

from reprise.errors import UserError
from reprise.transforms.mel import LogMel, Mel, mel_filters, minmax

SETTINGS = {
    "defaults": (Mel(), 22050),
    "bands of a call": (Mel(n_mels=64, n_fft=512, hop_length=128, fmin=50, fmax=3000), 8000),
    "amplitude, no floor": (Mel(n_mels=40, n_fft=1024, power=1.0, top_db=None), 16000),
    "no floor, and so in float64": (Mel(n_mels=64, top_db=None), 22050),
    "odd n_fft": (Mel(n_mels=20, n_fft=401, hop_length=160, top_db=60.0), 16000),
    "a power of its own": (Mel(n_mels=40, n_fft=2048, power=1.3, top_db=None), 48000),
}


def by_librosa(wave, rate, mel):
    power = librosa.feature.melspectrogram(
        y=wave, sr=rate, n_fft=mel.n_fft, hop_length=mel.hop_length, power=mel.power,
        n_mels=mel.n_mels, fmin=mel.fmin, fmax=mel.fmax,
    )  # fmt: skip
    return librosa.power_to_db(power, top_db=mel.top_db)


def sounds(count, rate):
    rng = np.random.default_rng(0)
    at = np.arange(count)
    return {
        "noise": 0.1 * rng.standard_normal(count),
        "a pure tone, beside which float32 errs by decibels": np.sin(2 * np.pi * 1000 * at / rate),
        "a click": (at == count // 2).astype(float),
        "a loud tone, then a faint one": np.where(
            at < count // 2, np.sin(at / 9), 1e-4 * np.sin(at / 3)
        ),
        "almost nothing": 1e-4 * rng.standard_normal(count),
        "silence": np.zeros(count),
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_values_are_librosas_within_a_thousandth_of_a_decibel(name):
    mel, rate = SETTINGS[name]
    within = 1e-4 if mel.top_db is None else 1e-3  # float64, as librosa; float32
    transform = LogMel(mel, rate)
    for count in (rate, rate + 1, 70 * mel.hop_length):
        for kind, sound in sounds(count, rate).items():
            wave = sound.astype(np.float32)
            mine, theirs = transform(wave), by_librosa(wave, rate, mel)
            assert mine.shape == theirs.shape == transform.shape(count), kind
            assert mine.dtype == np.float32
            assert np.abs(mine - theirs).max() < within, kind


@pytest.mark.parametrize("count", [1, 100, 401])
def test_a_sound_shorter_than_the_transform_is_librosas_too(count):
    mel, rate = SETTINGS["odd n_fft"]
    wave = np.random.default_rng(1).standard_normal(count).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = by_librosa(wave, rate, mel)
    assert np.abs(LogMel(mel, rate)(wave) - theirs).max() < 1e-3


def test_minmax_spans_zero_to_one_and_silence_is_zeros():
    decibels = np.array([[-60, -20], [-30, -40]], np.float32)
    assert minmax(decibels).tolist() == [[0, 1], [0.75, 0.5]]
    silence = LogMel(Mel(), 22050)(np.zeros(22050, np.float32))
    assert silence.shape == (128, 44)
    assert np.allclose(silence, -100, atol=1e-5)
    assert np.all(minmax(silence) == 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fmax": 12000.0}, r"(?s)bands do not fit.*at most 11025 Hz.*fmax=12000.*sample_rate"),
        ({"fmin": 4000.0, "fmax": 3000.0}, r"(?s)fmin below fmax.*fmin=4000 fmax=3000"),
        ({"fmin": 11025.0}, r"(?s)fmin below fmax.*fmin=11025 fmax=11025"),
        (
            {"n_mels": 200, "n_fft": 256},
            r"(?s)narrower than.*86\.1.* Hz apart.*of n_mels=200 bands.*lowest is band 0",
        ),
    ],
)
def test_bands_that_cannot_be_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        pickle.dumps(LogMel(Mel(**settings), 22050))  # which makes the filters


def test_filters_are_librosas_bit_for_bit():
    ends = [(0.0, None), (50.0, 3000.0), (500.0, 900.0), (1000.0, 4000.0)]
    for rate, n_fft, n_mels, (fmin, fmax) in itertools.product(
        (8000, 22050, 48000), (401, 512, 2048), (1, 20, 128, 256), ends
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of empty bands
            theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
        mine = mel_filters(rate, n_fft, n_mels, fmin, fmax)
        assert mine.dtype == theirs.dtype == np.float32
        assert np.array_equal(mine, theirs), (rate, n_fft, n_mels, fmin, fmax)
