"""The page of a run in a real browser: every picture loads, nothing is fetched, nothing sticks out.

Its pictures are left in the test's folder, to be looked at.
"""

import pytest
from made_runs import fully_convolutional, made_run
from tiny import new_store, write_blobs
from ui.browser import Browser

from reprise.cli.calibrate import main as calibrate
from reprise.cli.report import main as report

pytestmark = pytest.mark.slow


def test_the_page_of_a_calibrated_run(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_store(tmp_path))
    data = write_blobs(tmp_path / "blobs", 60, 64)
    words = [f"dataset.images={data}/images", f"dataset.masks={data}/masks"]
    words += ["experiment=segmentation", "dataset.image_size=[64,64]"]
    folder = made_run(tmp_path / "runs", *words, model=fully_convolutional)
    for verb in (calibrate, report):
        verb([f"run={folder}", f"runs={tmp_path}/runs"])
    for width in (1100, 390):
        with Browser(width, 900) as browser:
            browser.open((folder / "report.html").as_uri())
            browser.wait_text("Worst samples", "Calibration", "make predict")
            assert browser.run("[...document.images].every(one => one.naturalWidth > 0)")
            assert browser.run("document.images.length") == 3
            assert browser.run("performance.getEntriesByType('resource').length") == 0
            assert browser.run("document.documentElement.scrollWidth <= innerWidth")
            browser.picture(tmp_path / f"report_{width}.png")
