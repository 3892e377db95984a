"""The doctor: what check-data finds in data, and what it does not say of sound data."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from datasets.sounds import noise, write
from runs.planted import picture, stored_again, write_planted
from tiny import write_blobs

from reprise.cli import check_data
from reprise.config.check import check as compose
from reprise.datasets.base import Dataset
from reprise.datasets.exclude import read_list
from reprise.datasets.judge import judge, outliers
from reprise.datasets.measures import thumb
from reprise.datasets.twins import TURNS, are_same, candidates
from reprise.errors import UserError
from reprise.runs.examine import examine
from reprise.runs.experiment import Data, open_data
from reprise.spec import Spec

LOADER = "reprise.loading.loader.Loader"


class Deadly(Dataset):
    """Forty samples, one of which ends the process that reads it."""

    def __init__(self, deadly):
        self.input_spec, self.target_spec = Spec((4,), "float32"), Spec((), "float32")
        self._deadly = deadly

    def __len__(self):
        return 40

    def read(self, index, rng):
        if index == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.random.default_rng(index).random(4, np.float32), np.array(index, np.float32)

    def name(self, index):
        return f"number {index}"

    def splits(self):
        return {"train": np.arange(30), "valid": np.arange(30, 40)}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, where reports are written."""
    (tmp_path / "conf").mkdir()
    monkeypatch.setattr("reprise.runs.check.ROOT", tmp_path)
    return tmp_path


def check(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reprise", "check-data", *words]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open() as opened:
        return list(csv.DictReader(opened))


@pytest.mark.slow
def test_thirty_planted_defects_are_found_and_nothing_else(project):
    planted = write_planted(project / "data")
    assert (len(planted), sum(map(len, planted.values()))) == (12, 31)
    words = ["dataset.split=split", "dataset.group=patient", "dataset.channels=3"]
    words += ["dataset.table=data/table.csv", "dataset.image_size=[64,64]"]
    done = check(project, "experiment=table", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    found: dict[str, set[frozenset[str]]] = {}
    for row in rows_of(project / "runs/check/table/check.csv"):
        names, quoted = row["samples"].split(" | "), row["message"].split("'")[1::2]
        if row["kind"] in ("group", "rare label", "missing label"):
            names = quoted[:1]
        elif row["kind"] == "class balance":
            names = quoted[1:]
        found.setdefault(row["kind"], set()).add(frozenset(names))
    assert found == planted


def found(*words: str, rare: int = 5) -> list[tuple[str, str]]:
    """Kind and message of all that is found, without worker processes."""
    data = open_data(compose([*words, "loader.workers=0"]).values, checked=False)
    sheet, findings = examine(data, rare)
    return [(one.kind, one.message) for one in [*findings, *judge(sheet)]]


def image_words(folder: Path) -> list[str]:
    words = [f"dataset.images={folder}/images", f"dataset.masks={folder}/masks"]
    return ["experiment=segmentation", *words, "dataset.image_size=[64,64]"]


def test_masks_are_looked_at(tmp_path):
    data = write_blobs(tmp_path / "data", count=60)
    assert found(*image_words(data)) == []
    cv2.imwrite(str(data / "masks/003.png"), np.zeros((64, 64), np.uint8))
    cv2.imwrite(str(data / "masks/004.png"), np.full((64, 64), 255, np.uint8))
    assert found(*image_words(data)) == [
        ("empty mask", "images/003.png: its mask has no 'foreground'"),
        ("full mask", "images/004.png: every pixel of its mask is 'foreground'"),
    ]


def test_masks_that_are_all_empty_are_an_error(tmp_path):
    data = write_blobs(tmp_path / "data", count=30)
    for file in (data / "masks").iterdir():
        cv2.imwrite(str(file), np.zeros((64, 64), np.uint8))
    assert ("empty mask", "no mask has a 'foreground'") in found(*image_words(data))


def sound_words(folder: Path) -> tuple[list[str], list[list[str]]]:
    """Twelve recordings of 3 s and their table, which a test may change before it is written."""
    rows = []
    for at in range(12):
        write(folder / f"recordings/{at}.wav", noise(3, seed=at))
        rows += [[f"{at}.wav", "xyz"[n], str(n), str(n + 0.5)] for n in range(3)]
    words = [f"dataset.annotations={folder}/t.csv", f"dataset.recordings={folder}/recordings"]
    words += ["dataset.sample_rate=8000", "dataset.window_s=0.5", "dataset.mel.n_mels=16"]
    words += ["dataset.mel.n_fft=256", "dataset.mel.hop_length=128"]
    return ["experiment=audio", *words], rows


def test_sounds_are_looked_at(tmp_path):
    words, rows = sound_words(tmp_path)
    silent = noise(3, seed=5)
    silent[8000:12000] = 0
    write(tmp_path / "recordings/5.wav", silent)
    rows.append(["7.wav", "z", "0.25", "0.75"])  # inside of an x
    shutil.copy(tmp_path / "recordings/1.wav", tmp_path / "recordings/2.wav")
    lines = ["recording,label,t_min,t_max", *map(",".join, rows)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    every = dict(reversed(found(*words)))
    assert every["silent"] == "5.wav 1-1.5 s: digital silence"
    assert every["overlap"].startswith("annotations overlap by 0.25 s: 7.wav 0-0.5 s")
    twins = {kind for kind, text in every.items() if "2.wav" in text}
    assert twins == set(every) - {"silent", "overlap"} <= {"leakage", "duplicate"}
    assert twins


def test_rows_of_a_table_are_looked_at(tmp_path):
    rng = np.random.default_rng(0)
    rows = [[*rng.normal(0, 1, 3).round(4).tolist(), 2.5, "ab"[at % 2]] for at in range(200)]
    rows[50][1] = 9999.0
    rows[40][:4] = [2.5] * 4  # equal by chance, which is no fault
    rows[61] = rows[60][:4] + rows[61][4:]
    lines = [",".join(map(str, row)) for row in [["u", "v", "w", "k", "label"], *rows]]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    every = found("experiment=iris_rows", f"dataset.table={tmp_path}/t.csv", "dataset.label=label")
    kinds = [kind for kind, _ in every]
    assert {"outlier", "contradiction", "constant column"} <= set(kinds)
    assert set(kinds) <= {"outlier", "contradiction", "constant column", "leakage"}
    assert any("t.csv, line 52" in text and "9999" in text for _, text in every)


def test_a_number_that_stands_for_a_missing_one_is_found(tmp_path):
    rows = np.random.default_rng(0).normal(20, 9, (60, 3)).round(2)
    rows[::9, 1], rows[30:34, 2] = -999, 9999
    lines = ["temp,wind,price", *(",".join(map(str, row)) for row in rows)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(lines) + "\n")
    np.savez(tmp_path / "a.npz", x=np.where(rows < -900, -9999, rows)[:, :, None], y=rows[:, 0])
    words = [f"dataset.table={table}", "dataset.target=value", "dataset.label=price"]
    words += ["dataset.classes=null", "objective=regression"]
    said = [
        message for kind, message in found("experiment=iris_rows", *words) if kind == "placeholder"
    ]
    assert said[0].startswith("target: 4 of 60 samples have 9999, and the others ")
    assert said[1].startswith("column 'wind': 7 of 60 samples have -999, and the others ")
    words = [f"dataset.file={tmp_path / 'a.npz'}", "dataset.target=value", "objective=regression"]
    said = [
        message for kind, message in found("experiment=digits", *words) if kind == "placeholder"
    ]
    assert len(said) == 2


def test_values_that_are_no_numbers_and_a_target_that_never_changes(tmp_path):
    x = np.random.default_rng(0).normal(0, 1, (40, 5)).astype(np.float32)
    x[7, 2], x[9, 1] = np.nan, np.inf
    np.savez(tmp_path / "a.npz", x=x, y=np.full(40, 2.5))
    words = ["dataset.target=value", "objective=regression", "trainer.monitor=valid/mae"]
    words += [f"dataset.file={tmp_path}/a.npz", "trainer.monitor_mode=min", "model=mlp"]
    assert found("experiment=digits", *words) == [
        ("not finite", "x[7]: 1 value(s) are NaN or infinite"),
        ("not finite", "x[9]: 1 value(s) are NaN or infinite"),
        ("one value", "the target of every sample is 2.5"),
    ]


def test_a_stream_is_looked_at(tmp_path):
    rows = [f"{at % 13},{at * 7 % 61},{'ab'[at % 2]}" for at in range(120)]
    rows[30] = "5000000,3,a"
    (tmp_path / "t.csv").write_text("\n".join(["u,v,label", *rows]) + "\n")
    words = [f"dataset.source.files={tmp_path}/t.csv", "dataset.source.classes=[a,b]"]
    every = found("experiment=iris", *words, "dataset.source.label=label")
    assert [text for kind, text in every if kind == "outlier"] == [
        f"{tmp_path}/t.csv, sample 30: input, column 'u' 5e+06 (the median is 6)"
    ]


def test_what_ends_a_worker_is_found_and_the_others_are_read(tmp_path):
    """By worker processes, one of which a sample kills whenever it is read."""
    dataset = Deadly(23)
    data = Data(dataset, dataset.splits(), 0, {"_target_": LOADER, "workers": 2})
    sheet, findings = examine(data, 5)
    assert len(sheet.good) == 39
    (one,) = [one for one in [*findings, *judge(sheet)] if one.kind == "unreadable"]
    assert one.samples == ("number 23",)
    assert "ended the worker process" in one.message


def test_twins_are_found_however_they_are_turned():
    """And of eight turns none of another picture."""
    pictures = [picture(at) for at in range(40)]
    for turn in TURNS.values():
        thumbs = np.stack([thumb(one) for one in [*pictures, stored_again(turn(pictures[3]))]])
        (pair,) = candidates(thumbs, turns=True)
        assert {pair.first, pair.second} == {3, 40}
        assert are_same(pictures[3], stored_again(turn(pictures[3])), pair.turn, pair.detail)


def test_pictures_of_equal_grey_and_another_colour_are_not_the_same():
    one, other = np.zeros((2, 32, 32, 3), np.uint8)
    one[8:20, 8:20, 0] = other[8:20, 8:20, 2] = 200
    assert not are_same(one, other, "", 0.1)


def test_outliers_are_far_and_few():
    rng = np.random.default_rng(0)
    for values in (rng.normal(0, 1, 2000), rng.laplace(0, 1, 2000), rng.gamma(1, 1, 2000)):
        assert len(outliers(values)) == 0
        assert outliers(np.append(values, 60.0)).tolist() == [2000]
    assert outliers(np.append(np.full(99, 480.0), 50.0)).tolist() == [99]
    assert len(outliers(np.repeat([480.0, 50.0], [90, 10]))) == 0


def test_warnings_are_errors_if_that_is_asked_for(project, capsys):
    data = write_blobs(project / "data/blobs", count=20)
    cv2.imwrite(str(data / "masks/003.png"), np.zeros((64, 64), np.uint8))
    check_data.main(image_words(data))
    assert "empty mask" in capsys.readouterr().out
    for word, said in (
        ("strict=true", "1 problem.* in the data"),
        ("rare=x", "rare is wrong"),
        ("strict=yes", "strict is wrong"),
    ):
        with pytest.raises(UserError, match=said):
            check_data.main([*image_words(data), word])


def test_a_quarantine_is_written_beside_the_data_and_heals_them(project):
    data = write_blobs(project / "data/blobs", count=120)
    file = data / "images/005.png"
    file.write_bytes(file.read_bytes()[:-40])
    words = image_words(Path("data/blobs"))
    done = check(project, *words, "quarantine=true")
    assert done.returncode == 2
    assert "experiment=segmentation … dataset.exclude=data/blobs/images.exclude.csv" in done.stdout
    listed = project / "data/blobs/images.exclude.csv"
    assert read_list(listed).keys() == {"images/005.png"}
    again = check(project, *words, "dataset.exclude=data/blobs/images.exclude.csv")
    assert again.returncode == 0, again.stderr
    assert "119 samples read, all sound" in again.stdout
    page = (project / "runs/check/segmentation/check.html").read_text()
    assert '<img src="data:image/png;base64,' in page
    assert "http" not in page


def test_the_page_is_written_for_sounds_of_one_length(project):
    words, rows = sound_words(project / "data")
    rows = [
        [file, label, f"{float(start) + 0.2}", f"{float(start) + 0.8}"]
        for file, label, start, _ in rows
    ]
    lines = ["recording,label,t_min,t_max", *map(",".join, rows)]
    (project / "data/t.csv").write_text("\n".join(lines) + "\n")
    check_data.main(words)
    page = (project / "runs/check/audio/check.html").read_text()
    assert "Samples with each class" in page
