"""The training state on disk: whole or not there, whatever is damaged or cut short."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from reprise.training.state import ARRAYS, FACTS, State, read_state, write_state


def state(step: int) -> State:
    arrays = {"model.0000": np.full((3, 2), step, np.float32), "model.0001": np.array(step)}
    return State(step, arrays, {"epoch": step, "callbacks": [{"best": -np.inf, "wait": 2}]})


def test_what_was_written_is_read(tmp_path):
    write_state(tmp_path / "state", state(7))
    found, passed = read_state(tmp_path / "state")
    assert passed == []
    assert (found.step, found.facts) == (7, state(7).facts)
    assert found.arrays["model.0000"].dtype == np.float32
    assert np.array_equal(found.arrays["model.0000"], state(7).arrays["model.0000"])
    assert found.arrays["model.0001"].shape == ()


def test_the_newest_two_are_kept_and_the_same_step_again_replaces_its_state(tmp_path):
    assert read_state(tmp_path / "state") == (None, [])
    for step in (0, 5, 10, 15):
        write_state(tmp_path, state(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000010", "step-00000015"]
    write_state(tmp_path, State(15, {"model.0000": np.ones(1)}, {}))
    assert read_state(tmp_path)[0].arrays.keys() == {"model.0000"}


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


DAMAGES = {
    "truncated arrays": (ARRAYS, lambda data: data[:-20]),
    "flipped bit": (ARRAYS, flipped),
    "changed fact": (FACTS, lambda data: data.replace(b'"wait": 2', b'"wait": 3')),
    "no arrays": (ARRAYS, None),
    "no facts": (FACTS, None),
    "empty facts": (FACTS, lambda data: b""),
    "no checksum": (FACTS, lambda data: data.replace(b'"sha256"', b'"md5"')),
}


def damage(state, file, change):
    data = (state / file).read_bytes()
    (state / file).unlink()
    if change:
        (state / file).write_bytes(change(data))


@pytest.mark.parametrize(("file", "change"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_newest_state_gives_the_one_before_and_says_so(file, change, tmp_path):
    write_state(tmp_path, state(5))
    damage(write_state(tmp_path, state(10)), file, change)
    found, passed = read_state(tmp_path)
    assert found.step == 5
    assert len(passed) == 1
    assert passed[0].startswith("step-00000010 is damaged: ")


def test_a_disk_without_room_leaves_what_was_there(tmp_path):
    write_state(tmp_path, state(5))
    code = (
        "import pathlib, resource, signal, sys, numpy as np\n"
        "from reprise.training.state import State, write_state\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "state = State(9, {'m': np.ones(10**6)}, {})\n"
        "try: write_state(pathlib.Path(sys.argv[1]), state)\n"
        "except OSError as error: print('OSError', error.errno)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert done.stdout.startswith("OSError"), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]
    assert read_state(tmp_path)[0].step == 5


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_whole_state(tmp_path):
    code = (
        "import sys, pathlib, itertools, numpy as np\n"
        "from reprise.training.state import State, write_state\n"
        "for step in itertools.count(1):\n"
        "    arrays = {f'm{at}': np.full(10**5, step) for at in range(8)}\n"
        "    write_state(pathlib.Path(sys.argv[1]), State(step, arrays, {'epoch': step}))\n"
    )
    rng = np.random.default_rng(0)
    last = 0
    for _ in range(40):
        process = subprocess.Popen([sys.executable, "-c", code, tmp_path])
        while not list(tmp_path.glob("step-*")):
            time.sleep(0.01)
        time.sleep(rng.uniform(0.2, 0.6))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        found, passed = read_state(tmp_path)
        assert passed == []
        assert found.facts["epoch"] == found.step
        assert all((array == found.step).all() for array in found.arrays.values())
        last = max(last, found.step)
    assert last > 5


def test_two_damaged_states_are_none(tmp_path):
    for step in (5, 10):
        damage(write_state(tmp_path, state(step)), ARRAYS, None)
    found, passed = read_state(tmp_path)
    assert found is None
    assert len(passed) == 2
