"""Show the runs in a browser: `reprise ui [port=5000]`."""

import os
import sys

from reprise.cli.main import options
from reprise.config.secrets import redact
from reprise.tracking.settings import tracking_uri


def main(argv: list[str]) -> None:
    """Start MLflow's UI on this machine, or say where the tracking server is."""
    port = options(argv, port="5000")["port"]
    uri = tracking_uri(None)
    if uri.startswith("http"):
        print(f"The runs are on the server: open {redact(uri)}")
        return
    address = f"http://127.0.0.1:{port}/#/experiments"
    print(f"open {address} and choose 'Model training' at the top left, once", flush=True)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    where = ["--host", "127.0.0.1", "--port", port, "--backend-store-uri", uri]
    # one worker: each takes 350 MB
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", "--workers", "1", *where])
