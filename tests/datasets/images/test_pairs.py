"""Image and mask files looked over without training on them."""

import math

import cv2
import numpy as np
import pytest
from PIL import Image

from reprise.datasets.images.mask_coding import BinaryMasks
from reprise.datasets.images.pairs import check_pairs, read_pair
from reprise.errors import UserError

CODING = BinaryMasks(["ink"])


@pytest.fixture
def pairs(tmp_path):
    """Six sound pairs of 20 rows and 30 columns."""
    found = [(tmp_path / f"{at}.jpg", tmp_path / f"{at}.png") for at in range(6)]
    for at, (image, mask) in enumerate(found):
        noise = np.random.default_rng(at).integers(0, 256, (20, 30, 3), np.uint8)
        cv2.imwrite(str(image), noise)
        cv2.imwrite(str(mask), (noise[..., 0] > 99).astype(np.uint8))
    return found


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def test_sound_pairs_have_no_problem(pairs):
    assert check_pairs(pairs, CODING, 3, "uint8", thorough=False) == []
    assert check_pairs(pairs, CODING, 3, "uint8", thorough=True) == []


@pytest.mark.parametrize("thorough", [False, True])
def test_each_problem_is_one_line_that_names_its_file(pairs, thorough):
    cut(pairs[0][0])
    cut(pairs[1][1])
    pairs[2][0].write_bytes(b"")
    cv2.imwrite(str(pairs[3][1]), np.zeros((20, 31), np.uint8))
    cv2.imwrite(str(pairs[4][1]), np.full((20, 30), 7, np.uint8))
    pairs[5][0].write_text("no image")
    lines = check_pairs(pairs, CODING, 3, "uint8", thorough=thorough)
    starts = [
        f"{pairs[0][0]} cannot be read: expected a whole image",
        f"{pairs[1][1]} cannot be read: expected a whole image",
        f"{pairs[2][0]} cannot be read: expected an image; received an empty file",
        f"{pairs[3][1]} has another size than its image {pairs[3][0]}: expected 20 rows and 30",
        f"{pairs[4][1]} is not a yes/no mask: expected the values 0 and 1, or 0 and 255; "
        "received the values 7",
        f"{pairs[5][0]} cannot be read: expected a PNG, JPEG or TIFF image",
    ]
    assert len(lines) == 6
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)
        assert "\n" not in line


def test_another_depth_than_the_first_image_is_a_problem(pairs):
    deep = pairs[3][0]
    Image.fromarray(np.zeros((20, 30), np.uint16)).save(deep, "PNG")
    lines = check_pairs(pairs, CODING, 3, "uint8", thorough=False)
    assert len(lines) == 1
    assert lines[0].startswith(f"{deep} has another depth than the first image: expected uint8")
    with pytest.raises(UserError, match=r"(?s)3.jpg has another depth.*received +uint16 pixels"):
        read_pair(pairs[3], CODING, 3, "uint8", math.inf)


def test_a_mask_is_compared_with_the_image_as_it_is_shown(pairs):
    image, mask = pairs[0]
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(image, exif=exif)
    assert len(check_pairs(pairs, CODING, 3, "uint8", thorough=False)) == 1
    cv2.imwrite(str(mask), np.zeros((30, 20), np.uint8))
    assert check_pairs(pairs, CODING, 3, "uint8", thorough=False) == []
    assert read_pair(pairs[0], CODING, 3, "uint8", math.inf)[0].shape == (30, 20, 3)


def test_a_pair_that_does_not_fit_cannot_be_read(pairs):
    cv2.imwrite(str(pairs[0][1]), np.zeros((30, 20), np.uint8))
    with pytest.raises(UserError, match=r"(?s)0.png has another size.*20 rows.*30 rows and 20"):
        read_pair(pairs[0], CODING, 3, "uint8", math.inf)


def test_of_many_masks_some_are_decoded_and_all_if_asked(pairs):
    bad = pairs[1][1]
    many = [pairs[0], *[pairs[2]] * 1000, pairs[1]]
    cv2.imwrite(str(bad), np.full((20, 30), 7, np.uint8))
    assert len(check_pairs([pairs[1], *many[:-1]], CODING, 3, "uint8", thorough=False)) == 1
    assert check_pairs(many, CODING, 3, "uint8", thorough=False) == []
    assert len(check_pairs(many, CODING, 3, "uint8", thorough=True)) == 1


def test_image_and_mask_are_reduced_alike(pairs):
    """A JPEG of five times the sides: halved twice while it is decoded."""
    image, mask = pairs[0]
    values = np.zeros((100, 151), np.uint8)
    values[:, 76:] = 255
    Image.fromarray(np.dstack([values] * 3)).save(image, quality=95)
    Image.fromarray(values).save(mask)
    small, ids = read_pair(pairs[0], CODING, 3, "uint8", 20 * 30)
    assert (small.shape, ids.shape) == ((25, 38, 3), (25, 38))
    assert np.array_equal(ids[:, :18], np.zeros((25, 18)))
    assert ids[:, 20:].all()
    whole, all_ids = read_pair(pairs[0], CODING, 3, "uint8", math.inf)
    assert (whole.shape, all_ids.shape) == ((100, 151, 3), (100, 151))


def test_a_mask_of_another_size_is_refused_with_the_files_own_sizes(pairs):
    image, mask = pairs[0]
    Image.fromarray(np.zeros((100, 150, 3), np.uint8)).save(image)
    Image.fromarray(np.zeros((200, 300), np.uint8)).save(mask)
    with pytest.raises(UserError, match=r"(?s)100 rows and 150 columns.*200 rows and 300 columns"):
        read_pair(pairs[0], CODING, 3, "uint8", 20 * 30)
