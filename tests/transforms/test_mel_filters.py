"""Filters on the mel scale against librosa's."""

import itertools
import warnings

import librosa
import numpy as np

from reprise.transforms.mel_filters import mel_filters


def test_they_are_librosas_bit_for_bit():
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
