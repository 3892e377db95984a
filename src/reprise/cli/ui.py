"""Show the runs in a browser: `reprise ui [experiment=NAME] [port=5000]`.

`runs=FOLDER` looks elsewhere than in runs/; `uri=ADDRESS` shows another store."""

import os
import socket
import sys
import time
import webbrowser
from pathlib import Path

from reprise.cli.main import options
from reprise.config.secrets import redact
from reprise.errors import UserError
from reprise.project import ROOT, typed
from reprise.runs.page import PORT, VIEW, experiment_page, local
from reprise.tracking.folders import is_debug, name_in, run_folders
from reprise.tracking.settings import tracking_uri

START_S = 120  # in which the server has to answer


def main(argv: list[str]) -> None:
    """Start MLflow's UI on this machine, or say where the server is, and open an experiment's page.

    It is that of the run that began last, unless `experiment=NAME` names another.
    """
    asked = options(argv, experiment="", port=PORT, runs="runs", uri="")
    port, uri = _port(asked["port"]), tracking_uri(asked["uri"] or None)
    folders = _runs_of(asked["experiment"], ROOT / asked["runs"])
    if uri.startswith("http"):
        print(f"The runs are on the server: open {redact(uri)}")
        return
    if _answers(port):
        page = experiment_page(local(port), folders)
        if VIEW not in page:
            raise UserError(
                f"port {port} is taken",
                "a free port, or a server that has these runs",
                f"another program answers at {local(port)}",
                f"end it, or take another port: {typed('ui')} port={int(port) + 1}",
            )
        _open(page)
        return
    sys.stdout.flush()
    if os.fork() == 0:  # the parent becomes the server, so that signals reach it
        try:
            _open_when_ready(port, folders)
        finally:
            os._exit(0)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:mlflow.server.fastapi_app")
    words = ["--host", "127.0.0.1", "--port", port, "--uvicorn-opts", "--log-level warning"]
    words += ["--backend-store-uri", uri, "--registry-store-uri", uri]
    # one worker: each takes 350 MB
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", "--workers", "1", *words])


def _port(text: str) -> str:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise UserError("port is wrong", "a number from 1 to 65535", text, "choose one: port=5001")
    return text


def _runs_of(experiment: str, runs: Path) -> list[Path]:
    """Folders of an experiment's runs, the oldest first; '': that of the newest run."""
    found = {folder: name_in(folder, runs) for folder in run_folders(runs)}
    real = [folder for folder in found if not is_debug(folder, runs)]
    newest = found[max(real, key=lambda folder: folder.name)] if real else ""
    chosen = [folder for folder, name in found.items() if name == (experiment or newest)]
    if experiment and not chosen:
        raise UserError(
            f"no run of '{experiment}'",
            ", ".join(sorted({*found.values()})) or f"a run in {runs.name}/",
            f"experiment={experiment}",
            "choose one of these, or none",
        )
    return chosen


def _answers(port: str) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", int(port))) == 0


def _open_when_ready(port: str, folders: list[Path]) -> None:
    """Wait for the server, as long as it lives, and open the page."""
    server, end = os.getppid(), time.monotonic() + START_S
    while time.monotonic() < end and os.getppid() == server:
        if _answers(port):
            _open(experiment_page(local(port), folders))
            return
        time.sleep(0.2)


def _open(page: str) -> None:
    """Print an address, and open it where there is a display."""
    print(f"open {page}", flush=True)
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(page)
