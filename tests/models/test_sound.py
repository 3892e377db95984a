"""The spectrogram inside of an exported model is the one that training read."""

import keras
import numpy as np
import pytest

from reprise.models.sound import of_sound
from reprise.transforms.mel import LogMel, Mel, minmax


@pytest.mark.parametrize(
    ("mel", "scaled"),
    [
        (Mel(n_mels=48, n_fft=1024, hop_length=256, fmin=100), True),
        (Mel(n_mels=40, n_fft=501, hop_length=200, fmin=100, top_db=None), False),
        (Mel(n_mels=48, n_fft=1024, power=1.0), True),
    ],
)
def test_a_model_of_sound_makes_the_spectrogram_of_the_dataset(mel, scaled):
    rng = np.random.default_rng(0)
    sounds = np.zeros((3, 8000), np.float32)  # the last one is silence
    sounds[:2] = rng.normal(size=(2, 8000)) * 0.01
    sounds[0] += 0.5 * np.sin(0.3 * np.arange(8000))
    log_mel = LogMel(mel, 16000)
    expected = np.stack([minmax(log_mel(one)) if scaled else log_mel(one) for one in sounds])

    spectrogram = keras.Input((*log_mel.shape(8000), 1))
    model = keras.Model(spectrogram, keras.layers.Identity()(spectrogram))
    made = of_sound(model, mel, 16000, 8000, scaled=scaled)(sounds)

    difference = np.abs(np.asarray(made)[..., 0] - expected).max()
    assert difference < (1e-5 if scaled else 1e-3), "of 1, or decibels"
