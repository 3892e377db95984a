"""Tables of annotations; where windows lie, what is heard in them, and which cannot be."""

import numpy as np
import pytest
from datasets.sounds import RATE, empty_flac, noise, write

from reprise.datasets.sound.windows import Windows, read_annotations, samples_of
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


NAMES = {"recording": "recording", "label": "label", "t_min": "t_min", "t_max": "t_max"}
HEADER = "recording,label,t_min,t_max,who\n"
ROWS = HEADER + "b,owl,1.5,2,ann\na,frog,0,0.1234567,bob\nb,NA,3,4.25,ann\nb,frog,1.5,2,eve\n"


@pytest.fixture
def read(tmp_path):
    def read_text(text=ROWS, columns=NAMES, suffix=".flac", group_by=None):
        (tmp_path / "t.csv").write_text(text)
        return read_annotations(str(tmp_path / "t.csv"), columns, suffix, group_by)

    return read_text


def test_a_row_is_a_recording_a_label_and_two_times(read):
    rows = read()
    assert rows.recordings == ("a.flac", "b.flac")
    assert rows.recording.tolist() == [1, 0, 1, 1]
    assert rows.start.tolist() == [1.5, 0, 3, 1.5]
    assert rows.stop.tolist() == [2, 0.123457, 4.25, 2]
    assert rows.labels == ("owl", "frog", "NA", "frog"), "NA is a name"
    assert rows.groups == ("b", "a", "b", "b")
    assert len(rows) == 4


def test_names_have_the_times_as_they_are(read):
    rows = read()
    assert [rows.name(row) for row in range(4)] == [
        "b.flac 1.5-2 s", "a.flac 0-0.123457 s", "b.flac 3-4.25 s", "b.flac 1.5-2 s",
    ]  # fmt: skip
    assert rows.place(1).endswith("t.csv, line 3")


def test_groups_are_those_of_a_column(read):
    assert read(group_by="who").groups == ("ann", "bob", "ann", "eve")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,owl,2,1,x", r"line 3: this is no stretch of time.*t_min=2 t_max=1"),
        ("a,owl,1,1,x", r"line 3: this is no stretch of time"),
        ("a,owl,-0.5,1,x", r"line 3: this is no stretch of time.*t_min=-0.5"),
        ("a,owl,nan,1,x", r"line 3: no number stands in column 't_min'"),
        ("a,owl,0,,x", r"line 3: no number stands in column 't_max'.*empty"),
        ("a,owl,0:5:99x,9,x", r"line 3: no number stands in column 't_min'.*0:5:99x"),
        ("a,owl,0,inf,x", r"line 3: no number stands in column 't_max'"),
        ("a,,0,1,x", r"line 3: nothing stands in column 'label'"),
        (",owl,0,1,x", r"line 3: nothing stands in column 'recording'"),
    ],
)
def test_a_wrong_row_is_named(read, row, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        read(HEADER + "a,owl,0,1,x\n" + row + "\na,owl,5,6,x\n")


@pytest.mark.parametrize("column", list(NAMES))
def test_a_missing_column_is_named_with_those_there_are(read, column):
    columns = NAMES | {column: "tmin"}
    with pytest.raises(
        UserError, match=rf"(?s)dataset.columns.{column}: .*no column 'tmin'.*recording, label"
    ):
        read(columns=columns)


def test_one_stretch_with_two_classes_is_refused_with_both_lines(read):
    with pytest.raises(
        UserError,
        match=r"(?s)b.flac 1.5-2 s is annotated twice.*line 2 \('owl'\).*line 5 \('frog'\).*labels",
    ):
        samples_of(read(), "class", None)


def test_one_stretch_with_two_labels_is_one_sample(read):
    rows, targets = samples_of(read(), "labels", None)
    assert rows.tolist() == [0, 1, 2]
    assert targets.spec.classes == ("NA", "frog", "owl")


def test_a_label_that_is_not_in_the_list_is_named_by_its_line(read):
    for target in ("class", "labels"):
        with pytest.raises(UserError, match=r"(?s)line 4: 'NA' is no class.*owl, frog"):
            samples_of(read(), target, ["owl", "frog"])
