"""What stands on the axes: titles, colours, legend; and grids of samples as files."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from reprise.datasets.drawing import (
    as_rgb,
    draw_input,
    draw_masks,
    draw_matrices,
    draw_values,
    save_grid,
    write_target,
)
from reprise.spec import Spec

ONE = Spec((), "int32", ("cat", "dog", "$hen$"))
SOME = Spec((5,), "uint8", ("a", "b", "c", "d", "e"))
VALUES = Spec((2,), "float32")


@pytest.fixture
def axes():
    return Figure().subplots()


def flags(*numbers):
    return np.isin(np.arange(5), numbers).astype(np.uint8)


@pytest.mark.parametrize(
    ("spec", "y", "prediction", "title", "color"),
    [
        (ONE, 1, None, "dog", "black"),
        (ONE, 2, None, r"\$hen\$", "black"),
        (ONE, 1, [0.1, 0.9, 0.0], "truth: dog (90 %)\nanswer: dog (90 %)", "green"),
        (ONE, 0, [0.2, 0.7, 0.1], "truth: cat (20 %)\nanswer: dog (70 %)", "red"),
        (SOME, flags(0, 2), None, "a, c", "black"),
        (SOME, flags(), [0.9, 0.1, 0, 0, 0], "truth: (none)\nanswer: a", "red"),
        (SOME, flags(0, 4), [0.9, 0.1, 0, 0, 0.5], "truth: a, e\nanswer: a, e", "green"),
        (VALUES, [1.0, 0.25], [1.5, 0.0], "truth: 1, 0.25\nanswer: 1.5, 0", "black"),
        (Spec((), "float32"), -3.0, None, "-3", "black"),
        (Spec((), "int32", ("n" * 50,)), 0, None, "n" * 35 + "…", "black"),
        (Spec((), "int32", ("n" * 50,)), 0, [1.0], f"truth: {'n' * 19}… (100 %)\n"
                                                   f"answer: {'n' * 19}… (100 %)", "green"),
    ],
)  # fmt: skip
def test_truth_and_answer_stand_in_the_title(axes, spec, y, prediction, title, color):
    given = None if prediction is None else np.asarray(prediction)
    write_target(axes, spec, np.asarray(y), given)
    assert (axes.get_title(), axes.title.get_color()) == (title, color)


def test_a_legend_numbers_the_classes_unless_their_numbers_are_their_names(axes):
    write_target(axes, Spec((), "int32", ("cat", "dog")), np.asarray(1))
    assert axes.get_legend_handles_labels()[1] == ["0 = cat", "1 = dog"]
    axes.clear()
    write_target(axes, Spec((), "int32", ("0", "1")), np.asarray(1))
    assert axes.get_legend_handles_labels()[1] == []


def test_eight_bits_are_shown_as_they_are_and_others_stretched():
    rgb = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(as_rgb(rgb), rgb)
    assert np.array_equal(as_rgb(rgb[..., :1]), np.repeat(rgb[..., :1], 3, 2))
    deep = np.array([[[1000], [2000], [3000]]], np.uint16)
    assert as_rgb(deep)[..., 0].tolist() == [[0, 127, 255]]
    assert as_rgb(np.full((2, 2, 3), 7, np.uint16)).max() == 0


@pytest.mark.parametrize(
    ("shape", "shown"), [((8, 9, 1), (8, 9, 3)), ((8, 9, 3), (8, 9, 3)), ((8, 9, 5), (8, 9))]
)
def test_an_image_is_shown_in_its_colours_or_by_its_first_channel(axes, shape, shown):
    draw_input(axes, np.random.default_rng(0).random(shape), Spec(shape, "float32"))
    assert axes.images[0].get_array().shape == shown


def test_values_are_drawn_as_a_model_takes_them(axes):
    spec = Spec((2,), "float32", offset=(1.0, 10.0), scale=(2.0, 5.0))
    draw_input(axes, np.array([3, 0]), spec)
    assert axes.lines[0].get_ydata().tolist() == [1.0, -2.0]
    draw_input(axes, np.array([255, 51]), Spec((2,), "uint8"))
    assert axes.lines[1].get_ydata().tolist() == [1.0, 0.2]


def test_named_values_have_bars_and_the_first_twelve_are_shown(axes):
    names = [f"v{at}" for at in range(14)]
    draw_values(axes, np.arange(14.0), Spec((14,), "float32", scale=(2.0,)), names)
    assert [bar.get_width() for bar in axes.patches] == [at / 2 for at in range(12)]
    assert axes.get_xlim() == (-3, 3)
    assert [text.get_text() for text in axes.get_yticklabels()][:2] == ["v0 0", "v1 1"]
    assert axes.get_xlabel() == "and 2 more"


def test_masks_tint_the_image_and_their_classes_are_in_the_legend(axes):
    spec = Spec((9, 15, 1), "uint8", ("_night", "fire"), ignore=255)
    mask = np.repeat([[0] * 5 + [1] * 5 + [255] * 5], 9, axis=0).astype(np.uint8)[..., None]
    image = np.full((9, 15, 3), 100, np.uint8)
    draw_masks(axes, image, {"target": mask}, spec, [(0, 0, 0), (200, 0, 0)])
    assert [text.get_text() for text in axes.texts] == ["input", "target"]
    shown, tinted = (np.asarray(one.get_array()) for one in axes.images)
    assert (shown == 100).all()
    assert tinted[4, [2, 7, 12]].tolist() == [[50, 50, 50], [150, 50, 50], [20, 20, 20]]
    assert tinted[4, [4, 5]].tolist() == [[0, 0, 0], [200, 0, 0]]  # the border, in full colour
    assert axes.get_legend_handles_labels()[1] == [" _night", " fire", " (ignored)"]
    assert axes.get_xlim()[1] == pytest.approx(15 * (2 + 1 / 24))


@pytest.mark.parametrize("count", [1, 2, 11, 40])
def test_classes_have_different_colours(axes, count):
    spec = Spec((2, 50, 1), "uint8", tuple(map(str, range(count))))
    ids = np.arange(50, dtype=np.uint8)[None, :, None].repeat(2, axis=0)
    draw_masks(axes, np.zeros((2, 50, 1), np.uint8), {"target": ids}, spec)
    colors = {tuple(np.round(line.get_color(), 3)) for line in axes.lines}
    assert len(colors) == count
    if count == 1:  # yes or no: 0 is background
        assert np.asarray(axes.images[1].get_array())[0].any(axis=1).tolist()[:3] == [0, 1, 0]


def test_matrices_have_one_scale_which_the_target_sets(axes):
    target = np.linspace(-7, 7, 32).reshape(4, 4, 2)
    draw_matrices(axes, {"input": 100 * target, "target": target, "answer": -target})
    assert [image.get_clim() for image in axes.images] == [(-7, 7)] * 3
    assert axes.images[1].get_array().shape == (9, 4)  # two values, and a line between them
    assert np.array_equal(axes.images[1].get_array()[5:], target[..., 1])


def test_a_constant_target_takes_the_scale_of_the_input(axes):
    matrices = {"input": np.ones((4, 4, 1)), "target": np.zeros((4, 4, 1))}
    matrices["input"][0] = -2
    draw_matrices(axes, {**matrices, "answer": np.full((4, 4, 1), np.nan)})
    assert axes.images[1].get_clim() == (-2, 1)


@pytest.mark.parametrize(
    ("count", "ratio", "cells"), [(8, 1, (3, 3)), (16, 1, (4, 4)), (8, 3, (4, 2)), (1, 1, (1, 1))]
)
def test_a_grid_has_about_the_shape_of_a_screen(tmp_path, count, ratio, cells):
    drawn = []

    def draw(axes, x, y):
        drawn.append((x.item(), y.item()))
        axes.imshow(np.zeros((10, 10 * ratio)))
        axes.plot([], [], label="mark")

    numbers = np.arange(count)
    path = save_grid(tmp_path / "deep" / "grid.png", draw, numbers, numbers + 1)
    assert drawn[-count:] == [(at, at + 1) for at in range(count)]
    height, width = cv2.imread(str(path)).shape[:2]
    assert height == pytest.approx(cells[0] * 2.4 * 160)
    assert width == pytest.approx(max(2, cells[1] * ratio) * 2 * 160)


def test_datasets_are_imported_without_matplotlib():
    code = "import sys, reprise.datasets.image_mask; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
