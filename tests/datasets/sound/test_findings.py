"""What is said of recordings that are sound, and yet not what they seem."""

import numpy as np
import pytest
import soundfile
from datasets.sounds import RATE, noise

from reprise.datasets.mel_spectrogram import MelSpectrogram
from reprise.datasets.sound.annotations import read_annotations
from reprise.datasets.sound.findings import hear
from reprise.errors import UserError
from reprise.transforms.mel import Mel

COLUMNS = {"recording": "recording", "label": "label", "t_min": "t_min", "t_max": "t_max"}
SOUND = noise(3)[:, 0] / 32768
OTHER = noise(3, seed=7)[:, 0] / 32768


@pytest.fixture
def look(tmp_path):
    """Problems and notes of two recordings that sound like this, with three annotations each."""

    def look(sound, thorough=True, rate=RATE, table=None, names=("a.wav", "b.wav"), **changes):
        for name in names:
            (tmp_path / "rec" / name).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(tmp_path / "rec" / name, sound, rate, subtype="FLOAT")
        rows = [f"{n},{t},{t + 0.5},{'xy'[t]}" for n in ("a.wav", "b.wav") for t in (0, 1)]
        text = table or "\n".join(["recording,t_min,t_max,label", *rows])
        (tmp_path / "t.csv").write_text(text)
        settings = {
            "annotations": str(tmp_path / "t.csv"),
            "recordings": str(tmp_path / "rec"),
            "window_s": 1.0,
            "split": {"train": 0.5, "valid": 0.5},
            "columns": COLUMNS,
            "mel": Mel(n_mels=16, n_fft=256, hop_length=100),
            "sample_rate": RATE,
        }
        dataset = MelSpectrogram(**(settings | changes))
        problems = dataset.problems(dataset.splits(), thorough=thorough)
        return sorted(problems), "\n".join(dataset.notes)

    return look


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize(
    "sound",
    [
        np.stack([SOUND, -SOUND], 1),
        np.stack([SOUND + 0.4, 0.1 * OTHER - SOUND], 1),  # with a constant part, and noise
        np.stack([SOUND, OTHER, -SOUND, -OTHER], 1),
    ],
)
def test_channels_that_cancel_are_refused_and_one_of_them_is_not(look, sound, thorough):
    problems, _ = look(sound, thorough)
    assert len(problems) == 2
    assert "a.wav: its channels cancel each other" in problems[0]
    assert "dataset.channel=0" in problems[0]
    problems, notes = look(sound, thorough, channel=0)
    assert problems == []
    assert f"2 of 2 recordings (a.wav, b.wav) have {sound.shape[1]} channels, of which" in notes
    assert len(look(sound, thorough, channel=9)[0]) == 2


@pytest.mark.parametrize(
    ("sound", "channel", "said"),
    [
        (np.stack([SOUND, OTHER], 1), "mean", "have 2 channels, which are averaged"),
        (np.stack([SOUND, 0 * SOUND], 1), "mean", "one channel or more is silent"),
        (np.stack([SOUND, 0 * SOUND], 1), 1, "channel 1, which is read, is silent"),
        (np.stack([SOUND, OTHER * 0.5 - SOUND], 1), "mean", "the channels cancel in part"),
    ],
)
def test_what_several_channels_lose_is_noted(look, sound, channel, said):
    problems, notes = look(sound, False, channel=channel)
    assert problems == []
    assert said in notes


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (np.clip(8 * SOUND, -1, 1), "4 of 4 windows (a.wav 0-0.5 s, a.wav 1-1.5 s, …) are clipped"),
        (SOUND + 0.2, "have a constant offset, of up to 0.2"),
        (SOUND * 32768, "have values beyond full scale, up to 9000"),
    ],
)
def test_odd_windows_are_noted_when_every_one_is_read(look, sound, said):
    problems, notes = look(sound)
    assert problems == []
    assert said in notes
    assert look(SOUND) == ([], "")


def test_a_loud_tone_is_not_clipped():
    tone = np.sin(2 * np.pi * 50 * np.arange(RATE) / RATE)[:, None]
    assert not hear(np.round(32767 * tone).astype(np.float32) / 32768).is_clipped


def test_bands_above_what_a_rate_can_hold_are_noted(look):
    _, notes = look(SOUND, False, rate=4000)
    assert "2 of 2 recordings (a.wav) have a rate of 4000 Hz: 3 of 16 bands, above 2000 Hz" in notes
    assert look(SOUND, False, rate=4000, mel=Mel(16, 256, 100, fmax=2000))[1] == ""


HEADER = "recording,t_min,t_max,label\n"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a.wav,0.5,2.5,x\nb.wav,0,1,y", "1 of 2 annotations are longer than the window"),
        ("a.wav,1,1.4,x\na.wav,1.2,1.6,y\nb.wav,1,2,y", "2 of 3 windows hold an annotation with"),
        ("a.wav,1,2,x\na.wav,1,2,x\nb.wav,1,2,y", "1 rows repeat the time and the label"),
    ],
)
def test_what_windows_do_not_show_of_the_table_is_noted(look, rows, said):
    problems, notes = look(SOUND, table=HEADER + rows)
    assert problems == []
    assert said in notes
    assert "milliseconds" not in notes


def test_two_spellings_of_a_file_are_one_recording(look, tmp_path):
    table = HEADER + f"a.wav,1,2,x\n./a.wav,2,2.5,y\n{tmp_path}/rec/a.wav,0,1,y\nb.wav,1,2,y"
    assert look(SOUND, table=table) == ([], "")
    annotations = read_annotations(str(tmp_path / "t.csv"), COLUMNS, "", None, tmp_path / "rec")
    assert annotations.recordings == ("a.wav", "b.wav")
    assert annotations.groups == ("a.wav", "a.wav", "a.wav", "b.wav")


def test_a_decimal_comma_and_a_missing_file_are_named(look):
    with pytest.raises(UserError, match=r"(?s)line 2: a decimal comma.*1\.5.*'1,5'"):
        look(SOUND, table=HEADER + 'a.wav,1,"1,5",x\nb.wav,1,2,y')
    problems, _ = look(SOUND, table=HEADER + "c.wav,1,2,x\nb.wav,1,2,y")
    assert "c.wav cannot be read: expected one of the files in" in problems[0]
    assert "a.wav, b.wav; received no such file" in problems[0]


def test_a_channel_of_the_table_is_noted(look):
    table = "recording,t_min,t_max,label,Channel\na.wav,1,2,x,2\nb.wav,1,2,y,1"
    assert "column 'Channel'" in look(SOUND, table=table)[1]


def test_other_units_of_time_are_guessed(look):
    problems, _ = look(SOUND, table=HEADER + "a.wav,1000,1500,x\nb.wav,8000,12000,y")
    assert "as milliseconds it would be inside" in problems[0]
    assert "as sample numbers it would be inside" in problems[1]
    assert "milliseconds?" in look(
        noise(200)[:, 0] / 32768, False, table=HEADER + "a.wav,10,90,x\nb.wav,100,190,y"
    )[1]  # fmt: skip


def test_times_of_a_clock_are_read(look):
    assert look(SOUND, table=HEADER + "a.wav,0:01.5,00:00:02,x\nb.wav,1,0:02,y") == ([], "")
    problems, _ = look(SOUND, table=HEADER + "a.wav,1:01.5,1:02,x\nb.wav,1,0:02,y")
    assert "a.wav 61.5-62 s" in problems[0]


@pytest.mark.parametrize(
    ("written", "file"),
    [("a", "a.wav"), ("a.wav", "A.WAV"), ("café.wav", "cafe\u0301.wav"), (r"x\a.wav", "x/a.wav")],
)
def test_a_name_means_the_file_that_differs_in_form_alone(look, written, file):
    table = HEADER + f"{written},1,2,x\n{file},2,2.5,y\nb.wav,1,2,y"
    problems, notes = look(SOUND, False, table=table, names=(file, "b.wav"))
    assert problems == []
    assert "1 recordings are named otherwise" in notes


RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tBegin File\tSpecies\n"
    "1\tWaveform 1\t1\t1.0\t1.5\ta.wav\towl\n1\tSpectrogram 1\t1\t1.0\t1.5\ta.wav\towl\n\n"
    "2\tSpectrogram 1\t1\t2.9\t{}\tb.wav\tfrog\n"
)


def test_a_selection_table_of_raven_is_read_as_it_comes(look, tmp_path):
    (tmp_path / "t.txt").write_text(RAVEN.format("3"))
    columns = {"recording": "Begin File", "label": "Species"}
    columns |= {"t_min": "Begin Time (s)", "t_max": "End Time (s)"}
    keys = {"annotations": str(tmp_path / "t.txt"), "columns": columns}
    problems, notes = look(SOUND, **keys)
    assert problems == []
    assert "1 rows repeat the time and the label" in notes
    assert "column 'Channel' of" in notes
    (tmp_path / "t.txt").write_text(RAVEN.format("3.5"))
    problems, _ = look(SOUND, **keys)
    assert "t.txt, line 5: the annotation ends behind" in problems[0]


def test_a_label_track_of_audacity_is_refused_with_what_it_lacks(look, tmp_path):
    (tmp_path / "t.txt").write_text("0.500000\t1.250000\towl\n1.5\t2\tfrog\n")
    with pytest.raises(UserError, match=r"(?s)Audacity.*'t_min t_max label recording'"):
        look(SOUND, annotations=str(tmp_path / "t.txt"))


def test_a_name_that_may_mean_two_files_is_refused(look):
    table = HEADER + "A.wav,1,2,x\nb.wav,1,2,y"
    problems, _ = look(SOUND, False, table=table, names=("a.wav", "a.WAV", "b.wav"))
    assert "A.wav cannot be read" in problems[0]
