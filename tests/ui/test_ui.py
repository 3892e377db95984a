"""What a user sees in MLflow's UI: real runs, a real server, a real browser.

Its pictures are left in the test's folder, to be looked at: make test-slow args="tests/ui
--basetemp=FOLDER".
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from mlflow import MlflowClient
from tiny import ROOT, reprise, short, write_arrays
from ui.browser import Browser

from reprise.runs.page import experiment_page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of one experiment, and an update of the first, as MLflow has them, oldest first."""
    out = tmp_path_factory.mktemp("ui")
    old, new = write_arrays(out / "old.npz"), write_arrays(out / "new.npz", seed=1)
    words = ["experiment=digits", f"dataset.file={old}", *short(out), "trainer.pictures_every=1"]
    words.append("tracking.system_metrics=1")
    for verb, *more in (
        ("train", *words),
        ("update", "run=last", f"runs={out}/runs", f"dataset.file={new}"),
        ("train", *words, "optimizer.learning_rate=1e-2"),
    ):
        done = reprise(verb, *more)
        assert done.returncode == 0, done.stderr[-2000:]
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    experiment = client.get_experiment_by_name("digits").experiment_id
    return out, client.search_runs([experiment], order_by=["attributes.start_time"])


@pytest.fixture(scope="module")
def address(runs):
    """The address of `mlflow ui` over these runs, as `make ui` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["ui", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{runs[0]}/mlflow.db"]
    command = [sys.executable, "-m", "mlflow", *words, *store]
    quiet = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (runs[0] / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env=quiet, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/#"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_for(page, server):
    for _ in range(240):
        assert server.poll() is None, "mlflow ui has ended"
        try:
            with urllib.request.urlopen(page, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{page} does not answer")


@pytest.fixture(scope="module")
def browser(address):
    with Browser(1400, 1000) as browser:
        browser.open(f"{address}/experiments")
        browser.click(element("Model training"))  # as `make ui` says
        browser.run("localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false')")
        yield browser


def element(text, kinds="a,button,span,div"):
    """The innermost element with this text, in JavaScript."""
    found = f"[...document.querySelectorAll({json.dumps(kinds)})]"
    return f"{found}.filter(e => e.innerText?.trim() === {json.dumps(text)}).at(-1)"


def picture_is_there(part):
    """Whether a picture whose address has `part` is loaded, in JavaScript."""
    shown = "[...document.querySelectorAll('img')].filter(i => i.naturalWidth > 0)"
    return f"{shown}.some(i => decodeURIComponent(i.src).includes({json.dumps(part)}))"


def of(address, run, tab=""):
    return f"{address}/experiments/{run.info.experiment_id}/runs/{run.info.run_id}{tab}"


def test_runs_are_listed_by_names_that_differ_and_a_child_is_opened(
    runs, address, browser, tmp_path
):
    first, child, second = runs[1]
    end = first.data.tags["reprise.run"][-4:]
    assert first.info.run_name.startswith(f"cnn {end}")
    assert child.info.run_name.endswith(f" update of {end}")
    assert second.info.run_name.endswith(" learning_rate=1e-2")
    browser.open(f"{address}/experiments")
    browser.click(element("digits", "a"))
    browser.wait_text("Model training", "3 matching runs", second.info.run_name)
    browser.picture(tmp_path / "runs.png")
    assert not browser.run(f"!!({element(child.info.run_name)})")
    browser.click("document.querySelector('.ag-row button[class*=icon-only]')")  # of the parent
    browser.click(element(child.info.run_name, "a"))
    browser.wait_text("Parent run", first.info.run_name)
    browser.picture(tmp_path / "child.png")


def test_make_ui_opens_on_the_table_of_an_experiment_with_its_columns(
    runs, address, browser, tmp_path
):
    folders = sorted((runs[0] / "runs/digits").glob("2*"))
    browser.open(experiment_page(address.removesuffix("/#"), folders))
    browser.wait_text("test/accuracy", "best/valid/accuracy", "optimizer.learning_rate")
    browser.picture(tmp_path / "results.png")


def test_the_description_shows_the_result_and_pictures(runs, address, browser, tmp_path):
    browser.open(of(address, runs[1][0]))
    browser.click(element("Show more"))
    browser.wait_text("best model", f"{runs[1][0].data.metrics['test/accuracy']:.4f}")
    browser.wait(picture_is_there("pictures/curves.png"))
    browser.wait(picture_is_there("pictures/best_test.png"))
    browser.picture(tmp_path / "run.png")


def test_the_use_of_the_machine_has_a_tab_of_its_own(runs, address, browser, tmp_path):
    browser.open(of(address, runs[1][0], "/system-metrics"))
    browser.wait_text("system/cpu_utilization_percentage", "system/disk_usage_percentage")
    browser.wait("document.querySelectorAll('.js-plotly-plot').length >= 2")
    browser.picture(tmp_path / "system.png")


def test_two_runs_are_compared_in_one_chart_and_side_by_side(runs, address, browser, tmp_path):
    first, _, second = runs[1]
    mode = "compareRunsMode=CHART"
    browser.open(f"{address}/experiments/{first.info.experiment_id}/runs?{mode}")
    browser.click("document.querySelector('input[placeholder=\"Search metric charts\"]')")
    browser.type("^valid/loss$")
    browser.wait_text(*(f"{run.info.run_name} (valid/loss)" for run in (first, second)))
    browser.wait("document.querySelectorAll('.js-plotly-plot .scatterlayer .trace').length >= 2")
    browser.picture(tmp_path / "charts.png")
    ids = json.dumps([first.info.run_id, second.info.run_id])
    experiments = json.dumps([first.info.experiment_id])
    browser.open(f"{address}/compare-runs?runs={ids}&experiments={experiments}")
    browser.wait_text("Comparing 2 Runs", first.info.run_name, second.info.run_name)
    browser.picture(tmp_path / "compare.png")


def test_predictions_are_one_picture_with_a_slider_over_the_epochs(
    runs, address, browser, tmp_path
):
    browser.open(of(address, runs[1][0], "/model-metrics"))
    browser.click("document.querySelector('input[placeholder=\"Search metric charts\"]')")
    browser.type("predictions")
    browser.wait(picture_is_there("predictions+step+0000"))
    browser.run("document.querySelector('[role=slider]').focus()")
    for _ in range(2):
        browser.press("ArrowRight", 39)
    browser.wait(picture_is_there("predictions+step+0002"))
    browser.picture(tmp_path / "predictions.png")


def test_make_compare_shows_the_same_runs(runs):
    out, found = runs
    done = reprise("compare", f"folder={out}/runs")
    assert done.returncode == 0, done.stderr
    listed = [line.split()[0] for line in done.stdout.splitlines() if "finished" in line]
    assert sorted(listed) == [run.data.tags["reprise.run"] for run in found]
    assert (out / "runs/compare/experiment_digits.png").exists()
