"""The page of a run: all in one file, from the run alone, for every kind of data."""

import re
from pathlib import Path

import numpy as np
import pytest
from made_runs import fully_convolutional, made_run
from tiny import new_store, write_arrays, write_blobs

from reprise.cli.report import main
from reprise.errors import UserError
from reprise.runs.report import WORST
from reprise.tracking.journal import Journal, entries


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_store(tmp_path))


def page_of(folder: Path, *words: str) -> str:
    main([f"run={folder}", f"runs={folder.parents[1]}", *words])
    page = (folder / "report.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page), "nothing is fetched"
    assert "http" not in page.replace("http-equiv", "")
    assert len(page) < 3_000_000
    return page


def test_classes_with_the_worst_samples_first(tmp_path):
    write_arrays(tmp_path / "a.npz")
    words = ["experiment=digits", f"dataset.file={tmp_path}/a.npz", "trainer.epochs=7"]
    folder = made_run(tmp_path / "runs", *words)
    page = page_of(folder, f"output={tmp_path}/page.html")
    assert (tmp_path / "page.html").read_text() == page
    key, number = r"<td class=\"key\">", r"<td class=\"n\">([\d.]+)</td>"
    found = re.findall(rf"{key}(\d)</td>{key}[^<]+</td>{number}", page)
    losses = [float(loss) for _, loss in found]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == WORST
    assert page.count("<img") == 2  # confusion, worst
    for text in ("trainer.epochs", "make predict", "By class, test split"):
        assert text in page
    files = [entry["path"] for entry in entries(folder, "artifact")]
    assert files == ["report.html", "pictures/worst_test.png"]


def test_masks_values_and_a_stream(tmp_path):
    data = write_blobs(tmp_path / "blobs", 24, 32)
    words = [f"dataset.images={data}/images", f"dataset.masks={data}/masks"]
    words += ["experiment=segmentation", "dataset.image_size=[32,32]"]
    page = page_of(made_run(tmp_path / "masks", *words, model=fully_convolutional))
    assert "foreground" in page
    assert "IoU" in page
    np.savez(tmp_path / "v.npz", x=np.random.rand(40, 3), y=np.random.rand(40).astype("float32"))
    words = ["experiment=digits", f"dataset.file={tmp_path}/v.npz", "dataset.target=value"]
    words += [
        "objective=regression",
        "model=mlp",
        "trainer.monitor=valid/loss",
        "trainer.monitor_mode=min",
    ]
    assert "Answers over the truth" in page_of(made_run(tmp_path / "values", *words))
    page = page_of(made_run(tmp_path / "stream", "experiment=iris"))
    assert "virginica" in page
    assert "sample " in page


def test_without_its_data_the_page_has_what_the_record_has(tmp_path):
    file = write_arrays(tmp_path / "a.npz")
    folder = made_run(tmp_path / "runs", "experiment=digits", f"dataset.file={file}")
    journal = Journal(folder, failed=lambda error: None)
    journal.add("tags", values={"reproduced": "identical: 12 metrics", "data.digest": "0123"})
    journal.add("metrics", values={"train/loss": 0.5, "valid/loss": 0.6}, step=1)
    file.unlink()
    page = page_of(folder)
    for text in ("the model could not be tried", "identical: 12 metrics", "0123", "By epoch"):
        assert text in page
    with pytest.raises(UserError, match="no page"):
        main([f"run={folder}", f"runs={folder.parents[1]}", "output=page.txt"])
