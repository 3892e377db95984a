"""Changes to sound: loudness, noise, tempo and pitch."""

import numpy as np
import pytest

from reprise.transforms.waveform import amplified, noisy, shifted_pitch, stretched

RATE = 8000


def tone(hertz, seconds=1.0):
    at = np.arange(round(seconds * RATE))
    return (0.5 * np.sin(2 * np.pi * hertz * at / RATE)).astype(np.float32)


def peak(wave):
    """The loudest frequency, in Hz."""
    return np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave)


def test_six_decibels_double():
    wave = np.array([0.1, -0.2, 0], np.float32)
    assert np.allclose(amplified(wave, 6.0206), 2 * wave, atol=1e-6)
    assert np.allclose(amplified(wave, -20), wave / 10, atol=1e-7)
    assert amplified(wave, 3).dtype == np.float32


@pytest.mark.parametrize("snr", [-10, 0, 20])
def test_noise_is_so_far_below_the_sound(snr):
    wave = tone(440, 4)
    changed = noisy(wave, snr, np.random.default_rng(0))
    noise = (changed - wave).astype(np.float64)
    assert 10 * np.log10(np.mean(wave**2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.2)
    assert changed.dtype == np.float32
    assert np.array_equal(changed, noisy(wave, snr, np.random.default_rng(0)))


def test_silence_gets_no_noise():
    assert not noisy(np.zeros(100, np.float32), 10, np.random.default_rng(0)).any()


@pytest.mark.parametrize("length", [7000, 7999, 8000, 8001, 9100])
def test_a_stretched_sound_has_the_length_and_its_old_pitch(length):
    wave = tone(1000)
    changed = stretched(wave, length)
    assert (len(changed), changed.dtype) == (length, np.float32)
    assert peak(changed) == pytest.approx(1000, abs=3)


@pytest.mark.parametrize(("semitones", "factor"), [(12, 2.0), (-12, 0.5), (2, 1.1225)])
def test_a_shifted_pitch_keeps_the_length(semitones, factor):
    wave = tone(1000)
    changed = shifted_pitch(wave, RATE, semitones)
    assert (len(changed), changed.dtype) == (len(wave), np.float32)
    assert peak(changed) == pytest.approx(1000 * factor, rel=0.01)


def test_nothing_asked_is_nothing_done():
    wave = tone(300)
    assert stretched(wave, len(wave)) is wave
    assert shifted_pitch(wave, RATE, 0) is wave
