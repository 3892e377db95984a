"""Image files as inputs, and the names by which a list may call them."""

import cv2
import numpy as np
import pytest

from reprise.datasets.images.pictures import file_keys, open_pictures
from reprise.errors import UserError
from reprise.spec import Spec
from reprise.transforms.augment import Augment


@pytest.fixture
def paths(tmp_path):
    for at in range(3):
        pixels = np.random.default_rng(at).integers(0, 256, (6 + at, 8, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{at}.png"), pixels)
    return [tmp_path / f"{at}.png" for at in range(3)]


def read(pictures, index, rng=None):
    return pictures.finish(pictures.decode(index), rng)


def test_at_its_own_size_a_picture_comes_as_it_is_stored(paths):
    pictures = open_pictures(paths, [6, 8], 3, "resize", None)
    assert pictures.spec == Spec((6, 8, 3), "uint8")
    assert np.array_equal(read(pictures, 0), cv2.imread(str(paths[0]))[..., ::-1])
    assert read(pictures, 2).shape == (6, 8, 3)
    assert read(open_pictures(paths, [6, 8], 1, "crop", None), 1).shape == (6, 8, 1)


def test_changes_are_drawn_in_training_alone(paths):
    pictures = open_pictures(paths, [6, 8], 3, "resize", Augment(horizontal_flip=True))
    plain = read(pictures, 0)
    seen = {read(pictures, 0, np.random.default_rng(at)).tobytes() for at in range(20)}
    assert seen == {plain.tobytes(), plain[:, ::-1].tobytes()}


def test_other_depths_and_broken_files_are_named(paths):
    cv2.imwrite(str(paths[1]), np.zeros((6, 8), np.uint16))
    paths[2].write_bytes(paths[2].read_bytes()[:-30])
    pictures = open_pictures([*paths, paths[0].with_name("gone.png")], [6, 8], 3, "resize", None)
    for thorough in (False, True):
        found = pictures.check(np.arange(4), thorough=thorough)
        assert [line.split()[0].rpartition("/")[2] for line in found] == ["1.png", "2.png",
                                                                        "gone.png"]  # fmt: skip
        assert "another depth than the first image" in found[0]
    assert pictures.check(np.array([0]), thorough=True) == []
    for index in (1, 2, 3):
        with pytest.raises(UserError, match=r"png"):
            read(pictures, index)


def test_a_damaged_middle_is_found_when_every_pixel_is_looked_at(paths):
    data = bytearray(paths[1].read_bytes())
    data[len(data) // 2] ^= 255
    paths[1].write_bytes(bytes(data))
    pictures = open_pictures(paths, [6, 8], 3, "resize", None)
    assert pictures.check(np.arange(3), thorough=False) == []
    assert len(pictures.check(np.arange(3), thorough=True)) == 1


def test_a_list_may_call_a_file_by_what_it_alone_is_called():
    keys = file_keys(["cat/1.png", "hen/1.png", "hen/2.v1.png", "hen/2.v1.jpg"])
    assert keys == {
        "cat/1.png": 0, "cat/1": 0, "hen/1.png": 1, "hen/1": 1,
        "hen/2.v1.png": 2, "2.v1.png": 2, "hen/2.v1.jpg": 3, "2.v1.jpg": 3,
    }  # fmt: skip
