"""Folders of images: which pair up with masks, and which are of which class."""

import os

import pytest

from reprise.datasets.images.folders import (
    find_files,
    list_classes,
    list_images,
    others,
    require_pairs,
)
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


def test_one_folder_of_a_split_s_name_or_one_that_is_named_is_a_class(tree):
    assert set(list_classes(tree("train/3.png", "other/4.png")).splits) == {""}
    folder = tree("valid/1.png", "test/2.png")
    found = list_classes(folder, ["train", "valid", "test", "other"])
    assert found.classes == ["other", "test", "train", "valid"]


ABOVE = ["{0}/cat/1.png", "{0}/hen/2.png", "{1}/cat/3.png", "{1}/hen/4.png"]
BELOW = ["cat/{0}/1.png", "hen/{0}/2.png", "cat/{1}/3.png", "hen/{1}/4.png"]
PAIRS = [
    ("Training", "Testing"), ("train", "test"), ("TRAIN", "Test"), ("training_set", "test_set"),
    ("train2017", "test2017"), ("Train Data", "Test Data"), ("trainset", "testset"),
    ("train_images", "test_images"),
]  # fmt: skip


@pytest.mark.parametrize("names", PAIRS)
@pytest.mark.parametrize("files", [ABOVE, BELOW])
def test_folders_of_splits_are_known_by_what_their_names_mean(tree, files, names):
    listing = list_classes(tree(*(file.format(*names) for file in files)))
    assert listing.splits == ["train", "train", "test", "test"]
    assert listing.classes == ["cat", "hen", "cat", "hen"]
    assert [file[-5] for file in listing.files] == list("1234")


def test_classes_that_stand_one_folder_deeper_are_refused_with_the_folder(tree):
    for files in (
        ["brain/a/1.png", "brain/b/2.png"],
        ["brain/train/a/1.png", "brain/test/a/2.png"],
    ):
        with pytest.raises(UserError, match=r"(?s)holds one class.*dataset.folder=.*pets/brain"):
            list_classes(tree(*files))


@pytest.mark.parametrize("name", ["dev", "validation", "Valid", "val_images"])
def test_a_valid_split_has_many_names(tree, name):
    listing = list_classes(tree("train/cat/1.png", f"{name}/cat/2.png"))
    assert listing.splits == ["train", "valid"]


def test_an_archive_unpacked_into_a_folder_of_its_own_name_is_looked_into(tree):
    listing = list_classes(tree("train_set/train_set/cat/1.png", "test_set/test_set/cat/2.png"))
    assert (listing.classes, listing.splits) == (["cat", "cat"], ["train", "test"])
    assert listing.files[0] == "train_set/train_set/cat/1.png"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["train/1.png", "test/2.png", "x/3.png"], "test and train.*both are named as splits"),
        (["seg_train/a/1.png", "seg_test/a/2.png"], "seg_test and seg_train.*both hold a folder a"),
        (["A/cat/1.png", "B/Cat/2.png"], "A and B.*both hold a folder cat"),
        (["train/a/1.png", "dev/a/2.png", "val/a/3.png"], "dev and val.*both name the split valid"),
        (["cat/1.png", "hen/2.png", "test/cat/3.png"], "test and cat.*holds a folder cat"),
        (["cat/train/1.png", "cat/test/2.png", "hen/3.png"], "cat.*holds test, train"),
        (["train/sub/1.png", "other/2.png"], "train is named as a split"),
    ],
)
def test_folders_that_may_be_splits_or_classes_are_refused_by_name(tree, files, said):
    with pytest.raises(UserError, match=f"(?s)may be splits or classes.*{said}.*dataset.classes="):
        list_classes(tree(*files))


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def test_unicode_forms_of_one_name_are_one_name(tree):
    listing = list_classes(tree(f"train/{COMPOSED}/1.png", f"test/{DECOMPOSED}/2.png"))
    assert listing.splits == ["train", "test"]
    images = list_images(tree(f"i/{COMPOSED}.jpg") / "i", "dataset.images")
    masks = list_images(tree(f"m/{DECOMPOSED}.png") / "m", "dataset.masks")
    require_pairs(images, masks)
    with pytest.raises(UserError, match=r"same stem(?s:.*)u0301.*xe9|same stem(?s:.*)xe9.*u0301"):
        list_images(tree(f"i/{DECOMPOSED}.png") / "i", "dataset.images")


def test_names_that_are_not_utf_8_are_refused(tree):
    folder = tree("cat/1.png")
    (folder / "cat" / os.fsdecode(b"caf\xe9.png")).touch()
    for look in (lambda: list_classes(folder), lambda: list_images(folder / "cat", "key")):
        with pytest.raises(UserError, match=r"not UTF-8(?s:.*)caf\\xe9.png"):
            look()


def test_links_in_a_circle_end_nothing(tree):
    folder = tree("cat/1.png", "hen/2.png")
    (folder / "loop").symlink_to("loop")
    (folder / "cat/loop").symlink_to("loop")
    assert list_classes(folder).strays == ["cat/loop"]
    (folder / "all").symlink_to(folder)
    with pytest.raises(UserError, match="the one holds a folder all, too"):
        list_classes(folder)


def test_what_is_passed_over_can_be_named(tree):
    folder = tree("1.png", "2.bmp", "3", "more/4.png", "._1.png", "Thumbs.db", "__MACOSX/5.png")
    assert list(list_images(folder, "key")) == ["1"]
    assert others(folder) == ["2.bmp", "3", "more/"]


@pytest.mark.parametrize(
    "name",
    ["a/x.JPG", "a\\x.JPG", "./a/x.JPG", "a/x.jpg", "a/x", "A/../a/X.jpg", f"a/{DECOMPOSED}.png"],
)
def test_a_table_may_write_a_file_in_its_own_way(tree, name):
    folder = tree("a/x.JPG", "A/y.png", f"a/{COMPOSED}.png")
    assert find_files(folder, [name])[0].exists()
    assert find_files(folder, [str(folder / name)])[0].exists()


def test_of_several_files_that_may_be_meant_none_is_taken(tree):
    folder = tree("x.jpg", "X.jpg", "y.jpg", "y.png")
    assert [path.exists() for path in find_files(folder, ["x.JPG", "y", "x.jpg"])] == [
        False,
        False,
        True,
    ]


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
