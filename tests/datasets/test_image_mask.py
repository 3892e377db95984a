"""Image and mask files as samples: exact values, known bugs of other generators, bad input."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from matplotlib.figure import Figure
from PIL import Image

from reprise.datasets.image_mask import ImageMask
from reprise.errors import UserError
from reprise.spec import Spec
from reprise.transforms.augment import Augment

NAMES = ["a", "b", "c", "d"]
WILD = Augment(
    rotation_range=40,
    width_shift_range=0.2,
    height_shift_range=5,
    shear_range=20,
    zoom_range=0.3,
    horizontal_flip=True,
    vertical_flip=True,
    fill_mode="constant",
)


def tiny(folder: Path) -> dict[str, Any]:
    """Values for conf/dataset/image_mask.yaml: 11 noisy images with a bright disc each."""
    images, masks = {}, {}
    for at in range(11):
        rng = np.random.default_rng(at)
        mask = np.zeros((40, 48), np.uint8)
        cv2.circle(mask, (10 + 2 * at, 20), 8, 255, -1)
        images[f"disc{at}.png"] = rng.integers(0, 99, (40, 48, 3), np.uint8) + mask[..., None] // 2
        masks[f"disc{at}.png"] = mask
    augment = {"rotation_range": 20, "horizontal_flip": True, "brightness_range": [0.5, 2.0]}
    values = write(folder, images, masks) | {"image_size": [24, 32], "augment": augment}
    return {key: value for key, value in values.items() if key != "split"}


def write(folder, images, masks):
    for kind, arrays in (("images", images), ("masks", masks)):
        (folder / kind).mkdir(exist_ok=True)
        for name, array in arrays.items():
            assert cv2.imwrite(str(folder / kind / name), array)
    return {
        "images": str(folder / "images"),
        "masks": str(folder / "masks"),
        "image_size": [16, 24],
        "split": {"train": 0.5, "valid": 0.5, "test": None},
    }


def ramp(height, width):
    """An image in which every pixel says where it is: red the row, green the column."""
    rows, columns = np.indices((height, width))
    return np.dstack([np.full_like(rows, 7), columns, rows]).astype(np.uint8)


@pytest.fixture
def ids(tmp_path):
    """Ten pairs of 40 rows and 50 columns; ids 0 to 3 in blocks, and 9, to be ignored."""
    masks = {}
    for at in range(10):
        mask = np.random.default_rng(at).integers(0, 4, (8, 10), np.uint8).repeat(5, 0).repeat(5, 1)
        mask[:3, :3] = 9
        masks[f"{at}.png"] = mask
    keys = write(tmp_path, {f"{at}.png": ramp(40, 50) for at in range(10)}, masks)
    return {**keys, "mask_mode": "ids", "classes": NAMES, "ignore": [9]}


def test_at_its_own_size_a_pair_comes_as_it_is_stored(ids):
    dataset = ImageMask(**{**ids, "image_size": [40, 50]})
    x, y = dataset.read(3, None)
    mask = cv2.imread(ids["masks"] + "/3.png", cv2.IMREAD_UNCHANGED)
    assert np.array_equal(x, ramp(40, 50)[..., ::-1])
    assert np.array_equal(y[..., 0], np.where(mask == 9, 255, mask))


def test_pairs_are_made_by_stem_and_not_by_order(tmp_path):
    grey = {"x": 10, "x.k": 20, "w": 30}
    images = {f"{stem}.jpg": np.full((8, 8, 3), value, np.uint8) for stem, value in grey.items()}
    masks = {f"{stem}.png": np.full((8, 8), value // 10, np.uint8) for stem, value in grey.items()}
    assert [name[:-4] for name in sorted(images)] != [name[:-4] for name in sorted(masks)]
    keys = write(tmp_path, images, masks)
    dataset = ImageMask(**keys, mask_mode="ids", classes=NAMES)
    seen = [
        (int(x.mean().round()), int(y.max())) for x, y in (dataset.read(i, None) for i in range(3))
    ]
    assert sorted(seen) == [(10, 1), (20, 2), (30, 3)]


@pytest.mark.parametrize("fit", ["resize", "crop"])
@pytest.mark.parametrize("image_size", [[16, 24], [33, 70], [61, 17]])
def test_no_id_is_made_up_between_two_others(tmp_path, fit, image_size):
    mask = np.zeros((40, 50), np.uint8)
    mask[:, 25:] = 3
    keys = write(tmp_path, {"a.png": ramp(40, 50)}, {"a.png": mask})
    keys |= {"image_size": image_size, "fit": fit, "mask_mode": "ids", "classes": NAMES}
    dataset = ImageMask(**keys, augment=WILD)
    for rng in (None, *map(np.random.default_rng, range(20))):
        assert set(np.unique(dataset.read(0, rng)[1])) <= {0, 3, 255}


@pytest.mark.parametrize("fit", ["resize", "crop"])
def test_a_mask_sits_on_its_image_after_every_change(tmp_path, fit):
    disc = np.zeros((80, 100), np.uint8)
    cv2.circle(disc, (40, 35), 25, 255, -1)
    keys = write(tmp_path, {"a.png": np.dstack([disc] * 3)}, {"a.png": disc})
    keys |= {"image_size": [64, 64], "fit": fit}
    dataset = ImageMask(**keys, augment=WILD)
    seen = set()
    for seed in range(30):
        x, y = dataset.read(0, np.random.default_rng(seed))
        seen.add(x.tobytes())
        edge = cv2.morphologyEx(y[..., 0], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        assert np.array_equal(x[~edge, 0] > 127, y[~edge, 0] == 1)
        assert (y == 1).any()
    assert len(seen) == 30


def test_without_rng_nothing_is_drawn(ids):
    plain, augmented = ImageMask(**ids), ImageMask(**ids, augment=WILD)
    for index in range(10):
        one, other = plain.read(index, None), augmented.read(index, None)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_crop_is_the_middle_or_drawn(ids):
    dataset = ImageMask(**{**ids, "fit": "crop"})
    x, _ = dataset.read(0, None)
    assert np.array_equal(x, ramp(40, 50)[12:28, 13:37, ::-1])
    corners = set()
    for seed in range(200):
        x, _ = dataset.read(0, np.random.default_rng(seed))
        top, left = int(x[0, 0, 0]), int(x[0, 0, 1])
        assert np.array_equal(x, ramp(40, 50)[top : top + 16, left : left + 24, ::-1])
        corners.add((top, left))
    tops, lefts = zip(*corners, strict=True)
    assert (min(tops), max(tops), min(lefts), max(lefts)) == (0, 24, 0, 26)


def test_what_is_too_small_is_padded_and_ignored(ids):
    dataset = ImageMask(**{**ids, "fit": "crop", "image_size": [44, 50], "ignore": [9]})
    for rng in (None, np.random.default_rng(0)):
        x, y = dataset.read(0, rng)
        assert np.array_equal(x[2:42], ramp(40, 50)[..., ::-1])
        assert not x[:2].any()
        assert not x[42:].any()
        assert (y[:2] == 255).all()
        assert (y[42:] == 255).all()


def test_a_constant_border_is_ignored_or_is_background(ids, tmp_path):
    shift = Augment(width_shift_range=20, fill_mode="constant", cval=99)
    x, y = ImageMask(**ids, augment=shift).read(0, np.random.default_rng(1))
    outside = (x == 99).all(-1)
    assert outside.any()
    assert (y[outside] == 255).all()
    full = {f"{at}.png": np.full((40, 50), 255, np.uint8) for at in range(10)}
    (tmp_path / "yes").mkdir()
    keys = write(tmp_path / "yes", {f"{at}.png": ramp(40, 50) for at in range(10)}, full)
    x, y = ImageMask(**keys, augment=shift).read(0, np.random.default_rng(1))
    outside = (x == 99).all(-1)
    assert outside.any()
    assert not y[outside].any()
    assert set(np.unique(y)) == {0, 1}


def test_sixteen_bits_stay_sixteen_bits(tmp_path):
    deep = np.full((40, 50), 40000, np.uint16)
    keys = write(tmp_path, {"a.tif": deep}, {"a.png": np.ones((40, 50), np.uint8)})
    dataset = ImageMask(**keys, channels=1, augment=Augment(brightness_range=[1.5, 1.5]))
    assert dataset.input_spec == Spec((16, 24, 1), "uint16")
    assert set(np.unique(dataset.read(0, None)[0])) == {40000}
    assert set(np.unique(dataset.read(0, np.random.default_rng(0))[0])) == {60000}


def test_colour_masks_are_drawn_in_their_colours(tmp_path):
    mask = np.zeros((16, 24, 3), np.uint8)
    mask[:, 12:] = (0, 0, 200)  # OpenCV writes blue first: this is red
    keys = write(tmp_path, {"a.png": np.zeros((16, 24, 3), np.uint8)}, {"a.png": mask})
    colors = {"night": [0, 0, 0], "fire": [200, 0, 0]}
    dataset = ImageMask(**keys, mask_mode="colors", colors=colors)
    x, y = dataset.read(0, None)
    assert dataset.target_spec.classes == ("night", "fire")
    assert np.array_equal(y[..., 0], np.repeat([[0] * 12 + [1] * 12], 16, 0))
    prediction = np.zeros((16, 24, 2), np.float32)
    prediction[..., 0] = 0.4
    prediction[:8, :, 1] = 0.6
    _, target, answer = drawn(dataset, x, y, prediction)
    assert target[0].tolist() == [[0, 0, 0]] * 12 + [[200, 0, 0]] + [[100, 0, 0]] * 11
    assert answer[0].tolist() == [[100, 0, 0]] * 24
    assert answer[9].tolist() == [[0, 0, 0]] * 24


def drawn(dataset, *sample):
    axes = Figure().subplots()
    dataset.draw(axes, *sample)
    return [np.asarray(image.get_array()) for image in axes.images]


def test_a_yes_no_prediction_is_cut_at_one_half(tmp_path):
    grey = np.full((16, 24, 3), 80, np.uint8)
    keys = write(tmp_path, {"a.png": grey}, {"a.png": np.zeros((16, 24), np.uint8)})
    dataset = ImageMask(**keys)
    x, y = dataset.read(0, None)
    prediction = np.full((16, 24, 1), 0.5, np.float32)
    prediction[3] = 0.51
    image, target, answer = drawn(dataset, x, y, prediction)
    assert (image == 80).all()
    assert (target == 80).all()
    assert (answer[3] != 80).all()
    assert (answer[4] == 80).all()


def test_split_files_list_stems_images_or_masks(ids, tmp_path):
    lines = {"train": "1.png\n0.png\n", "valid": "2\n", "test": "somewhere/9.png\n"}
    for name, text in lines.items():
        (tmp_path / f"{name}.txt").write_text(text)
    ids["split"] = {name: str(tmp_path / f"{name}.txt") for name in lines}
    dataset = ImageMask(**ids)
    found = {name: own.tolist() for name, own in dataset.splits().items()}
    assert found == {"train": [0, 1], "valid": [2], "test": [9]}
    names = [source.name for source in dataset.sources]
    assert names == ["images", "masks", "train.txt", "valid.txt", "test.txt"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": "nowhere"}, "dataset.images: no such folder"),
        ({"masks": "nowhere"}, "dataset.masks: no such folder"),
        ({"classes": None}, "dataset.classes does not go with the masks"),
        ({"split": {"train": 0.9, "valid": 0.2}}, "exceed|do not divide"),
        ({"split": {"train": 0.96, "valid": 0.04}}, "the split 'valid' is empty"),
    ],
)
def test_a_wrong_setting_is_refused_before_a_sample_is_read(ids, change, message):
    with pytest.raises(UserError, match=message):
        ImageMask(**{**ids, **change}).splits()


@pytest.fixture
def pairs(tmp_path):
    """Six pairs of JPEG images and PNG masks, 20 rows and 30 columns; and their dataset."""
    images = [tmp_path / "images" / f"{at}.jpg" for at in range(6)]
    masks = [tmp_path / "masks" / f"{at}.png" for at in range(6)]
    noise = [np.random.default_rng(at).integers(0, 256, (20, 30, 3), np.uint8) for at in range(6)]
    yes = [(pixels[..., 0] > 99).astype(np.uint8) for pixels in noise]
    named = [
        {path.name: array for path, array in zip(paths, arrays, strict=True)}
        for paths, arrays in ((images, noise), (masks, yes))
    ]
    return images, masks, ImageMask(**write(tmp_path, *named) | {"image_size": [20, 30]})


@pytest.mark.parametrize("thorough", [False, True])
def test_each_problem_is_one_line_that_names_its_file(pairs, thorough):
    images, masks, dataset = pairs
    assert dataset.check(np.arange(6), thorough=thorough) == []
    for path in (images[0], masks[1]):
        path.write_bytes(path.read_bytes()[:-30])
    images[2].write_bytes(b"")
    cv2.imwrite(str(masks[3]), np.zeros((20, 31), np.uint8))
    cv2.imwrite(str(masks[4]), np.full((20, 30), 7, np.uint8))
    images[5].write_text("no image")
    lines = dataset.check(np.arange(6), thorough=thorough)
    starts = [
        f"{images[0]} cannot be read: expected a whole image",
        f"{masks[1]} cannot be read: expected a whole image",
        f"{images[2]} cannot be read: expected an image; received an empty file",
        f"{masks[3]} has another size than its image {images[3]}: expected 20 rows and 30",
        f"{masks[4]} is not a yes/no mask: expected the values 0 and 1, or 0 and 255; "
        "received the values 7",
        f"{images[5]} cannot be read: expected a PNG, JPEG or TIFF image",
    ]
    assert len(lines) == 6
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)
        assert "\n" not in line


def test_a_mask_is_compared_with_the_image_as_it_is_shown(pairs):
    images, masks, dataset = pairs
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(images[0], exif=exif)
    with pytest.raises(UserError, match=r"(?s)0.png has another size.*30 rows and 20.*20 rows"):
        dataset.read(0, None)
    assert len(dataset.check(np.arange(6))) == 1
    cv2.imwrite(str(masks[0]), np.zeros((30, 20), np.uint8))
    assert dataset.check(np.arange(6)) == []
    assert dataset.decode(0)[0].shape == (30, 20, 3)


def test_of_many_masks_some_are_decoded_and_all_if_asked(pairs):
    _, masks, dataset = pairs
    cv2.imwrite(str(masks[1]), np.full((20, 30), 7, np.uint8))
    many = np.array([0, *[2] * 1000, 1])
    assert len(dataset.check(many[::-1])) == 1
    assert dataset.check(many) == []
    assert len(dataset.check(many, thorough=True)) == 1


def test_image_and_mask_are_reduced_alike(pairs):
    """A JPEG of five times the sides: halved twice while it is decoded."""
    images, masks, dataset = pairs
    values = np.zeros((100, 151), np.uint8)
    values[:, 76:] = 255
    Image.fromarray(np.dstack([values] * 3)).save(images[0], quality=95)
    Image.fromarray(values).save(masks[0])
    small, ids = dataset.decode(0)
    assert (small.shape, ids.shape) == ((25, 38, 3), (25, 38))
    assert np.array_equal(ids[:, :18], np.zeros((25, 18)))
    assert ids[:, 20:].all()
    Image.fromarray(np.zeros((200, 302), np.uint8)).save(masks[0])
    with pytest.raises(UserError, match=r"(?s)100 rows and 151 columns.*200 rows and 302 columns"):
        dataset.decode(0)


def test_one_folder_for_both_is_refused(ids):
    with pytest.raises(UserError, match="are one folder"):
        ImageMask(**{**ids, "masks": ids["images"] + "/../images"})


def block(value=255):
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 10:20] = value
    return mask


@pytest.mark.parametrize(
    ("value", "change", "said"),
    [
        (0, {}, "nothing but background in every mask"),
        (255, {}, "nothing but foreground in every mask"),
        (2, {"mask_mode": "ids", "classes": NAMES}, "nothing but c in every mask"),
        (9, {"mask_mode": "ids", "classes": NAMES, "ignore": [9]}, "nothing but what is ignored"),
    ],
)
def test_masks_of_one_class_are_refused(tmp_path, value, change, said):
    images = {f"{at}.png": ramp(40, 50) for at in range(4)}
    keys = write(tmp_path, images, {name: np.full((40, 50), value, np.uint8) for name in images})
    dataset = ImageMask(**{**keys, **change})
    assert said in dataset.check(np.arange(4))[0]
    assert said in dataset.check(np.arange(4), thorough=True)[0]
    assert dataset.check(np.arange(3)) == []  # a part may be of one class
    assert "every mask looked at" in dataset.notes[0]


def test_a_class_without_a_pixel_and_what_is_not_read_are_noted(tmp_path):
    images = {f"{at}.png": ramp(40, 50) for at in range(4)}
    keys = write(tmp_path, images, {name: block(2) for name in images})
    (tmp_path / "masks/labels.csv").touch()
    (tmp_path / "images/more").mkdir()
    dataset = ImageMask(**{**keys, "mask_mode": "ids", "classes": NAMES})
    assert dataset.check(np.arange(4)) == []
    assert [note.partition(": ")[2] for note in dataset.notes] == [
        "1 entries are no images by name: more/",
        "1 entries are no images by name: labels.csv",
        "no mask has a pixel of b, d",
    ]


def test_an_image_that_is_turned_alone_is_noted(tmp_path):
    keys = write(tmp_path, {"a.png": ramp(40, 50)}, {"a.png": block()})
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(ramp(40, 50)).save(tmp_path / "images/a.png", exif=exif)
    dataset = ImageMask(**keys)
    dataset.check(np.arange(1))
    assert "its mask, of which EXIF says nothing, is not" in dataset.notes[0]


def test_pages_of_masks_are_refused_unless_the_first_is_asked_for(tmp_path):
    keys = write(tmp_path, {"a.png": ramp(40, 50)}, {})
    mask = Image.fromarray(block())
    mask.save(tmp_path / "masks/a.tif", save_all=True, append_images=[mask])
    for pages in ("one", "channels"):
        assert "holds several pages" in ImageMask(**keys, pages=pages).check(np.arange(1))[0]
    assert ImageMask(**keys, pages="first").check(np.arange(1)) == []


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_any_number_of_bands_is_placed_like_three(tmp_path, channels):
    values = np.random.default_rng(0).integers(0, 256, (40, 50, channels), np.uint8)
    keys = write(tmp_path, {}, {"a.png": block()})
    tifffile.imwrite(
        tmp_path / "images/a.tif", values, photometric="minisblack", planarconfig="contig"
    )
    augment = Augment(rotation_range=40, brightness_range=[0.5, 1.5], fill_mode="constant", cval=7)
    dataset = ImageMask(**keys, channels=channels, augment=augment)
    x, _ = dataset.read(0, np.random.default_rng(1))
    for at in range(channels):
        cv2.imwrite(str(tmp_path / "images/a.png"), values[..., at])
        (tmp_path / "images/a.tif").unlink(missing_ok=True)
        one = ImageMask(**keys, channels=1, augment=augment)
        alone = one.read(0, np.random.default_rng(1))[0][..., 0].astype(int)
        assert np.abs(alone - x[..., at]).max() <= 5  # OpenCV rounds two bands in another way
    figure = Figure()
    dataset.draw(figure.subplots(), x, np.zeros((16, 24, 1), np.uint8))
