import base64
import json
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from run_folders import write_run

from reprise.runs.page import columns, experiment_page, run_page, view
from reprise.tracking.journal import Delivered, write_delivered

TRAINING = "workflowType=machine_learning"
RESULT = {"test/iou": 0.5, "valid/iou": 0.6, "test/iou_cat": 0.4}


@pytest.fixture
def folders(tmp_path):
    """Three runs of one experiment, of which the second differs, and one that cannot be read."""
    runs = tmp_path / "runs"
    first = write_run(runs, "20261121-120000-aaaa", result=RESULT)
    rate = {"learning_rate": 0.01}
    second = write_run(runs, "20261121-120001-bbbb", settings=rate, result=RESULT)
    (runs / "digits/20261121-120002-cccc").mkdir()
    return [first, second, runs / "digits/20261121-120002-cccc"]


def test_the_columns_tell_runs_apart(folders):
    settings = ["params.`optimizer.learning_rate`"]
    chosen = ["metrics.`test/iou`", "metrics.`best/valid/iou`", *settings]
    assert columns(folders) == chosen
    assert columns(folders[:1]) == chosen[:2]
    assert columns(folders[2:]) == columns([]) == []


def test_a_view_keeps_the_order_of_its_columns_and_fits_into_a_tag():
    chosen = [f"metrics.`test/{name}`" for name in "cabdefgh"]
    saved = json.loads(view(chosen))
    kind, packed = saved["state"].split(";")
    assert (saved["name"], kind) == ("results", "deflate")
    state = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert state["selectedColumns"][1:] == state["columnOrder"][2:] == chosen
    assert len(view(chosen)) < 5000


def test_the_page_of_a_run_is_on_its_server_or_a_command_starts_one(folders, tmp_path):
    first, second, _ = folders
    write_delivered(first, Delivered("https://there/mlflow", "0123abcd", 0))
    assert run_page(first) == f"https://there/mlflow/#/runs/0123abcd?{TRAINING}"
    write_delivered(second, Delivered(f"sqlite:///{tmp_path}/a.db", "4567abcd", 0))
    words = f"uri=sqlite:///{tmp_path}/a.db runs={tmp_path}/runs"
    assert run_page(second) == f'make ui exp=digits args="{words}"'


def test_an_experiment_opens_with_its_columns_where_the_server_has_its_runs(folders):
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            is_known = self.path.endswith("run_id=0123abcd")
            self.send_response(200 if is_known else 404)
            self.end_headers()
            info = {"experiment_id": "7", "run_id": "0123abcd"}
            self.wfile.write(json.dumps({"run": {"info": info}}).encode() if is_known else b"")

        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert experiment_page(address, folders) == f"{address}/#/experiments?{TRAINING}"
        write_delivered(folders[0], Delivered("sqlite:///a.db", "0123abcd", 0))
        write_delivered(folders[1], Delivered("sqlite:///a.db", "deleted", 0))
        page = experiment_page(address, folders)
        server.shutdown()
    assert page == f"{address}/#/experiments/7/runs?{TRAINING}&viewStateShareKey=results"
    assert asked[-1]["key"] == "mlflow.sharedViewState.results"
    assert asked[-1]["experiment_id"] == "7"
