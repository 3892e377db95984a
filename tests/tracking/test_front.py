"""A real MLflow server behind a proxy that refuses, breaks or asks for a password."""

import base64
import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mlflow import MlflowClient
from tracking.server import Server

from reprise.errors import UserError
from reprise.runs.sync import sync
from reprise.tracking.run import open_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.kill()


class Front(BaseHTTPRequestHandler):
    """Passes calls on to a server, but those that `rule(method, path, body, headers)` answers."""

    port = 0
    rule = staticmethod(lambda *call: None)

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = type(self).rule(self.command, self.path, body, self.headers)
        if answer is None:
            inner = http.client.HTTPConnection("127.0.0.1", self.port)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            inner.request(self.command, self.path, body, headers)
            found = inner.getresponse()
            answer = found.status, found.read()
        status, content = answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def front(server):
    """The proxy's class, whose rule a test sets, and its address."""

    class Mine(Front):
        port = server.port

    made = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    Mine.uri = f"http://127.0.0.1:{made.server_address[1]}"
    yield Mine
    made.shutdown()


def record(tmp_path, uri, steps=(1, 2)):
    folder = tmp_path / "runs" / tmp_path.name / "a"
    with open_run(folder, tmp_path.name, "cnn a", uri=uri, redact=str) as run:
        run.params({"seed": 0})
        run.data("arrays", "0" * 36, "data")
        for step in steps:
            run.metrics({"valid/loss": 1 / step, "valid/ill": 0.5}, step=step)
        run.text("notes/result.txt", "fine" * 100)
        run.text("notes/small.txt", "fine")
    return run


def there(server, tmp_path):
    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name(tmp_path.name)
    (run,) = client.search_runs([experiment.experiment_id])
    return client, run


def check_numbers(server, tmp_path, run, *, without=()):
    client, found = there(server, tmp_path)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"seed": "0"}
    for name, values in run.history.items():
        points = client.get_metric_history(found.info.run_id, name)
        assert [(p.step, p.value) for p in points] == (
            [] if name in without else list(values.items())
        )


def check_files(server, tmp_path):
    client, found = there(server, tmp_path)
    names = [one.path for one in client.list_artifacts(found.info.run_id, "notes")]
    assert names == ["notes/result.txt", "notes/small.txt"]
    assert found.inputs.dataset_inputs[0].dataset.name == "arrays"


def refused(tmp_path) -> str:
    with pytest.raises(UserError) as raised:
        sync(tmp_path / "runs")
    return str(raised.value)


def is_upload(method, path, size=0, body=b""):
    return method == "PUT" and "mlflow-artifacts" in path and len(body) >= size


@pytest.mark.parametrize(
    ("status", "page", "words"),
    [
        (413, b"<html><title>413</title>Request Entity Too Large</html>", "client_max_body_size"),
        (403, b"<html>Forbidden</html>", "refuses this user"),
        (507, b"Insufficient Storage", "HTTP 507"),
    ],
)
def test_a_file_that_is_refused_holds_nothing_else_up(
    status, page, words, front, server, tmp_path, capsys
):
    front.rule = lambda method, path, body, _: (
        (status, page) if is_upload(method, path, 100, body) else None
    )
    run = record(tmp_path, front.uri)
    said = capsys.readouterr().err
    assert said.count(words) == 1, said
    check_numbers(server, tmp_path, run)
    said = refused(tmp_path)
    assert "a: notes/result.txt: " in said
    assert "small" not in said
    assert words in said
    front.rule = lambda *call: None
    sync(tmp_path / "runs")
    check_files(server, tmp_path)


def test_an_upload_that_never_ends_holds_no_number_up(front, server, tmp_path, monkeypatch):
    monkeypatch.setattr("reprise.tracking.run.TIMEOUT_S", 3.0)
    front.rule = lambda method, path, *_: time.sleep(600) if is_upload(method, path) else None
    run = record(tmp_path, front.uri)
    check_numbers(server, tmp_path, run)


def test_a_password_is_asked_for(front, server, tmp_path, capsys, monkeypatch):
    token = "Basic " + base64.b64encode(b"me:hunter2").decode()
    front.rule = lambda method, path, body, headers: (
        None if headers.get("Authorization") == token else (401, b"You are not authenticated.")
    )
    run = record(tmp_path, front.uri)
    assert capsys.readouterr().err.count("MLFLOW_TRACKING_USERNAME") == 1
    assert "HTTP 401" in refused(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    sync(tmp_path / "runs")
    check_numbers(server, tmp_path, run)
    check_files(server, tmp_path)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((502, b"<html><head><title>502</title></head><h1>Bad Gateway</h1></html>"), "Bad Gateway"),
        ((503, b""), "does not answer (HTTP 503"),
        ((200, b"<html>Please log in</html>"), "is no MLflow server"),
        ((404, b"<html>Not Found</html>"), "is no MLflow server"),
        ((403, b"Invalid Host header - possible DNS rebinding attack"), "--allowed-hosts"),
        ((429, b'{"message": "slow down"}'), "does not answer (HTTP 429"),
    ],
)
def test_a_page_in_the_servers_place_is_told_in_a_line(
    answer, words, front, server, tmp_path, capsys
):
    front.rule = lambda *call: answer
    run = record(tmp_path, front.uri)
    said = capsys.readouterr().err
    assert said.count(words) == 1, said
    assert "<" not in said
    assert words in refused(tmp_path)
    front.rule = lambda *call: None
    sync(tmp_path / "runs")
    check_numbers(server, tmp_path, run)
    check_files(server, tmp_path)


@pytest.mark.parametrize("status", [400, 500])
def test_a_number_at_which_a_server_fails_is_left_out_alone(
    status, front, server, tmp_path, capsys
):
    front.rule = lambda method, path, body, _: (
        (status, b"a fault") if b"valid/ill" in body else None
    )
    run = record(tmp_path, front.uri)
    assert "valid/ill" in capsys.readouterr().err
    check_numbers(server, tmp_path, run, without=["valid/ill"])
    assert "a: valid/ill" in refused(tmp_path)
    front.rule = lambda *call: None
    sync(tmp_path / "runs")
    check_numbers(server, tmp_path, run)


def test_a_server_that_knows_no_data_sets_gets_all_else(front, server, tmp_path):
    front.rule = lambda method, path, *_: (404, b"Not Found") if "log-inputs" in path else None
    run = record(tmp_path, front.uri)
    check_numbers(server, tmp_path, run)
    assert "a: dataset" in refused(tmp_path)


def test_files_that_a_server_keeps_for_itself(server, tmp_path):
    record(tmp_path, server.uri)
    found = there(server, tmp_path)[1].info
    path = next(server.folder.rglob(f"{found.run_id}/artifacts/notes/small.txt"))
    path.unlink()
    sync(tmp_path / "runs")
    check_files(server, tmp_path)


def test_a_server_that_keeps_files_in_its_own_folder(front, tmp_path, capsys):
    """A client on another machine writes them to a folder of that name on its own."""
    (tmp_path / "store").mkdir()
    options = "--no-serve-artifacts", "--default-artifact-root", f"{tmp_path}/store/files"
    server = Server(tmp_path / "store", *options)
    server.start()
    front.port = server.port
    try:
        record(tmp_path, front.uri)
        check_files(server, tmp_path)  # it is one machine
        sync(tmp_path / "runs")
        front.rule = lambda method, path, *_: (200, b"{}") if "artifacts/list" in path else None
        run = record(tmp_path, front.uri, steps=(1, 2, 3))
        assert capsys.readouterr().err.count("--artifacts-destination") == 1
        check_numbers(server, tmp_path, run)
        assert "a: notes/result.txt, notes/small.txt: " in refused(tmp_path)
    finally:
        server.kill()
