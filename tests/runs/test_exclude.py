"""dataset.exclude leaves samples out of every kind of dataset, and moves no other one."""

import numpy as np
import pytest
from tiny import write_arrays, write_blobs

from reprise.config.check import check
from reprise.datasets.exclude import read_list, write_list
from reprise.errors import UserError
from reprise.runs.experiment import open_data


def table(folder):
    rows = "".join(f"{at},{at * at % 7},{'ab'[at % 2]}\n" for at in range(60))
    (folder / "rows.csv").write_text(f"x,z,label\n{rows}")
    return folder / "rows.csv"


def arrays(folder):
    return ["experiment=digits", f"dataset.file={write_arrays(folder / 'a.npz')}"], "x[7]"


def images(folder):
    data = write_blobs(folder / "data")
    words = [f"dataset.images={data}/images", f"dataset.masks={data}/masks"]
    return ["experiment=segmentation", *words, "dataset.image_size=[64,64]"], "images/007.png"


def rows(folder):
    words = [f"dataset.table={table(folder)}", "dataset.label=label"]
    return ["experiment=iris_rows", *words], "rows.csv, line 9"


def stream(folder):
    file = table(folder)
    words = [f"dataset.source.files={file}", "dataset.source.classes=[a,b]"]
    return ["experiment=iris", *words, "dataset.source.label=label"], f"{file}, sample 7"


KINDS = [arrays, images, rows, stream]


def opened(words, *more):
    return open_data(check([*words, *more]).values)


def members(data):
    """The samples of each split: their names, or of a stream their inputs."""
    names = {split: data.dataset.names(own) for split, own in data.splits.items()}
    if all(names.values()):
        return names
    read = {split: [chunk.x for chunk in own] for split, own in data.splits.items()}
    return {split: np.concatenate(x).tolist() for split, x in read.items()}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_one_sample_goes_and_no_other_moves(kind, tmp_path):
    words, name = kind(tmp_path)
    write_list(tmp_path / "list.csv", {name: "it is blurred, and late"})
    whole = members(opened(words))
    less = members(
        opened(words, f"dataset.exclude={tmp_path}/list.csv", "dataset.max_excluded=0.1")
    )
    stay = {split: [one for one in own if one in less[split]] for split, own in whole.items()}
    assert stay == less
    assert sum(map(len, whole.values())) - sum(map(len, less.values())) == 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_name_that_there_is_not_is_refused_with_the_nearest(kind, tmp_path):
    words, name = kind(tmp_path)
    wrong = name.replace("7", "777").replace("line 9", "line 999")
    write_list(tmp_path / "list.csv", {wrong: ""})
    with pytest.raises(UserError) as caught:
        opened(words, f"dataset.exclude={tmp_path}/list.csv")
    assert wrong in str(caught.value)
    assert "did you mean" in str(caught.value)


def test_more_than_a_hundredth_is_not_passed_in_silence(tmp_path):
    words, _ = arrays(tmp_path)
    write_list(tmp_path / "list.csv", {f"x[{at}]": "" for at in range(3)})
    exclude = f"dataset.exclude={tmp_path}/list.csv"
    with pytest.raises(UserError) as caught:
        opened(words, exclude)
    assert "leaves out 3 of 96 samples" in str(caught.value)
    most = str(caught.value).partition("if it is right: ")[2].split()[0]
    assert sum(opened(words, exclude, most).sizes().values()) == 93


def test_of_a_stream_too(tmp_path):
    words, name = stream(tmp_path)
    write_list(tmp_path / "list.csv", {name.replace(" 7", f" {at}"): "" for at in range(3)})
    with pytest.raises(UserError, match="leaves out 3 of 60 samples"):
        opened(words, f"dataset.exclude={tmp_path}/list.csv")


def test_lists_with_commas_quotes_and_without_reasons_are_read(tmp_path):
    reasons = {'rows.csv, line 7 "late"': "dark, blurred", "b": ""}
    write_list(tmp_path / "list.csv", reasons)
    assert read_list(tmp_path / "list.csv") == reasons
    (tmp_path / "plain.txt").write_text("\ufeffrows.csv, line 7\r\nb\r\n\r\n")
    assert read_list(tmp_path / "plain.txt") == {"rows.csv, line 7": "", "b": ""}


@pytest.mark.parametrize("word", ["dataset.max_excluded=2", "dataset.exclude=nowhere.csv"])
def test_the_keys_are_checked_as_all_others_are(word, tmp_path):
    words, _ = arrays(tmp_path)
    with pytest.raises(UserError, match=word.partition("=")[0]):
        check([*words, word])
