"""Which file is of which class."""

import pytest

from reprise.datasets.images.class_folders import list_classes, require_known_classes
from reprise.errors import UserError


@pytest.fixture
def tree(tmp_path):
    def grow(*files):
        for file in files:
            path = tmp_path / "pets" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if not file.endswith("/"):
                path.write_bytes(b"")
            else:
                path.mkdir()
        return tmp_path / "pets"

    return grow


def test_a_folder_is_a_class_and_folders_in_it_belong_to_it(tree):
    listing = list_classes(tree("hen/b.JPG", "hen/2021/a.png", "cat/z.tiff", "cat/a.jpeg"))
    assert listing.files == ["cat/a.jpeg", "cat/z.tiff", "hen/2021/a.png", "hen/b.JPG"]
    assert listing.classes == ["cat", "cat", "hen", "hen"]
    assert set(listing.splits) == {""}
    assert listing.strays == []


def test_folders_of_splits_stand_above_classes(tree):
    folder = tree("test/cat/1.png", "train/cat/2.png", "train/hen/3.png", "val/cat/4.png")
    listing = list_classes(folder)
    require_known_classes(listing)
    assert listing.files == ["train/cat/2.png", "train/hen/3.png", "val/cat/4.png",
                             "test/cat/1.png"]  # fmt: skip
    assert listing.classes == ["cat", "hen", "cat", "cat"]
    assert listing.splits == ["train", "train", "valid", "test"]


def test_without_train_a_folder_of_that_name_is_a_class(tree):
    assert list_classes(tree("valid/1.png", "test/2.png")).classes == ["test", "valid"]
    assert set(list_classes(tree("train/3.png", "other/4.png")).splits) == {""}


def test_what_systems_leave_behind_is_passed_over_and_other_files_are_strays(tree):
    passed_over = ["cat/.DS_Store", "cat/Thumbs.db", "cat/.x/1.png", ".git/1.png", "readme.txt"]
    folder = tree("cat/1.png", "cat/notes.txt", "lost.png", "cat/1/film.mp4", *passed_over)
    listing = list_classes(folder)
    assert listing.files == ["cat/1.png"]
    assert listing.strays == ["lost.png", "cat/1/film.mp4", "cat/notes.txt"]


def test_a_class_may_be_a_link_but_a_link_within_is_not_followed(tree):
    folder = tree("cat/1.png", "hen/2.png")
    (folder / "dog").symlink_to(folder / "cat")
    (folder / "hen/3.png").symlink_to(folder / "hen/2.png")
    (folder / "hen/circle").symlink_to(folder / "hen")
    listing = list_classes(folder)
    assert listing.files == ["cat/1.png", "dog/1.png", "hen/2.png", "hen/3.png"]
    assert listing.strays == ["hen/circle"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["cat/1.png", "dog/"], r"pets/dog holds no image(?s:.*)an empty folder"),
        (["cat/1.png", "dog/a.txt"], r"pets/dog holds no image(?s:.*)1 files"),
        (["1.png"], r"pets holds no class(?s:.*)no folder of a class"),
    ],
)
def test_a_class_without_images_is_named(tree, files, said):
    with pytest.raises(UserError, match=said):
        list_classes(tree(*files))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"(?s)dataset.folder: no such folder.*pets"):
        list_classes(tmp_path / "pets")


def test_a_class_that_train_has_not_is_named(tree):
    listing = list_classes(tree("train/dog/1.png", "valid/dgo/2.png", "valid/dog/3.png"))
    with pytest.raises(UserError, match=r"(?s)folder of valid.*train: dog.*valid: dgo"):
        require_known_classes(listing)
