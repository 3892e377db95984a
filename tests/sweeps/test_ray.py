"""Jobs of a sweep on a real Ray cluster of two nodes, whatever happens to them and to the sweep."""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sweeps.cluster import Namespace
from sweeps.test_slurm import is_trained, results, start, until

from reprise.errors import UserError
from reprise.sweeps.ray_jobs import Ray

ADDRESS = "http://127.0.0.1:8265"


class Cluster(Namespace):
    """A head and a second node of Ray."""

    def __init__(self, folder: Path) -> None:
        super().__init__(RAY_ENABLE_UV_RUN_RUNTIME_ENV="0")
        self.folder = folder
        python = folder / "env/bin/python"
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder / "env"], check=True)
        subprocess.run(
            [uv, "pip", "install", "-q", "-p", python, "ray[default]==2.60.0"], check=True
        )

    def ray(self, *words: str) -> None:
        ray = str(self.folder / "env/bin/ray")
        small = ["--num-cpus=2", "--object-store-memory=100000000", "--disable-usage-stats"]
        self.call(ray, "start", *words, *small)

    def __enter__(self) -> "Cluster":
        super().__enter__()
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

    def kill_node(self) -> None:
        """Kill the second node with its jobs."""
        found = subprocess.run(["pgrep", "-f", "raylet .*52399"], capture_output=True, text=True)
        (raylet, *_) = found.stdout.split()
        os.kill(int(raylet), 9)

    def __exit__(self, *exc: object) -> None:
        with suppress(subprocess.CalledProcessError):
            self.call(str(self.folder / "env/bin/ray"), "stop", "--force")
        super().__exit__(*exc)


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
