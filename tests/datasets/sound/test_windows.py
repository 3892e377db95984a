"""Where windows lie, what is heard in them, and which cannot be."""

import numpy as np
import pytest
from datasets.sounds import RATE, empty_flac, noise, write

from reprise.datasets.sound.annotations import read_annotations
from reprise.datasets.sound.windows import Windows
from reprise.errors import UserError
from reprise.transforms.audio_augment import AudioChange

COLUMNS = {"recording": "file", "label": "label", "t_min": "from", "t_max": "to"}
TABLE = """file,label,from,to
long.flac,a,4,5
long.flac,b,0,0.2
long.flac,c,9.9,10
short.flac,a,0.1,0.3
"""


@pytest.fixture
def windows(tmp_path):
    write(tmp_path / "long.flac", noise(10))
    write(tmp_path / "short.flac", noise(0.5, seed=1))

    def make(edges="clamp", table=TABLE, seconds=2.0, rate=RATE):
        (tmp_path / "t.csv").write_text(table)
        annotations = read_annotations(str(tmp_path / "t.csv"), COLUMNS, "", None)
        return Windows(annotations, tmp_path, round(seconds * rate), rate, edges)

    return make


def places(windows, rows, **change):
    return [windows.place(row, AudioChange(**change)) for row in rows]


def sound(windows, row, change=None, reach=None):
    around = windows.around(row, reach or windows.length)
    return windows.sound(around, row, change or AudioChange())


def test_the_annotation_is_in_the_middle_and_the_ends_clamp(windows):
    assert places(windows(), [0, 1, 2]) == [(28000, 16000), (0, 16000), (64000, 16000)]


def test_padding_leaves_the_annotation_in_the_middle(windows):
    padded = windows("pad")
    assert places(padded, [0, 1, 2, 3]) == [
        (28000, 16000), (-7200, 16000), (71600, 16000), (-6400, 16000),
    ]  # fmt: skip
    heard = sound(padded, 3)
    assert heard.shape == (16000,)
    assert np.array_equal(heard[6400:10400] * 32768, noise(0.5, seed=1)[:, 0])
    assert not heard[:6400].any()
    assert not heard[10400:].any()


def test_a_window_has_its_length_wherever_the_middle_falls(windows):
    """Rounding both ends by themselves, as the seed did, gives a sample less now and then."""
    rows = "".join(f"long.flac,a,{3 + at / 997:.6f},{4 + at / 1013:.6f}\n" for at in range(200))
    many = windows(table="file,label,from,to\n" + rows, seconds=1.0001, rate=RATE)
    assert many.length == 8001
    assert {len(sound(many, row)) for row in range(200)} == {8001}


def test_a_shift_moves_the_window_and_still_clamps(windows):
    assert places(windows(), [0, 1, 2], shift=-0.5) == [(24000, 16000), (0, 16000), (64000, 16000)]
    assert places(windows(), [0, 1, 2], shift=0.5) == [(32000, 16000), (0, 16000), (64000, 16000)]


def test_tempo_reads_more_or_less_about_the_same_middle(windows):
    assert places(windows(), [0], tempo=1.25) == [(26000, 20000)]
    assert places(windows(), [0], tempo=0.5) == [(32000, 8000)]
    assert sound(windows(), 0, AudioChange(tempo=1.25), 20000).shape == (16000,)
    assert places(windows(seconds=9.0), [0], tempo=1.25) == [(0, 90000)], "longer than all there is"


def test_a_window_of_another_rate_is_the_same_time(windows):
    assert places(windows(rate=16000), [0, 2]) == [(56000, 32000), (128000, 32000)]
    assert sound(windows(rate=16000), 0).shape == (32000,)


HEARD = """file,label,from,to
long.flac,a,4,5
long.flac,b,5.5,6.5
long.flac,c,5.9,6.9
long.flac,d,0,10
short.flac,e,4,5
long.flac,f,3.5,3.6
"""


def test_what_lies_in_the_window_by_half_is_heard(windows):
    of = windows(table=HEARD)  # row 0 is seen from 3.5 to 5.5 s
    assert of.heard(0, AudioChange(), 0.5).tolist() == [0, 3, 5]
    assert of.heard(0, AudioChange(shift=0.5), 0.5).tolist() == [0, 1, 3]
    assert of.heard(0, AudioChange(shift=0.5), 1.0).tolist() == [0, 3]
    assert of.heard(0, AudioChange(shift=0.5), 0.1).tolist() == [0, 1, 2, 3]
    assert of.heard(3, AudioChange(), 0.5).tolist() == [0, 1, 3], "from 4 to 6 s"


def problems(windows, thorough=False):
    return windows.check(np.arange(len(windows.annotations)), thorough=thorough).problems


def test_a_short_recording_is_refused_or_padded(windows):
    message = r"short.flac is shorter than the window \(.*t.csv, line 5\)"
    with pytest.raises(UserError, match=rf"(?s){message}.*window_s=2 s.*0.5 s.*dataset.edges=pad"):
        sound(windows(), 3)
    found = problems(windows())
    assert len(found) == 1
    assert "short.flac is shorter than the window" in found[0]
    assert problems(windows("pad"), thorough=True) == []


def test_an_annotation_behind_the_end_is_named_by_its_line(windows):
    table = TABLE + "long.flac,a,9.5,10.005\nlong.flac,a,9.5,10.2\nlong.flac,a,11,12\n"
    found = problems(windows("pad", table))
    assert len(found) == 2
    assert (
        "t.csv, line 7: the annotation ends behind its recording: expected a time up to 10 s"
        in (found[0])
    )
    assert "long.flac 9.5-10.2 s" in found[0]
    assert "line 8" in found[1]


def test_each_bad_recording_is_said_once(windows, tmp_path):
    made = windows("pad", TABLE + "gone.flac,a,0,1\ngone.flac,a,1,2\nzero.flac,a,0,1\n")
    data = (tmp_path / "long.flac").read_bytes()
    (tmp_path / "long.flac").write_bytes(data[: len(data) // 2])
    (tmp_path / "short.flac").write_bytes(b"")
    (tmp_path / "zero.flac").write_bytes(empty_flac())
    found = problems(made)
    assert len(found) == 4
    named = ("gone.flac", "no such file"), ("long.flac", "cut short"), ("short.flac", "0 bytes")
    for line, (name, reason) in zip(found, (*named, ("zero.flac", "0 samples")), strict=True):
        assert name in line
        assert reason in line
