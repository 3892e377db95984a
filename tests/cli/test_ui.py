import os
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from tiny import ROOT, reprise


@pytest.mark.slow
def test_the_ui_answers_on_this_machine_only(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "reprise", "ui", f"port={port}"],
        cwd=ROOT,
        env={**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout.readline().startswith(f"open http://127.0.0.1:{port}/#/experiments")
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                assert b"MLflow" in urlopen(f"http://127.0.0.1:{port}").read()
                return
            except URLError:
                time.sleep(0.5)
        raise AssertionError("no answer")
    finally:
        process.terminate()
        process.wait()


def test_with_a_server_its_address_is_printed(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@there:5000")
    assert reprise("ui").stdout.startswith("The runs are on the server: open http://me:")
    assert "secret" not in reprise("ui").stdout
