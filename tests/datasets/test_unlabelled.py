"""Inputs without targets are read as the run's own dataset reads labelled ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets.sounds import RATE, noise, write
from PIL import Image

from reprise.config.build import build
from reprise.datasets.base import Dataset
from reprise.datasets.images.unlabelled import Pictures
from reprise.datasets.sound.unlabelled import SoundWindows
from reprise.datasets.unlabelled import Tolerant, find_given
from reprise.errors import UserError
from reprise.spec import Spec

FRACTIONS = {"train": 0.5, "valid": 0.5, "test": None}


def pictures(folder: Path, count: int = 6) -> list[str]:
    rng = np.random.default_rng(0)
    names = []
    for at in range(count):
        size = (30 + 7 * at, 64 - 5 * at, 3)
        path = folder / "ab"[at % 2] / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, size, np.uint8)).save(path)
        names.append(str(path))
    return sorted(names)


def folder_node(tmp_path: Path, fit: str) -> tuple[dict, list[str]]:
    names = pictures(tmp_path / "in")
    node = {"_target_": "reprise.datasets.image_folder.ImageFolder", "folder": str(tmp_path / "in")}
    return node | {"image_size": [20, 24], "fit": fit, "split": FRACTIONS}, names


def table_node(tmp_path: Path) -> tuple[dict, list[str]]:
    names = pictures(tmp_path / "in")
    frame = pd.DataFrame({"path": names, "label": ["a", "b"] * 3})
    frame.to_csv(tmp_path / "table.csv", index=False)
    node = {"_target_": "reprise.datasets.image_table.ImageTable", "image_size": [20, 24]}
    return node | {"table": f"{tmp_path}/table.csv", "split": FRACTIONS}, [f"{tmp_path}/table.csv"]


def sound_node(tmp_path: Path, rate: int) -> tuple[dict, list[str]]:
    write(tmp_path / "in/a.wav", noise(4.5, rate), rate)
    rows = [f"a.wav,{'xy'[at]},{at + 0.25},{at + 0.75}\n" for at in range(2)]
    (tmp_path / "t.csv").write_text("recording,label,t_min,t_max\n" + "".join(rows))
    columns = {name: name for name in ("recording", "label", "t_min", "t_max")}
    node = {"_target_": "reprise.datasets.mel_spectrogram.MelSpectrogram", "columns": columns}
    node |= {"annotations": f"{tmp_path}/t.csv", "recordings": f"{tmp_path}/in", "window_s": 1.0}
    mel = {"_target_": "reprise.transforms.mel.Mel", "n_mels": 16, "n_fft": 512}
    return node | {"sample_rate": 8000, "split": FRACTIONS, "mel": mel}, [str(tmp_path / "in")]


def rows_node(tmp_path: Path) -> tuple[dict, list[str]]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((6, 3)), columns=list("pqr")).assign(label=list("ab") * 3)
    frame.to_parquet(tmp_path / "t.parquet")
    frame[["label", "r", "q", "p"]].to_csv(tmp_path / "new.csv", index=False)
    node = {"_target_": "reprise.datasets.csv_rows.CsvRows", "table": f"{tmp_path}/t.parquet"}
    return node | {"split": FRACTIONS}, [f"{tmp_path}/new.csv"]


KINDS = {
    "folder resized": lambda folder: folder_node(folder, "resize"),
    "folder cropped": lambda folder: folder_node(folder, "crop"),
    "table of pictures": table_node,
    "sound": lambda folder: sound_node(folder, 8000),
    "sound resampled": lambda folder: sound_node(folder, 11025),
    "rows": rows_node,
}


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_are_those_of_the_labelled_dataset(kind, tmp_path):
    node, given = KINDS[kind](tmp_path)
    labelled = build(node)
    node = {**node, "_target_": f"{node['_target_']}.unlabelled"}
    inputs = build(node, given, labelled.input_spec)
    assert len(inputs) >= len(labelled) >= 2
    for at in range(len(labelled)):
        x, _ = inputs.read(at, None)
        wanted, _ = labelled.read(at, None)
        assert x.dtype == wanted.dtype
        np.testing.assert_allclose(x, wanted, atol=1e-4 if "resampled" in kind else 0)


def test_files_folders_and_patterns_are_found_once_and_named_from_what_they_share(tmp_path):
    for name in ("a/1.png", "a/2.JPG", "b/3.png", "b/notes.txt", "b/.hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    endings = (".png", ".jpg")
    assert find_given([str(tmp_path)], endings)[1] == ["a/1.png", "a/2.JPG", "b/3.png"]
    assert find_given([f"{tmp_path}/a"], endings)[1] == ["1.png", "2.JPG"]
    assert find_given([f"{tmp_path}/*/*.png", f"{tmp_path}/a/1.png"], endings)[1] == [
        "a/1.png",
        "b/3.png",
    ]
    assert find_given([str(tmp_path)], endings)[2] == [
        f"not answered in {tmp_path}: 1 of .txt; endings: .png .jpg"
    ]
    for missing in ("c.png", "c/*.png"):
        with pytest.raises(UserError, match="names nothing that can be read"):
            find_given([f"{tmp_path}/{missing}"], endings)


def test_pictures_of_kinds_that_are_not_trained_on_are_read(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    for name, more in (("a.png", {}), ("b.webp", {"lossless": True}), ("c.bmp", {})):
        Image.fromarray(pixels).save(tmp_path / name, **more)
    Image.fromarray(pixels).save(tmp_path / "d.gif")
    again = [Image.fromarray(pixels[::-1])]
    Image.fromarray(pixels).save(tmp_path / "e.webp", save_all=True, append_images=again)
    inputs = Pictures([str(tmp_path)], Spec((20, 30, 3), "uint8"), None)
    assert len(inputs) == 5
    for at in range(3):
        assert np.array_equal(inputs.whole(at), pixels)
        assert inputs.size(at) == (20, 30)
    assert inputs.whole(3).shape == (20, 30, 3)  # of 256 colours
    with pytest.raises(UserError, match="webp cannot be read"):
        inputs.whole(4)


def test_a_recording_that_is_cut_short_is_noted(tmp_path):
    for name in ("whole.wav", "cut.wav", "cut.aiff"):
        write(tmp_path / name, noise(1.0))
    for name in ("cut.wav", "cut.aiff"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
    inputs = SoundWindows(
        [str(tmp_path)], Spec((8,), "float32"), length=2000, hop=2000, rate=RATE, channel=0,
        spectrogram=np.zeros_like,
    )  # fmt: skip
    assert [note.partition(" is cut short")[0] for note in inputs.notes] == ["cut.aiff", "cut.wav"]


class Odd(Dataset):
    """Samples of which some raise what a user's code may raise."""

    from reprise.spec import Spec

    input_spec = target_spec = Spec((2,), "float32")

    def __len__(self):
        return 5

    def name(self, index):
        return f"sample {index}"

    def splits(self):
        return {}

    def read(self, index, rng):
        if index == 3:
            raise UserError("sample 3 is cut", "two numbers", "one", "mend it")
        return np.full(2, 1 / (index - 1), np.float32), np.zeros(2, np.float32)


class OddRows(Odd):
    def read_many(self, indices, rngs):
        pairs = [self.read(int(index), None) for index in indices]
        return np.stack([x for x, _ in pairs]), np.stack([y for _, y in pairs])


@pytest.mark.parametrize("kind", [Odd, OddRows])
def test_what_cannot_be_read_is_marked_and_explained(kind):
    tolerant = Tolerant(kind())
    x, flags = tolerant.read_many(np.arange(5), [None] * 5)
    assert flags.tolist() == [1, 0, 1, 0, 1]
    assert x[:, 0].tolist() == [-1, 0, 1, 0, pytest.approx(1 / 3)]
    assert tolerant.problem(1) == "sample 1: ZeroDivisionError: division by zero"
    assert tolerant.problem(3) == "sample 3 is cut: expected two numbers; received one"


def test_a_dataset_without_such_a_way_says_so():
    with pytest.raises(UserError, match="Odd does not say how it reads inputs without targets"):
        Odd.unlabelled(["in"], Odd.input_spec)
