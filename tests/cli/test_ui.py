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
        said = next(line for line in process.stdout if line.startswith("open "))
        assert said.startswith(f"open http://127.0.0.1:{port}/#/experiments")
        taken = reprise("ui", f"port={port}", f"runs={tmp_path}")
        assert (taken.returncode, taken.stdout) == (2, "")
        assert f"port {port} is taken" in taken.stderr
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


@pytest.mark.parametrize("word", ["port=x", "port=70000", "experiment=nope"])
def test_a_wrong_word_is_refused(word, tmp_path):
    done = reprise("ui", word, f"runs={tmp_path}")
    assert done.returncode == 2
    assert word.partition("=")[2] in done.stderr
