"""Pictures by a table: samples, splits by column and group, and every mistake by its line."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reprise.datasets.image_table import ImageTable
from reprise.errors import UserError
from reprise.spec import Spec

HALVES = {"train": 0.5, "valid": 0.5, "test": None}
TABLE = """file,kind,tags,mass,who,part
p0.png,hen,a|b,1.5,ann,train
p1.png,cat,b,2,ann,train
p2.png,hen,,-3,bob,val
p3.png,cat,a,40,eve,test
"""


def write(folder: Path, table: str = TABLE) -> Path:
    """Write four pictures of one grey each, its number; and a table."""
    folder.mkdir(exist_ok=True)
    for at in range(4):
        cv2.imwrite(str(folder / f"p{at}.png"), np.full((10, 12), at, np.uint8))
    (folder / "t.csv").write_text(table)
    return folder / "t.csv"


def tiny(folder: Path) -> dict[str, Any]:
    """Values for conf/dataset/image_table.yaml: 14 noisy pictures, two for each patient."""
    lines = ["path,label,patient"]
    for at in range(14):
        pixels = np.random.default_rng(at).integers(0, 256, (20, 24, 3), np.uint8)
        cv2.imwrite(str(folder / f"{at}.png"), pixels)
        lines.append(f"{at}.png,{'xyz'[at % 3]},{at // 2}")
    (folder / "tiny.csv").write_text("\n".join(lines))
    augment = {"rotation_range": 20, "horizontal_flip": True, "brightness_range": [0.5, 2.0]}
    return {
        "table": str(folder / "tiny.csv"),
        "image_size": [16, 16],
        "group": "patient",
        "augment": augment,
    }


@pytest.fixture
def keys(tmp_path):
    table = write(tmp_path / "set")
    size = {"image_size": [10, 12], "channels": 1}
    return {"table": str(table), "path": "file", "label": "kind", "split": HALVES, **size}


def test_values_in_another_order_are_read_by_name(keys, tmp_path):
    rows = "".join(f"p{at}.png,{at},{10 * at}\n" for at in range(4))
    write(tmp_path / "set", f"file,mass,size\n{rows}")
    dataset = ImageTable(**{**keys, "target": "value", "label": ["mass", "size"]})
    assert dataset.read(1, None)[1].tolist() == [1, 10]
    dataset.arrange("target", ["size", "mass"])
    assert dataset.read(1, None)[1].tolist() == [10, 1]
    assert dataset.target_spec.names == ("size", "mass")


@pytest.mark.parametrize(
    ("changes", "spec", "targets"),
    [
        ({}, Spec((), "int32", ("cat", "hen")), [1, 0, 1, 0]),
        ({"target": "labels", "label": "tags"}, Spec((2,), "uint8", ("a", "b")),
         [[1, 1], [0, 1], [0, 0], [1, 0]]),
        ({"target": "value", "label": "mass"}, Spec((), "float32", names=("mass",)),
             [1.5, 2, -3, 40]),
        ({"target": "value", "label": ["mass"]}, Spec((1,), "float32", names=("mass",)),
             [[1.5], [2], [-3], [40]]),
    ],
)  # fmt: skip
def test_a_sample_is_a_picture_and_what_its_row_says(keys, changes, spec, targets):
    dataset = ImageTable(**{**keys, **changes})
    assert dataset.target_spec == spec
    assert dataset.input_spec == Spec((10, 12, 1), "uint8")
    for at in range(4):
        x, y = dataset.read(at, None)
        assert (x == at).all()
        assert np.array_equal(y, targets[at])
        assert (type(y), str(y.dtype)) == (np.ndarray, spec.dtype)
        assert dataset.name(at) == f"p{at}.png"


def test_one_file_in_two_spellings_is_refused(keys, tmp_path):
    path = next((tmp_path / "set").glob("*.csv"))
    path.write_text(path.read_text().replace("p1.png", ".\\P0.PNG"))
    with pytest.raises(UserError, match=r"line 3: .*p0.png stands in the table for a second time"):
        ImageTable(**keys)


def test_paths_start_where_the_folder_is(keys, tmp_path):
    elsewhere = tmp_path / "t.csv"
    elsewhere.write_text(TABLE)
    with pytest.raises(UserError, match=r"p0.png cannot be read"):
        ImageTable(**{**keys, "table": str(elsewhere)})
    dataset = ImageTable(**{**keys, "table": str(elsewhere), "folder": str(tmp_path / "set")})
    assert (dataset.read(3, None)[0] == 3).all()
    assert [str(path) for path in dataset.sources] == [str(elsewhere), str(tmp_path / "set")]


def test_a_column_may_say_the_split(keys):
    splits = ImageTable(**{**keys, "split": "part"}).splits()
    assert {name: own.tolist() for name, own in splits.items()} == {
        "train": [0, 1], "valid": [2], "test": [3],
    }  # fmt: skip
    with pytest.raises(UserError, match=r"t.csv, line 2: 'ann' is no split"):
        ImageTable(**{**keys, "split": "who"})
    with pytest.raises(UserError, match=r"dataset.split: .* has no column 'prt'"):
        ImageTable(**{**keys, "split": "prt"})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("path,label\np0.png,a\n", "dataset.path: (?s:.*)no column 'file'(?s:.*)path, label"),
        ("file,kind\np0.png,a\np1.png,\n", "line 3: an empty cell is no class"),
        ("file,kind\np0.png,a\np1.png,b\np0.png,a\n", "line 4: 'p0.png'(?s:.*)line 2"),
        ("file,kind\nnone.png,a\n", "none.png cannot be read"),
    ],
)
def test_a_mistake_in_the_table_is_named_with_its_line(keys, table, said):
    Path(keys["table"]).write_text(table)
    with pytest.raises(UserError, match=said):
        ImageTable(**keys)
