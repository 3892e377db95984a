import csv
import hashlib
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits

from reprise.datasets.arrays import Arrays
from reprise.datasets.image_folder import ImageFolder
from reprise.datasets.image_table import ImageTable
from reprise.samples import digits as maker

HALVES = {"train": 0.5, "valid": 0.5, "test": None}


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    maker.write_set(folder, count=40, seed=0)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_bytes_are_the_same_again(digits, tmp_path):
    maker.write_set(tmp_path / "again", count=40, seed=0)
    assert digests(tmp_path / "again") == digests(digits)
    assert len(digests(digits)) == 42


def test_a_sample_depends_on_the_seed_and_its_number_alone(digits, tmp_path):
    maker.write_set(tmp_path / "few", count=3, seed=0)
    maker.write_set(tmp_path / "other", count=3, seed=1)
    few, other = digests(tmp_path / "few"), digests(tmp_path / "other")
    assert len(few) == len(other) == 5
    pictures = {name: few[name] for name in few if name.endswith(".png")}
    assert pictures.items() <= digests(digits).items()
    assert all(few[name] != other[name] for name in few)


def test_three_roads_lead_to_the_same_samples(digits):
    size = {"image_size": [28, 28], "channels": 1, "split": HALVES}
    arrays = Arrays(str(digits / "digits.npz"), "x", "y", HALVES)
    table = ImageTable(table=str(digits / "table.csv"), **size)
    folder = ImageFolder(str(digits / "folders"), **size)
    by_name = {folder.name(at).partition("/")[2]: at for at in range(40)}
    assert len(arrays) == len(table) == len(folder) == 40
    assert arrays.target_spec == table.target_spec == folder.target_spec
    for at in range(40):
        x, y = arrays.read(at, None)
        others = table.read(at, None), folder.read(by_name[f"{at:04d}.png"], None)
        assert all(np.array_equal(x, other) and y == label for other, label in others)


def test_labels_tags_and_tilts_belong_to_their_digits(digits):
    with np.load(digits / "digits.npz") as arrays:
        assert {name: (own.shape, str(own.dtype)) for name, own in arrays.items()} == {
            "x": ((40, 28, 28), "uint8"), "y": ((40,), "uint8"),
            "tags": ((40, 3), "uint8"), "tilt": ((40,), "float32"),
        }  # fmt: skip
        y, tags, tilt = (arrays[name] for name in ("y", "tags", "tilt"))
    with (digits / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert y.tolist() == load_digits().target[:40].tolist() == [int(row["label"]) for row in rows]
    assert tilt.tolist() == [float(row["tilt"]) for row in rows]
    assert -30 <= tilt.min() < -15 < 15 < tilt.max() <= 30
    said = {row["label"]: row["tags"] for row in rows}
    assert (said["0"], said["1"], said["2"], said["7"]) == ("even|loop", "", "even|prime", "prime")
    names = ("even", "loop", "prime")
    for row, flags in zip(rows, tags, strict=True):
        told = [name for name, has in zip(names, flags, strict=True) if has]
        assert row["tags"] == "|".join(told)


def test_a_digit_is_turned_counter_clockwise_about_its_middle():
    bar = np.zeros((8, 8))
    bar[3:5] = 16
    flat, upright = maker.tilted(bar, 0), maker.tilted(bar, 90)
    assert flat.max() == 255
    assert np.abs(upright - flat.T).max() <= 2  # rounded towards one side
    corner = np.zeros((8, 8))
    corner[0, 7] = 16  # at the right top; a quarter turn puts it to the left top
    assert maker.tilted(corner, 90)[:14, :14].sum() == maker.tilted(corner, 90).sum() > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "there"], "there exists already: remove it"),
        (["--out", "new", "--count", "1798"], "--count must be 1 to 1797"),
        (["--out", "new", "--count", "0"], "--count must be 1 to 1797"),
    ],
)
def test_wrong_words_are_refused(tmp_path, monkeypatch, capsys, words, said):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_digits_data.py", *words])
    with pytest.raises(SystemExit, match="2"):
        maker.main()
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_command_writes_what_it_is_asked_for(tmp_path, monkeypatch):
    words = ["--out", str(tmp_path / "new"), "--count", "2"]
    monkeypatch.setattr(sys, "argv", ["make_digits_data.py", *words])
    maker.main()
    assert len(digests(tmp_path / "new")) == 4
    assert cv2.imread(str(tmp_path / "new/folders/1/0001.png"), -1).shape == (28, 28)
