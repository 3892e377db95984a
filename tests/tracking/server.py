"""A real MLflow server that a test starts and kills."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


class Server:
    """`mlflow server` over a database and a folder of artifacts that outlive it."""

    def __init__(self, folder: Path, *artifacts: str) -> None:
        self._artifacts = artifacts or ("--artifacts-destination", f"{folder}/artifacts")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [
            sys.executable, "-m", "mlflow", "server",
            "--host", "127.0.0.1", "--port", str(self.port),
            "--backend-store-uri", f"sqlite:///{self.folder}/server.db", "--workers", "1",
            *self._artifacts,
        ]  # fmt: skip
        light = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=os.environ | light,
                start_new_session=True,
            )
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """End it and its workers as a power cut would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                return b"200" in connection.recv(100)
        except OSError:
            return False
