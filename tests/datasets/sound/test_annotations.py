"""Tables of annotations: rows, names, times, and every mistake by its line."""

import pytest

from reprise.datasets.sound.annotations import read_annotations, samples_of
from reprise.errors import UserError

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
    rows = HEADER + "a,owl,0,1,zo\u00eb\nb,owl,0,1,zoe\u0308\n"
    assert set(read(rows, group_by="who").groups) == {"zo\u00eb"}, "one name in two forms"


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
