import cv2
import numpy as np
from seen import seen

from reprise.runs.compare_overlay import COLOURED, labels, write_overlay


def trained(end, worst=1.0, epochs=5, **changes):
    curve = {epoch: worst / epoch for epoch in range(1, epochs + 1)}
    names = ("train/loss", "valid/loss", "valid/accuracy", "valid/f1", "valid/f1_cat")
    return seen(end, history=dict.fromkeys([*names, "time/epoch_s"], curve), **changes)


def colours(path):
    return {tuple(colour) for colour in cv2.imread(str(path)).reshape(-1, 3)[:, ::-1].tolist()}


BLUE, ORANGE, GREY = (31, 119, 180), (255, 127, 14), (211, 211, 211)


def test_every_run_has_a_line_in_every_metric(tmp_path):
    path = tmp_path / "deep" / "curves.png"
    assert write_overlay(path, [trained("a"), trained("b", worst=2.0)])
    picture = cv2.imread(str(path))[..., ::-1]
    assert picture.shape[1] == 3 * 500  # accuracy, loss, f1; no single class
    assert {BLUE, ORANGE} <= colours(path)
    for third in np.split(picture[:330], 3, axis=1):  # above the legend
        assert (third == BLUE).all(axis=-1).sum() > 50
        assert (third == ORANGE).all(axis=-1).sum() > 50


def test_of_many_runs_the_first_have_a_colour(tmp_path):
    path = tmp_path / "curves.png"
    assert write_overlay(path, [trained(f"{at:04x}", worst=1 + at / 9) for at in range(50)])
    assert {BLUE, ORANGE, GREY} <= colours(path)
    assert cv2.imread(str(path)).shape[0] == round(100 * (4.2 + 0.22 * COLOURED))


def test_a_run_of_one_epoch_and_one_without_any_are_no_trouble(tmp_path):
    path = tmp_path / "curves.png"
    assert write_overlay(path, [trained("a", epochs=1), seen("b", status="running 0/4")])
    assert BLUE in colours(path)
    assert not write_overlay(tmp_path / "none.png", [seen("b")])
    assert not (tmp_path / "none.png").exists()


def test_a_label_says_what_sets_a_run_apart():
    runs = [seen("aaaa", params={"optimizer.learning_rate": "0.1"}), seen("bbbb", params={})]
    assert labels(runs, 99) == ["aaaa  learning_rate=0.1", "bbbb"]
    assert labels(runs, 10) == ["aaaa  lea…", "bbbb"]
