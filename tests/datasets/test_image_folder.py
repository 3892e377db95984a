"""A folder per class: samples, splits, and every mistake by its file."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from tiny import refused, short

from reprise.datasets.image_folder import ImageFolder
from reprise.datasets.images.labelled import file_keys
from reprise.errors import UserError
from reprise.spec import Spec

THIRDS = {"train": 0.4, "valid": 0.3, "test": 0.3}


def write(folder: Path, *files: str) -> Path:
    """Write pictures of 10 rows and 12 columns, each of one colour: its number in `files`."""
    for at, file in enumerate(files):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((10, 12, 3), at, np.uint8))
    return folder


def tiny(folder: Path) -> dict[str, Any]:
    """Values for conf/dataset/image_folder.yaml: 12 noisy pictures of three classes."""
    for at in range(12):
        path = folder / "tiny" / "abc"[at % 3] / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(at).integers(0, 256, (20, 24, 3), np.uint8)
        cv2.imwrite(str(path), pixels)
    augment = {"rotation_range": 20, "horizontal_flip": True, "brightness_range": [0.5, 2.0]}
    return {"folder": str(folder / "tiny"), "image_size": [16, 16], "augment": augment}


def test_a_sample_is_a_picture_and_the_id_of_its_folder(tmp_path):
    files = ["hen/0.png", "cat/0.png", "hen/more/1.png", "cat/9.png"]
    dataset = ImageFolder(str(write(tmp_path, *files)), [10, 12], THIRDS)
    assert dataset.input_spec == Spec((10, 12, 3), "uint8")
    assert dataset.target_spec == Spec((), "int32", ("cat", "hen"))
    assert len(dataset) == 4
    seen = {dataset.name(at): dataset.read(at, None) for at in range(4)}
    assert {name: int(x.max()) for name, (x, _) in seen.items()} == {
        file: at for at, file in enumerate(files)
    }
    assert all(("cat", "hen")[int(y)] == name[:3] for name, (_, y) in seen.items())
    assert [dataset.label(at) for at in range(4)] == [0, 0, 1, 1]


def test_no_sample_is_dropped_and_counts_are_of_the_train_split(tmp_path):
    names = [f"{kind}/{at}.png" for kind in ("a", "b") for at in range(5)]
    dataset = ImageFolder(str(write(tmp_path, *names)), [8, 8], THIRDS)
    splits = dataset.splits()
    assert [len(own) for own in splits.values()] == [4, 3, 3]
    assert dataset.learn(np.array([0, 1, 9])) == {"counts": {"a": 2, "b": 1}}
    assert dataset.target_spec.counts == (2, 1)


def test_classes_may_be_put_in_an_order_or_numbers_given_names(tmp_path):
    folder = str(write(tmp_path, "0/a.png", "1/b.png", "10/c.png"))
    assert ImageFolder(folder, [8, 8], THIRDS).target_spec.classes == ("0", "1", "10")
    turned = ImageFolder(folder, [8, 8], THIRDS, classes=["10", "1", "0"])
    assert [turned.label(at) for at in range(3)] == [2, 1, 0]
    names = [*"abcdefghij", "k"]
    assert ImageFolder(folder, [8, 8], THIRDS, classes=names).label(2) == 10
    with pytest.raises(UserError, match=r"10/c.png: '10' is no class"):
        ImageFolder(folder, [8, 8], THIRDS, classes=["0", "1"])


def test_folders_of_splits(tmp_path):
    files = ["train/a/0.png", "train/b/1.png", "valid/a/2.png", "test/b/3.png", "test/a/4.png"]
    folder = str(write(tmp_path, *files))
    splits = ImageFolder(folder, [8, 8], None).splits()
    assert {name: own.tolist() for name, own in splits.items()} == {
        "train": [0, 1], "valid": [2], "test": [3, 4],
    }  # fmt: skip
    with pytest.raises(UserError, match=r"(?s)does not fit the folders.*dataset.split=null"):
        ImageFolder(folder, [8, 8], THIRDS)


def test_a_test_folder_alone_leaves_the_rest_to_be_split(tmp_path):
    names = [f"train/a/{at}.png" for at in range(4)] + ["test/a/4.png", "test/a/5.png"]
    folder = str(write(tmp_path, *names))
    split = {"train": 0.5, "valid": 0.5, "test": None}
    sizes = {name: len(own) for name, own in ImageFolder(folder, [8, 8], split).splits().items()}
    assert sizes == {"train": 2, "valid": 2, "test": 2}
    with pytest.raises(UserError, match=r"dataset.split.test"):
        ImageFolder(folder, [8, 8], THIRDS).splits()


def test_splits_by_files_call_a_picture_by_its_path(tmp_path):
    folder = write(tmp_path / "set", "a/1.png", "b/1.png", "b/2.png")
    (tmp_path / "train.txt").write_text("a/1.png\n2.png\n")
    (tmp_path / "valid.txt").write_text("b/1\n")
    files = {name: str(tmp_path / f"{name}.txt") for name in ("train", "valid")}
    dataset = ImageFolder(str(folder), [8, 8], files)
    assert dataset.splits()["train"].tolist() == [0, 2]
    assert [path.name for path in dataset.sources] == ["set", "train.txt", "valid.txt"]
    (tmp_path / "valid.txt").write_text("1.png\n")
    with pytest.raises(UserError, match=r"valid.txt, line 1: there is no sample '1.png'"):
        dataset.splits()


def test_a_list_may_call_a_file_by_what_it_alone_is_called():
    keys = file_keys(["cat/1.png", "hen/1.png", "hen/2.v1.png", "hen/2.v1.jpg"])
    assert keys == {
        "cat/1.png": 0, "cat/1": 0, "hen/1.png": 1, "hen/1": 1,
        "hen/2.v1.png": 2, "2.v1.png": 2, "hen/2.v1.jpg": 3, "2.v1.jpg": 3,
    }  # fmt: skip


def test_other_depths_and_damage_in_the_middle_are_named(tmp_path):
    dataset = ImageFolder(str(write(tmp_path, "a/1.png", "a/2.png", "b/3.png")), [8, 8], THIRDS)
    cv2.imwrite(str(tmp_path / "a/2.png"), np.zeros((6, 8), np.uint16))
    data = bytearray((tmp_path / "b/3.png").read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / "b/3.png").write_bytes(bytes(data))
    for thorough in (False, True):
        found = dataset.check(np.arange(3), thorough=thorough)
        assert "a/2.png has another depth than the first image" in found[0]
        assert len(found) == 1 + thorough  # damage is found where every pixel is looked at


def test_what_is_no_image_is_said(tmp_path):
    folder = write(tmp_path, "a/1.png", "b/2.png", "lost.png")
    (folder / "b/notes.txt").write_text("x")
    (folder / "b/.hidden").write_text("x")
    found = ImageFolder(str(folder), [8, 8], THIRDS).check(np.arange(2))
    assert [line.partition(":")[0] for line in found] == [f"{folder}/lost.png",
                                                         f"{folder}/b/notes.txt"]  # fmt: skip


def test_a_picture_shows_the_name_of_its_class(tmp_path):
    dataset = ImageFolder(str(write(tmp_path, "cat/1.png", "hen/2.png")), [8, 8], THIRDS)
    axes = Figure().subplots()
    dataset.draw(axes, *dataset.read(1, None))
    assert axes.get_title() == "hen"


def test_bad_files_are_refused_on_the_command_line(tmp_path):
    folder = write(tmp_path / "set", *(f"{name}/{at}.png" for name in "ab" for at in range(4)))
    (folder / "a/notes.txt").write_text("no image")
    corrupt = folder / "b/2.png"
    corrupt.write_bytes(corrupt.read_bytes()[:-20])
    said = refused("experiment=folder", f"dataset.folder={folder}", *short(tmp_path), out=tmp_path)
    assert "2 problem(s) in the data" in said
    assert f"{folder}/a/notes.txt: expected an image" in said
    assert f"{corrupt} cannot be read" in said


def test_a_run_finds_its_samples_in_another_unicode_form(tmp_path):
    folder = write(tmp_path, "a/caf\u00e9.png", "b/1.png")
    recorded = {"train": ["a/cafe\u0301.png"], "valid": ["b/1.png"]}
    found = ImageFolder(str(folder), [8, 8], THIRDS).restore(recorded, {})
    assert {split: own.tolist() for split, own in found.items()} == {"train": [0], "valid": [1]}
