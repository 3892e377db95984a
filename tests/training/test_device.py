import subprocess
import sys

import pytest

from reprise.training import device

PROGRAM = """
import os
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import keras
from reprise.training.device import set_up
for settings in {settings!r}:
    facts = set_up(*settings)
    print(facts['deterministic'], facts['precision'], keras.config.dtype_policy().name,
          float(keras.random.uniform(())))
"""


def told(*settings):
    """What is said of one set-up after another, each of precision, deterministic, jit and seed."""
    code = PROGRAM.format(settings=settings)
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def test_a_cpu_is_deterministic_unless_told_otherwise():
    cases = {(False, False): "false", (None, True): "false", (None, False): "true"}
    cases[True, False] = "true"  # last, since TensorFlow cannot be told to leave it again
    lines = told(*(("float32", *case, 3) for case in cases))
    assert [line[0] for line in lines] == list(cases.values())


def test_precision_becomes_keras_policy_and_the_seed_is_set():
    lines = told(*(("mixed_bfloat16", None, False, seed) for seed in (3, 4, 3)))
    assert [line[1:3] for line in lines] == [["mixed_bfloat16", "mixed_bfloat16"]] * 3
    assert lines[0][3] == lines[2][3] != lines[1][3]


def test_missing_cuda_libraries_are_said_with_their_remedy(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: None)
    assert "make setup" in device._reason()


def test_a_gpu_out_of_sight_is_warned_of(monkeypatch):
    monkeypatch.setattr(device, "_gpus", lambda: [])
    monkeypatch.setattr(device, "_has_nvidia", lambda: True)
    with pytest.warns(UserWarning, match="trains on the CPU"):
        device.set_up("float32", False, False, 0)
