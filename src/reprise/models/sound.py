"""A model of log-mel spectrograms as one of sound, for programs that have no reprise."""

import math

import keras
import numpy as np

from reprise.transforms.mel import FLOOR, Mel, mel_filters


def of_sound(
    model: keras.Model, mel: Mel, sample_rate: int, samples: int, *, scaled: bool
) -> keras.Model:
    """Put the spectrogram of `reprise.transforms.mel` before a model, in plain layers.

    The Fourier transform is a convolution with cosines and sines under the window, since LiteRT and
    ONNX share no other operation for it.

    Args:
        model: Takes spectrograms, (batch, n_mels, frames, 1), float32.
        mel: Settings of the spectrogram.
        sample_rate: Of the sound, in Hz.
        samples: Length of the sound.
        scaled: Whether each spectrogram is brought to 0..1, as `minmax` does.

    Returns:
        A model that takes sound, (batch, samples), float32, full scale being 1.
    """
    bins = 1 + mel.n_fft // 2
    times = np.arange(mel.n_fft)
    angles = 2 * np.pi * (times[:, None] * np.arange(bins) % mel.n_fft) / mel.n_fft
    window = 0.5 - 0.5 * np.cos(2 * np.pi * times / mel.n_fft)
    waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * window[:, None]
    filters = mel_filters(sample_rate, mel.n_fft, mel.n_mels, mel.fmin, mel.fmax).T

    sound = keras.Input((samples,), dtype="float32", name="sound")
    around = keras.layers.ZeroPadding1D(mel.n_fft // 2)(keras.ops.expand_dims(sound, -1))
    kernel = waves[:, None].astype(np.float32)
    parts = keras.ops.conv(around, kernel, strides=mel.hop_length, data_format="channels_last")
    squares = keras.ops.square(parts)
    power = squares[..., :bins] + squares[..., bins:]
    if mel.power != 2:
        power = keras.ops.power(power, mel.power / 2)
    bands = keras.ops.transpose(keras.ops.matmul(power, filters), (0, 2, 1))
    decibels = keras.ops.log(keras.ops.maximum(bands, FLOOR)) * (10 / math.log(10))
    loudest = keras.ops.max(decibels, axis=(1, 2), keepdims=True)
    if mel.top_db is not None:
        decibels = keras.ops.maximum(decibels, loudest - mel.top_db)
    if scaled:
        decibels = decibels - keras.ops.min(decibels, axis=(1, 2), keepdims=True)
        span = keras.ops.max(decibels, axis=(1, 2), keepdims=True)
        decibels = decibels / keras.ops.maximum(span, keras.config.epsilon())
    return keras.Model(sound, model(keras.ops.expand_dims(decibels, -1)), name="of_sound")
