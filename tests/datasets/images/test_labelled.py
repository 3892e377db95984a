"""Image files with a target each, and the names by which a list may call them."""

import cv2
import numpy as np
import pytest

from reprise.datasets.images.labelled import LabelledImages, file_keys
from reprise.datasets.targets import Targets
from reprise.errors import UserError
from reprise.spec import Spec
from reprise.transforms.augment import Augment


@pytest.fixture
def paths(tmp_path):
    for at in range(3):
        noise = np.random.default_rng(at).integers(0, 256, (6 + at, 8, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{at}.png"), noise)
    return [tmp_path / f"{at}.png" for at in range(3)]


class Listed(LabelledImages):
    def name(self, index):
        return self._paths[index].name

    def splits(self):
        return {"train": np.arange(len(self))}


def images(paths, channels=3, fit="resize", augment=None):
    targets = Targets(np.arange(len(paths), dtype=np.int32), Spec((), "int32", tuple("abcd")))
    return Listed(paths, targets, [6, 8], channels, fit, augment, "one")


def pixels(dataset, index, rng=None):
    return dataset.read(index, rng)[0]


def test_at_its_own_size_a_picture_comes_as_it_is_stored(paths):
    dataset = images(paths)
    assert dataset.input_spec == Spec((6, 8, 3), "uint8")
    assert np.array_equal(pixels(dataset, 0), cv2.imread(str(paths[0]))[..., ::-1])
    assert pixels(dataset, 2).shape == (6, 8, 3)
    assert pixels(images(paths, 1, "crop"), 1).shape == (6, 8, 1)


def test_changes_are_drawn_in_training_alone(paths):
    dataset = images(paths, augment=Augment(horizontal_flip=True))
    plain = pixels(dataset, 0)
    seen = {pixels(dataset, 0, np.random.default_rng(at)).tobytes() for at in range(20)}
    assert seen == {plain.tobytes(), plain[:, ::-1].tobytes()}


def test_other_depths_and_broken_files_are_named(paths):
    cv2.imwrite(str(paths[1]), np.zeros((6, 8), np.uint16))
    paths[2].write_bytes(paths[2].read_bytes()[:-30])
    dataset = images([*paths, paths[0].with_name("gone.png")])
    for thorough in (False, True):
        found = dataset.check(np.arange(4), thorough=thorough)
        assert [line.split()[0].rpartition("/")[2] for line in found] == ["1.png", "2.png",
                                                                        "gone.png"]  # fmt: skip
        assert "another depth than the first image" in found[0]
    assert dataset.check(np.array([0]), thorough=True) == []
    for index in (1, 2, 3):
        with pytest.raises(UserError, match=r"png"):
            pixels(dataset, index)


def test_a_damaged_middle_is_found_when_every_pixel_is_looked_at(paths):
    data = bytearray(paths[1].read_bytes())
    data[len(data) // 2] ^= 255
    paths[1].write_bytes(bytes(data))
    dataset = images(paths)
    assert dataset.check(np.arange(3), thorough=False) == []
    assert len(dataset.check(np.arange(3), thorough=True)) == 1


def test_a_list_may_call_a_file_by_what_it_alone_is_called():
    keys = file_keys(["cat/1.png", "hen/1.png", "hen/2.v1.png", "hen/2.v1.jpg"])
    assert keys == {
        "cat/1.png": 0, "cat/1": 0, "hen/1.png": 1, "hen/1": 1,
        "hen/2.v1.png": 2, "2.v1.png": 2, "hen/2.v1.jpg": 3, "2.v1.jpg": 3,
    }  # fmt: skip
