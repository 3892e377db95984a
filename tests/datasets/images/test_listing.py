"""Folders of images, and images that pair up with masks."""

import pytest

from reprise.datasets.images.listing import list_images, require_lossless, require_pairs
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


def test_a_missing_folder_is_named_with_its_key(tmp_path):
    with pytest.raises(UserError, match=r"(?s)dataset.masks: no such folder.*nowhere"):
        list_images(tmp_path / "nowhere", "dataset.masks")


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"(?s)dataset.images: .*holds no image.*1 entries"):
        list_images(touch(tmp_path / "i", "a.txt"), "dataset.images")


def test_two_images_of_one_stem_are_named(tmp_path):
    with pytest.raises(UserError, match=r"(?s)same stem.*a.jpg and a.png"):
        list_images(touch(tmp_path / "i", "a.png", "a.jpg"), "dataset.images")


def test_what_pairs_up_is_accepted():
    require_pairs({"a": "a.jpg"}, {"a": "a.png"})


def test_single_images_and_masks_are_counted_and_five_of_them_named():
    images = {str(at): f"{at}.jpg" for at in range(7)}
    with pytest.raises(UserError) as caught:
        require_pairs(images, {"0": "0.png", "x": "x.png"})
    message = str(caught.value)
    assert "images without a mask (6): 1.jpg, 2.jpg, 3.jpg, 4.jpg, 5.jpg, …" in message
    assert "masks without an image (1): x.png" in message


def test_jpeg_masks_are_refused_by_name():
    require_lossless({"a": "a.png", "b": "b.tif"})
    with pytest.raises(UserError, match=r"(?s)JPEG.*\(1\): b.JPG"):
        require_lossless({"a": "a.png", "b": "b.JPG"})
