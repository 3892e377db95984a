import numpy as np
import pytest

from reprise.transforms.tiles import blended, enlarged, gaussian, places, starts


@pytest.mark.parametrize(
    ("length", "size", "expected"),
    [
        (8, 8, [0]),
        (9, 8, [0, 1]),
        (20, 8, [0, 4, 8, 12]),
        (21, 8, [0, 4, 8, 12, 13]),
        (3, 1, [0, 1, 2]),
    ],
)
def test_tiles_begin_every_half_tile_and_the_last_ends_with_the_picture(length, size, expected):
    assert starts(length, size) == expected


@pytest.mark.parametrize("size", [(37, 50), (16, 12), (16, 40), (100, 12)])
def test_what_is_the_same_in_all_tiles_is_blended_to_itself(size):
    tile = (16, 12)
    whole = np.random.default_rng(0).random((*size, 3), np.float32)
    answers = [
        (top, left, whole[top : top + 16, left : left + 12]) for top, left in places(size, tile)
    ]
    rows = list(blended(answers, tile, size[1]))
    assert [first for first, _ in rows] == list(np.cumsum([0] + [len(r) for _, r in rows])[:-1])
    np.testing.assert_allclose(np.concatenate([row for _, row in rows]), whole, atol=1e-6)


def test_a_seam_between_tiles_that_disagree_is_a_slope():
    answers = [(0, left, np.full((4, 64, 1), float(left), np.float32)) for left in (0, 32, 64)]
    ((_, band),) = blended(answers, (4, 64), 128)
    assert np.abs(np.diff(band[..., 0], axis=1)).max() < 5  # of 32 from tile to tile
    assert gaussian((16, 16)).min() > 0


@pytest.mark.parametrize("size", [(8, 6), (16, 18), (100, 3), (5, 5)])
def test_an_answer_is_scaled_between_the_centres_of_pixels(size):
    import cv2

    answer = np.random.default_rng(0).random((8, 6, 2), np.float32)
    rows = np.concatenate([row for _, row in enlarged(answer, size, rows=7)])
    wanted = cv2.resize(answer, size[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(rows, wanted, atol=1e-5)
