"""Folders of images: which pair up with masks, and which are of which class."""

import pytest

from reprise.datasets.images.folders import list_classes, list_images, require_pairs
from reprise.errors import UserError


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_images_are_listed_by_name_whatever_else_lies_there(tmp_path):
    folder = touch(tmp_path / "i", "b.JPG", "a.tiff", "c.1.png", "notes.txt", "._a.png", "d.jpeg")
    (folder / "sub").mkdir()
    found = {"a": "a.tiff", "b": "b.JPG", "c.1": "c.1.png", "d": "d.jpeg"}
    assert list(list_images(folder, "dataset.images").items()) == list(found.items())


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"(?s)dataset.images: .*holds no image.*1 entries"):
        list_images(touch(tmp_path / "i", "a.txt"), "dataset.images")


def test_two_images_of_one_stem_are_named(tmp_path):
    with pytest.raises(UserError, match=r"(?s)same stem.*a.jpg and a.png"):
        list_images(touch(tmp_path / "i", "a.png", "a.jpg"), "dataset.images")


def test_single_images_and_masks_are_counted_and_five_of_them_named():
    images = {str(at): f"{at}.jpg" for at in range(7)}
    with pytest.raises(UserError) as caught:
        require_pairs(images, {"0": "0.png", "x": "x.png"})
    message = str(caught.value)
    assert "images without a mask (6): 1.jpg, 2.jpg, 3.jpg, 4.jpg, 5.jpg, …" in message
    assert "masks without an image (1): x.png" in message


def test_jpeg_masks_are_refused_by_name():
    require_pairs({"a": "a.jpg", "b": "b.jpg"}, {"a": "a.png", "b": "b.tif"})
    with pytest.raises(UserError, match=r"(?s)JPEG.*\(1\): b.JPG"):
        require_pairs({"a": "a.jpg", "b": "b.jpg"}, {"a": "a.png", "b": "b.JPG"})


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


def test_a_class_that_train_has_not_is_named(tree):
    folder = tree("train/dog/1.png", "valid/dgo/2.png", "valid/dog/3.png")
    with pytest.raises(UserError, match=r"(?s)folder of valid.*train: dog.*valid: dgo"):
        list_classes(folder)
