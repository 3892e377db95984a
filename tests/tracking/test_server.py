"""A real MLflow server that is absent, killed, restarted, mute or full of errors, beside a run."""

import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tiny import ROOT, array_words, reprise, write_arrays
from tracking.server import Server

from reprise.tracking.journal import entries, metric_history, params_of


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path)
    yield made
    made.kill()


def words(folder: Path, uri: str, epochs: int) -> list[str]:
    data = folder / "digits.npz"
    if not data.exists():
        write_arrays(data)
    return [
        *array_words(data, folder), f"tracking.uri={uri}", f"trainer.epochs={epochs}",
        "trainer.pictures_every=5",
    ]  # fmt: skip


def begin(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "reprise", *arguments],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def epochs_done(folder: Path) -> int:
    runs = list((folder / "runs/digits").glob("*"))
    return max(metric_history(runs[0]).get("train/loss", {0: 0})) if runs else 0


def wait_for_epoch(folder: Path, epoch: int, process: subprocess.Popen) -> None:
    while epochs_done(folder) < epoch:
        assert process.poll() is None, process.communicate()[1][-3000:]
        time.sleep(0.02)


def check_all_is_there_once(folder: Path, uri: str) -> int:
    """Compare the server with the run's own journal; returns how many values were compared."""
    (run_folder,) = (folder / "runs/digits").iterdir()
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert run.data.params == params_of(run_folder)
    history = metric_history(run_folder)
    assert set(run.data.metrics) == set(history)
    for name, values in history.items():
        points = client.get_metric_history(run.info.run_id, name)
        assert [(point.step, point.value) for point in points] == list(values.items()), name
    artifacts = {entry["path"] for entry in entries(run_folder, "artifact")}
    compared = 0
    for name in artifacts:
        local = run_folder / name
        for path in [local] if local.is_file() else [p for p in local.rglob("*") if p.is_file()]:
            where = path.relative_to(run_folder).as_posix()
            found = client.download_artifacts(run.info.run_id, where, str(folder))
            assert Path(found).read_bytes() == path.read_bytes(), where
            compared += 1
    assert run.info.status == "FINISHED"
    return compared + sum(map(len, history.values())) + len(run.data.params)


@pytest.mark.slow
def test_killed_at_start_middle_and_end_with_the_run_killed_too_everything_is_there_once(
    server, tmp_path
):
    """Four times the server comes back, twice the run is killed and resumed."""
    process = begin("train", *words(tmp_path, server.uri, 400))  # there is no server yet
    for round_ in range(1, 5):
        wait_for_epoch(tmp_path, epochs_done(tmp_path) + 5, process)
        if round_ % 2 == 0:
            process.kill()
            process.communicate()
            process = begin("resume", "run=last", f"runs={tmp_path}/runs")
        server.start()
        wait_for_epoch(tmp_path, epochs_done(tmp_path) + 5, process)
        server.kill()
    said = process.communicate()[1]
    assert process.returncode == 0, said
    assert "does not answer" in said
    assert "when it answers: make sync" in said
    server.start()
    done = reprise("sync", f"runs={tmp_path}/runs")
    assert done.returncode == 0, done.stderr
    assert check_all_is_there_once(tmp_path, server.uri) > 300


class Broken(BaseHTTPRequestHandler):
    """A server that answers every call with an error."""

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"error_code": "INTERNAL_ERROR", "message": "out of order"}).encode()
        self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_PUT = do_GET

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["errors", "mute"])
def test_a_server_that_is_ill_holds_no_training_up(kind, tmp_path):
    """It answers each call with an error, or takes the call and never answers."""
    if kind == "errors":
        ill = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
        threading.Thread(target=ill.serve_forever, daemon=True).start()
        port = ill.server_address[1]
    else:
        mute = socket.create_server(("127.0.0.1", 0), backlog=100)
        port = mute.getsockname()[1]
    began = time.monotonic()
    done = reprise("train", *words(tmp_path, f"http://127.0.0.1:{port}", 3))
    assert done.returncode == 0, done.stderr
    assert "make sync" in done.stderr
    assert time.monotonic() - began < 300  # it ends at all
    (run,) = (tmp_path / "runs/digits").iterdir()
    assert list(metric_history(run)["train/loss"]) == [1, 2, 3]
    store = f"sqlite:///{tmp_path}/other.db"
    assert reprise("sync", f"runs={tmp_path}/runs", f"uri={store}").returncode == 0
    assert check_all_is_there_once(tmp_path, store) > 100
