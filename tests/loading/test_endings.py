"""Whatever ends the program, no worker and no memory outlives it, and nothing is said about it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

SPAWN = pytest.param("spawn", marks=pytest.mark.slow)  # rarely chosen; one of these is quick
METHODS = pytest.mark.parametrize("method", ["forkserver", SPAWN])


def start(mode: str, method: str, *before: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-W", "error", "-m", "loading.loader_script", mode, method],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        start_new_session=True,
    )


def ended(program: subprocess.Popen[str]) -> tuple[str, str]:
    """What it has printed, once it has ended."""
    try:
        return program.communicate(timeout=60)
    finally:
        program.kill()


def family(program: subprocess.Popen[str]) -> list[psutil.Process]:
    """The program's processes once it is at work: workers, fork server, resource tracker."""
    assert program.stdout
    pids = {int(pid) for pid in re.findall(r"process (\d+)", program.stdout.readline())}
    found = psutil.Process(program.pid).children(recursive=True)
    assert pids <= {process.pid for process in found}
    assert len(pids) in (1, 2)
    return found


def assert_gone(processes: list[psutil.Process], within_s: float = 5) -> None:
    deadline = time.monotonic() + within_s
    while alive := [process for process in processes if is_alive(process)]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.01)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@METHODS
@pytest.mark.parametrize("mode", ["serve", "stuck", "stream"])
def test_workers_leave_when_the_parent_is_killed(mode: str, method: str) -> None:
    program = start(mode, method)
    processes = family(program)
    program.kill()
    assert_gone(processes)
    assert ended(program)[1] == ""


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_nothing_is_left_when_the_whole_group_is_killed(method: str) -> None:
    program = start("serve", method)
    processes = family(program)
    memory = [Path(f"/proc/{process.pid}/maps").read_text() for process in processes]
    os.killpg(program.pid, signal.SIGKILL)
    assert_gone(processes)
    ended(program)
    # What they share has no name that could stay behind.
    assert sum("/memfd:reprise-slots (deleted)" in maps for maps in memory) == 2
    assert not any("/dev/shm/" in maps for maps in memory)


@pytest.mark.slow
def test_a_container_with_64_mb_of_shared_memory_is_enough() -> None:
    """Its slots take 160 MB. Where the system forbids to mount, it proves no more than others."""
    mount = "mount -t tmpfs -o size=64m tmpfs /dev/shm && "
    small = ["unshare", "-rm", "sh", "-c"]
    is_allowed = subprocess.run([*small, f"{mount}df -k /dev/shm"], capture_output=True, text=True)
    if is_allowed.returncode == 0:
        assert "65536" in is_allowed.stdout
    before = [*small, f'{mount}exec "$@"', "sh"] if is_allowed.returncode == 0 else []
    out, err = ended(start("large", "forkserver", *before))
    assert (err, len(re.findall(r"process \d+", out))) == ("", 2)


@METHODS
@pytest.mark.parametrize("mode", ["serve", "stuck"])
def test_ctrl_c_is_quiet(mode: str, method: str) -> None:
    program = start(mode, method)
    processes = family(program)
    os.killpg(program.pid, signal.SIGINT)
    assert (ended(program)[1], program.returncode) == ("", 130)
    assert_gone(processes)


@pytest.mark.parametrize("wait_s", [0.05, 0.2])
def test_ctrl_c_is_quiet_while_workers_start(wait_s: float) -> None:
    program = start("at once", "forkserver")
    assert program.stdout
    assert program.stdout.readline() == "started\n"
    time.sleep(wait_s)
    processes = psutil.Process(program.pid).children(recursive=True)
    os.killpg(program.pid, signal.SIGINT)
    assert (ended(program)[1], program.returncode) == ("", 130)
    assert_gone(processes)


@METHODS
def test_program_that_forgets_to_close_ends_quietly(method: str) -> None:
    program = start("forget", method)
    out, err = ended(program)
    pids = [int(pid) for pid in re.findall(r"process (\d+)", out)]
    assert (err, program.returncode, len(pids)) == ("", 0, 2)
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
