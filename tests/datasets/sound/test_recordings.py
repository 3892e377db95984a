"""Slices of long recordings: exact, at any rate, and what of a damaged file is said."""

import numpy as np
import pytest
import soundfile
from datasets.sounds import RATE, empty_flac, noise, write
from librosa import resample  # before TensorFlow, whose lazy modules it would wake

from reprise.datasets.sound import recordings
from reprise.datasets.sound.recordings import (
    RecordingHeader,
    length_at,
    read_header,
    read_slice,
    require_end,
)
from reprise.errors import UserError


@pytest.fixture
def flac(tmp_path):
    return write(tmp_path / "a.flac", noise(3))


def test_the_header_says_length_and_rate(tmp_path):
    header = read_header(write(tmp_path / "a.wav", noise(2.5, 44100, 2), 44100))
    assert header == RecordingHeader(110250, 44100, 2)
    assert header.seconds == 2.5
    assert length_at(header, 16000) == 40000
    assert length_at(RecordingHeader(3, 44100), 16000) == 1


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_a_slice_has_exactly_the_samples_asked_for(tmp_path, suffix):
    sound = noise(3)
    path = write(tmp_path / f"a.{suffix}", sound)
    for start, length in ((0, 1), (0, 24000), (7919, 8000), (23999, 1)):
        found = read_slice(path, start, length, RATE)
        assert (found.shape, found.dtype) == ((length,), np.float32)
        assert np.array_equal(found * 32768, sound[start : start + length, 0])


def test_only_what_is_needed_is_read(tmp_path, monkeypatch):
    path = write(tmp_path / "a.flac", noise(60))
    read = []

    class Counting(soundfile.SoundFile):
        def read(self, frames, **kwargs):
            read.append(frames)
            return super().read(frames, **kwargs)

    monkeypatch.setattr(recordings.soundfile, "SoundFile", Counting)
    read_slice(path, 200_000, 8000, RATE)
    assert read == [8000]
    read_slice(path, 400_000, 16000, 2 * RATE)
    assert 8000 < read[1] < 9000


def test_outside_of_the_recording_there_is_silence(flac):
    inside = read_slice(flac, 0, 24000, RATE)
    around = read_slice(flac, -10, 24020, RATE)
    assert np.array_equal(around, np.pad(inside, 10))
    assert not read_slice(flac, -100, 50, RATE).any()
    assert not read_slice(flac, 24000, 50, RATE).any()


@pytest.mark.parametrize(
    ("have", "want"),
    [(44100, 48000), (48000, 44100), (8000, 16000), (48000, 8000), (22050, 32000), (8000, 8001)],
)
def test_a_resampled_slice_is_a_slice_of_the_resampled_whole(tmp_path, have, want):
    sound = noise(2.3, have, 2)
    path = write(tmp_path / "a.wav", sound, have)
    mono = sound.mean(axis=1).astype(np.float32) / 32768
    whole = resample(mono, orig_sr=have, target_sr=want)
    total = length_at(read_header(path), want)
    for start, length in ((0, 100), (1, 777), (want, want), (want + 12345 % want, 1), (0, total)):
        found = read_slice(path, start, length, want)
        assert found.shape == (length,)
        assert np.abs(found - whole[start : start + length]).max() < 1e-5
    end = read_slice(path, total - 500, 500, want)
    assert np.abs(end - whole[total - 500 : total]).max() < 1e-5


def damaged(flac, kind):
    data = flac.read_bytes()
    middle = len(data) // 2
    flac.write_bytes(
        {
            "no byte": b"",
            "text": b"hello, this is no sound" * 10,
            "half a header": data[:30],
            "a header alone": data[:60],
            "half": data[:middle],
            "all but the last bytes": data[:-3],
            "no sample": empty_flac(),
        }[kind]
    )


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no byte", r"an empty file \(0 bytes\)"),
        ("text", "no recording"),
        ("half a header", "cut short"),
        ("a header alone", "cut short"),
        ("half", "cut short"),
        ("all but the last bytes", "cut short"),
        ("no sample", "0 samples"),
    ],
)
def test_a_damaged_flac_is_named_without_reading_it_all(flac, kind, message):
    damaged(flac, kind)
    with pytest.raises(UserError, match=rf"(?s){flac} cannot be read.*{message}"):
        require_end(flac)
    with pytest.raises(UserError, match=rf"(?s){flac} cannot be read.*{message}"):
        read_slice(flac, 23990, 10, RATE)


def test_damage_in_the_middle_is_met_where_it_is_read(flac):
    data = bytearray(flac.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    flac.write_bytes(data)
    require_end(flac)
    with pytest.raises(UserError, match="cannot be read"):
        read_slice(flac, 0, 24000, RATE)


def test_a_missing_file_is_named(tmp_path):
    for call in (read_header, require_end):
        with pytest.raises(UserError, match=r"(?s)no\.flac cannot be read.*no such file"):
            call(tmp_path / "no.flac")


def test_values_that_are_no_numbers_are_named_with_their_time(tmp_path):
    sound = np.zeros(RATE, np.float32)
    sound[4000] = np.nan
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    assert not read_slice(tmp_path / "a.wav", 0, 4000, RATE).any()
    with pytest.raises(UserError, match=r"(?s)no numbers.*from 0\.25 to 0\.75 s"):
        read_slice(tmp_path / "a.wav", 2000, 4000, RATE)


@pytest.mark.parametrize(("suffix", "rate"), [("ogg", 8000), ("mp3", 16000)])
def test_a_slice_of_a_compressed_file_is_one_of_the_whole(tmp_path, suffix, rate):
    """Where libsndfile alone, which seeks, gives other samples: bursts, and the last page."""
    at = np.arange(10 * rate) / rate
    bursts = np.sin(2750 * at) * ((at * 3).astype(int) % 2) + noise(10, rate)[:, 0] / 50000
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, 0.3 * bursts, rate)
    whole, _ = soundfile.read(path, dtype="float32")
    for start in (*range(1000, len(whole) - 500, 7919), len(whole) - 500):
        found = read_slice(path, start, 500, rate)
        assert np.abs(found - whole[start : start + 500]).max() < 1e-4


def test_one_channel_is_read_as_it_is_and_must_be_there(tmp_path):
    sound = noise(1, channels=3)
    path = write(tmp_path / "a.wav", sound)
    for channel in range(3):
        found = read_slice(path, 0, RATE, RATE, channel)
        assert np.array_equal(found * 32768, sound[:, channel])
    found = read_slice(path, 0, 2 * RATE, 2 * RATE, 2)
    assert np.abs(found[::2] - sound[:, 2] / 32768).max() < 0.2
    with pytest.raises(UserError, match=r"(?s)no channel 3.*at least 4.*3 channel"):
        read_slice(path, 0, RATE, RATE, 3)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_full_scale_is_one_in_every_format(tmp_path, subtype):
    sound = noise(1)[:, 0] / 32768
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype=subtype)
    found = read_slice(tmp_path / "a.wav", 0, RATE, RATE)
    assert np.abs(found - sound).max() < 0.02


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_that_was_written_into_a_pipe_is_read_to_its_end(tmp_path, size):
    path = write(tmp_path / "a.wav", noise(1))
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = size.to_bytes(4, "little")
    path.write_bytes(data)
    assert read_header(path).frames == RATE
    data[40:44] = bytes(4)
    (tmp_path / "b.wav").write_bytes(data)
    with pytest.raises(UserError, match=r"(?s)0 samples.* in 16044 bytes \(ffmpeg -i b\.wav"):
        read_header(tmp_path / "b.wav")
