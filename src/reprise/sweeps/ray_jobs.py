"""Ray runs the jobs of a sweep, by its REST interface: nothing of Ray is installed here."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Annotated, Any, BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from annotated_types import Ge, Gt

from reprise.errors import UserError
from reprise.project import ROOT
from reprise.sweeps.launcher import End, NotNow, Scheduler, Task

ANSWER_S = 30  # longest time that an answer may take
STOP_S = 60  # time that a job has to save its state, before Ray kills it
_OVER = {"SUCCEEDED", "FAILED", "STOPPED"}
_WAITED = "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"  # Ray gives up a job that has waited 15 minutes


@dataclass(frozen=True, kw_only=True)
class Ray(Scheduler):
    """Jobs of a Ray cluster, whose nodes have project, environment, data and runs/ at equal paths.

    Args:
        address: Of the cluster's dashboard, such as `http://10.0.0.5:8265`. Who reaches it can run
            programs there: keep it in a private network.
        n_jobs: Jobs that wait or run at once.
        command: As in `Launcher`.
        cpus: Cores of a job.
        gpus: GPUs of a job; a part of one where several jobs share it.
        memory: Bytes of memory of a job; None for any.
        resources: Amounts of the cluster's own resources, by name.
        variables: Names of environment variables that are handed on. Ray shows their values to all
            who reach the cluster.
    """

    address: str = "http://127.0.0.1:8265"
    cpus: Annotated[float, Gt(0)] = 1
    gpus: Annotated[float, Ge(0)] = 0
    memory: Annotated[int, Ge(1)] | None = None
    resources: dict[str, float] = field(default_factory=dict)
    variables: list[str] = field(default_factory=list)

    def check(self, timeout_s: float | None) -> None:
        if timeout_s is not None:
            raise UserError(
                "sweep.timeout_s does not count the time that a job waits for its resources",
                "sweep.timeout_s=null",
                f"sweep.timeout_s={timeout_s:g}",
                "leave it out: Ray has no time limit",
            )
        if unset := [name for name in self.variables if name not in os.environ]:
            raise UserError(
                "launcher.variables names what is not set",
                "names of environment variables",
                ", ".join(unset),
                "set them, or leave them out",
            )
        try:
            self.ask("GET", "/api/version")
        except NotNow as error:
            raise UserError(
                "the Ray cluster does not answer",
                "the address of its dashboard",
                f"launcher.address={self.address}: {error}",
                "start it (`ray start --head`), or correct launcher.address",
            ) from None

    def start(self, command: Sequence[str], name: str, log: BinaryIO, place: int) -> RayJob:
        line = shlex.join([*self.command, *command])
        into = f"cd {shlex.quote(str(ROOT))} && exec {line} >> {shlex.quote(log.name)} 2>&1"
        named = {*self.variables, "KERAS_BACKEND"}
        variables = {name: os.environ[name] for name in named if name in os.environ}
        variables["RAY_JOB_STOP_WAIT_TIME_S"] = str(STOP_S)
        body = {
            "entrypoint": into,
            "submission_id": name,
            "entrypoint_num_cpus": self.cpus,
            "entrypoint_num_gpus": self.gpus,
            "entrypoint_memory": self.memory,
            "entrypoint_resources": self.resources,
            "runtime_env": {"env_vars": variables},
        }
        self.ask("POST", "/api/jobs/", {k: v for k, v in body.items() if v not in (None, {})})
        self.jobs(now=True)
        return RayJob(self, name)

    def find(self, name: str) -> RayJob | None:
        return RayJob(self, name) if name in self.jobs() else None

    def listed(self) -> dict[str, Any]:
        return {job["submission_id"]: job for job in self.ask("GET", "/api/jobs/")}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the cluster; returns what JSON it answers.

        Raises:
            NotNow: it refuses, or does not answer.
        """
        data = None if body is None else json.dumps(body).encode()
        asked = Request(
            self.address + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urlopen(asked, timeout=ANSWER_S) as answer:
                return json.load(answer)
        except HTTPError as error:
            text = error.read().decode(errors="replace").strip()
            raise NotNow(text.splitlines()[-1][:300] if text else str(error)) from None
        except (OSError, HTTPException, ValueError) as error:
            raise NotNow(str(error)) from None


class RayJob(Task):
    """A job of a Ray cluster, found by its submission id."""

    def __init__(self, ray: Ray, name: str) -> None:
        self._ray, self._name = ray, name

    def poll(self) -> End | None:
        try:
            seen = self._ray.jobs().get(self._name)
        except NotNow:
            return None
        if seen is None:  # the cluster was started anew
            return End(None, "forgotten by the cluster")
        status, code = seen["status"], seen.get("driver_exit_code")
        if status not in _OVER:
            self.is_queued = status == "PENDING"
            self.where = "queued (Ray)" if self.is_queued else f"running on {_node(seen)[4:]} (Ray)"
            return None
        if status == "STOPPED":  # Ray does not tell the exit code
            return End(None, "stopped")
        if seen.get("error_type") == _WAITED:
            return End(None, "waited too long for its resources", has_begun=False)
        if status == "FAILED" and code is None:
            return End(None, f"lost with {_node(seen)}")
        return End(code or 0)

    def stop(self) -> None:
        """Have SIGTERM sent to it, and SIGKILL after `STOP_S` seconds."""
        try:
            self._ray.ask("POST", f"/api/jobs/{self._name}/stop", {})
        except NotNow as error:
            print(f"note: {self._name} could not be stopped: {error}", flush=True)

    def kill(self) -> None:
        """Do nothing more: Ray kills what it has been asked to stop."""


def _node(seen: Mapping[str, Any]) -> str:
    address = seen.get("driver_agent_http_address") or ""
    return f"its node {address.partition('//')[2].partition(':')[0]}".strip()
