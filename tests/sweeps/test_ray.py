"""Jobs of a sweep on a real Ray cluster of two nodes, whatever happens to them and to the sweep."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sweeps.test_slurm import is_trained, results, start, until

from reprise.errors import UserError
from reprise.sweeps.ray_jobs import Ray

ADDRESS = "http://127.0.0.1:8265"


class Cluster:
    """A head and a second node of Ray, in a network namespace that has only `lo`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.space = folder, f"ray-{secrets.token_hex(3)}"
        self.environment = {**os.environ, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
        python = folder / "env/bin/python"
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder / "env"], check=True)
        subprocess.run(
            [uv, "pip", "install", "-q", "-p", python, "ray[default]==2.60.0"], check=True
        )

    def words(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/var/run/netns/{self.space}", *command]

    def call(self, *command: str) -> str:
        done = subprocess.run(
            self.words(*command), env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    def ray(self, *words: str) -> None:
        ray = str(self.folder / "env/bin/ray")
        small = ["--num-cpus=2", "--object-store-memory=100000000", "--disable-usage-stats"]
        self.call(ray, "start", *words, *small)

    def __enter__(self) -> "Cluster":
        subprocess.run(["ip", "netns", "add", self.space], check=True)
        self.call("ip", "link", "set", "lo", "up")
        self.ray("--head", "--node-ip-address=127.0.0.1", "--port=6379", "--dashboard-port=8265")
        self.start_node()
        return self

    def start_node(self) -> None:
        self.ray("--address=127.0.0.1:6379", "--dashboard-agent-listen-port=52399")

    def jobs(self) -> dict[str, dict]:
        """The jobs, by submission id."""
        return {job["submission_id"]: job for job in self.ask("GET", "/api/jobs/")}

    def ask(self, method: str, path: str):
        words = ["curl", "-s", "-X", method, "-H", "Content-Type: application/json", "-d", "{}"]
        return json.loads(self.call(*words, ADDRESS + path))

    def kill_node(self) -> set[str]:
        """Kill the second node with its jobs; returns their names."""
        found = subprocess.run(["pgrep", "-f", "raylet .*52399"], capture_output=True, text=True)
        (raylet, *_) = found.stdout.split()
        before = {name for name, job in self.jobs().items() if job["status"] == "RUNNING"}
        os.kill(int(raylet), 9)
        time.sleep(1)
        return before

    def __exit__(self, *exc: object) -> None:
        with suppress(subprocess.CalledProcessError):
            self.call(str(self.folder / "env/bin/ray"), "stop", "--force")
        subprocess.run(["ip", "netns", "delete", self.space], check=False)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    assert shutil.which("ip")
    assert os.getuid() == 0
    with Cluster(tmp_path_factory.mktemp("ray")) as ray:
        yield ray


@pytest.mark.slow
def test_twelve_jobs_end_as_undisturbed(cluster, tmp_path):
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "ray"
    for folder in (undisturbed, out):
        folder.mkdir()

    def trained() -> list[str]:
        runs = {name for name, job in cluster.jobs().items() if job["status"] == "RUNNING"}
        return sorted(name for name in runs if is_trained(out, name))

    sweep = start(cluster, out, "launcher=ray", epochs=60)
    until(lambda: len(trained()) >= 2)
    sweep.kill()  # the first time
    first = trained()[0]
    cluster.ask("POST", f"/api/jobs/{first}/stop")
    until(lambda: cluster.jobs()[first]["status"] == "STOPPED")
    sweep = start(cluster, out, "launcher=ray", epochs=60)
    until(lambda: len(trained()) >= 3)
    cluster.kill_node()
    sweep.kill()  # the second time
    sweep = start(cluster, out, "launcher=ray", epochs=60)
    until(lambda: "FAILED" in {job["status"] for job in cluster.jobs().values()})
    assert sweep.wait() == 0, (out / "sweep.log").read_text()
    assert "lost with its node" in (out / "sweep.log").read_text()
    assert start(None, undisturbed, "launcher.n_jobs=2", epochs=60).wait() == 0
    expected = results(undisturbed)
    assert len(expected) == 12
    assert results(out) == expected


class Answers(BaseHTTPRequestHandler):
    """A cluster that refuses every job."""

    def do_GET(self) -> None:
        self.send_error(500, "not now")

    def log_message(self, *words: object) -> None:
        pass


def test_a_cluster_that_does_not_answer_is_refused():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(UserError, match="does not answer"):
        Ray(address=f"http://127.0.0.1:{server.server_port}").check(None)
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match="refused"):
        Ray(address=f"http://127.0.0.1:{server.server_port}").check(None)
    with pytest.raises(UserError, match="NOT_SET"):
        Ray(variables=["NOT_SET"]).check(None)
    with pytest.raises(UserError, match="timeout_s"):
        Ray().check(5.0)
