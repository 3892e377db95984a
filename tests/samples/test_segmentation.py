import hashlib
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from reprise.samples import segmentation as maker


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.png"))
    }


def read(folder: Path, name: str) -> np.ndarray:
    return cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)


def test_a_sample_depends_on_the_seed_and_its_number_alone(tmp_path):
    maker.write_set(tmp_path / "few", count=3, size=64, seed=0)
    maker.write_set(tmp_path / "more", count=6, size=64, seed=0)
    maker.write_set(tmp_path / "other", count=3, size=64, seed=1)
    few, more, other = (digests(tmp_path / name) for name in ("few", "more", "other"))
    assert (len(few), len(more), len(other)) == (9, 18, 9)
    assert few.items() <= more.items()
    assert all(few[name] != other[name] for name in few)


def test_images_and_masks_belong_together(tmp_path):
    maker.write_set(tmp_path / "set", count=8, size=96, seed=0)
    seen = set()
    for number in range(8):
        image, mask, ids = (
            read(tmp_path / "set", f"{kind}/{number:04d}.png")
            for kind in ("images", "masks", "digit_masks")
        )
        assert (image.shape, mask.shape, ids.shape) == ((96, 96, 3), (96, 96), (96, 96))
        assert image.dtype == mask.dtype == ids.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 255}
        assert ids.max() <= 10
        assert ((ids > 0) == (mask == 255)).all()
        seen |= set(np.unique(ids))
    assert len(seen) >= 5


def test_ink_cannot_be_told_by_brightness_alone(tmp_path):
    maker.write_set(tmp_path / "set", count=24, size=128, seed=0)
    names = [path.name for path in sorted((tmp_path / "set/images").iterdir())]
    images = np.stack([read(tmp_path / "set", f"images/{name}") for name in names]).mean(axis=-1)
    ink = np.stack([read(tmp_path / "set", f"masks/{name}") for name in names]) > 0
    scores = []
    for threshold in range(0, 256, 8):
        for guess in (images >= threshold, images < threshold):
            scores.append((guess & ink).sum() / (guess | ink).sum())
    assert len(scores) == 64
    assert max(scores) < 0.2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "there"], "there exists already: remove it"),
        (["--out", "new", "--size", "428"], "--size must be 32 to 427"),
        (["--out", "new", "--size", "31"], "--size must be 32 to 427"),
    ],
)
def test_wrong_words_are_refused(tmp_path, monkeypatch, capsys, words, said):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_segmentation_data.py", *words])
    with pytest.raises(SystemExit, match="2"):
        maker.main()
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_command_writes_what_it_is_asked_for(tmp_path, monkeypatch):
    words = ["--out", str(tmp_path / "new"), "--count", "2", "--size", "32"]
    monkeypatch.setattr(sys, "argv", ["make_segmentation_data.py", *words])
    maker.main()
    assert len(digests(tmp_path / "new")) == 6
    assert read(tmp_path / "new", "images/0001.png").shape == (32, 32, 3)
