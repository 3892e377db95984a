"""Every mistake a user makes with data or settings: one screen, the file named, exit code 2."""

import cv2
import numpy as np
import pytest
from tiny import ROOT, overrides, refused, write_blobs

from reprise.config.check import check
from reprise.errors import UserError


def missing_folder(data):
    return [f"dataset.images={data}/imagse"], ["imagse"]


def image_without_mask(data):
    (data / "masks/003.png").unlink()
    return [], ["003.png"]


def mask_without_image(data):
    (data / "images/004.png").unlink()
    return [], ["004.png"]


def truncated_png(data):
    path = data / "images/005.png"
    path.write_bytes(path.read_bytes()[:-40])
    return [], ["005.png"]


def zero_byte_file(data):
    (data / "masks/006.png").write_bytes(b"")
    return [], ["006.png"]


def mask_of_another_size(data):
    cv2.imwrite(str(data / "masks/007.png"), np.zeros((32, 64), np.uint8))
    return [], ["007.png", "64"]


def class_id_out_of_range(data):
    cv2.imwrite(str(data / "masks/008.png"), np.full((64, 64), 7, np.uint8))
    return ["dataset.mask_mode=ids", "dataset.classes=[a,b]", "dataset.ignore=[255]"], [
        "008.png", "7",
    ]  # fmt: skip


def split_files(data, train, valid):
    for name, lines in (("train", train), ("valid", valid)):
        (data / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    return [
        f"dataset.split.train={data}/train.txt",
        f"dataset.split.valid={data}/valid.txt",
        "dataset.split.test=null",
    ]


def empty_split(data):
    return split_files(data, ["001", "002"], []), ["valid.txt"]


def the_same_name_in_two_splits(data):
    return split_files(data, ["001", "002"], ["002", "003"]), ["002", "train.txt", "valid.txt"]


def classes_that_do_not_fit(data):
    return ["model.classes=3"], ["model.classes=3"]


def image_size_that_does_not_fit(data):
    return ["dataset.image_size=[60,64]"], ["[60,64]", "[64,64]"]


def unknown_key(data):
    return ["optimizer.learningrate=0.1"], ["optimizer.learningrate", "optimizer.learning_rate"]


def unknown_key_with_plus(data):
    return ["+loader.batchsize=4"], ["+loader.batchsize", "loader.batch_size"]


def wrong_type(data):
    return ["optimizer.learning_rate=abc"], ["optimizer.learning_rate=abc", "number"]


def unknown_backbone(data):
    return ["model.backbone=resnet81"], ["resnet81", "resnet18"]


def metric_that_is_not_measured(data):
    return ["trainer.monitor=valid/iuo"], ["valid/iuo", "valid/iou"]


CASES = [
    missing_folder, image_without_mask, mask_without_image, truncated_png, zero_byte_file,
    mask_of_another_size, class_id_out_of_range, empty_split, the_same_name_in_two_splits,
    classes_that_do_not_fit, image_size_that_does_not_fit, unknown_key, unknown_key_with_plus,
    wrong_type, unknown_backbone, metric_that_is_not_measured,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_mistake_is_refused_before_there_is_a_run(case, tmp_path):
    data = write_blobs(tmp_path / "data")
    words, named = case(data)
    said = refused(*overrides(data, tmp_path), *words, out=tmp_path)
    for name in named:
        assert name in said


def test_the_number_of_cases():
    assert len(CASES) == 16


def test_an_unknown_key_in_an_experiment_file_is_named_with_its_line(tmp_path):
    """In a copy of conf/, because the project's own files are right."""
    conf = tmp_path / "conf"
    for path in (ROOT / "conf").rglob("*.yaml"):
        copy = conf / path.relative_to(ROOT / "conf")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    text = (conf / "experiment/segmentation.yaml").read_text() + "  epoch: 3\n"
    (conf / "experiment/mine.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        check(["experiment=mine"], conf, providable=lambda path: True)
    line = len(text.splitlines())
    assert f"mine.yaml, line {line}" in str(caught.value)
    assert "trainer.epochs" in str(caught.value)
