import subprocess
import sys

import keras
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


def test_determinism_precision_and_seed_are_as_asked_for():
    """In a process of its own, since TensorFlow cannot be told to be less deterministic again."""
    cases = {(False, False): "false", (None, True): "false", (None, False): "true"}
    cases[True, False] = "true"
    if keras.backend.backend() == "jax":  # which XLA always compiles
        cases[None, True] = "true"
    settings = [("float32", *case, 3) for case in cases]
    settings += [("mixed_bfloat16", None, False, seed) for seed in (3, 4, 3)]
    code = PROGRAM.format(settings=settings)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == [*cases.values(), "true", "true", "true"]
    assert [line[1:3] for line in lines[4:]] == [["mixed_bfloat16", "mixed_bfloat16"]] * 3
    assert lines[4][3] == lines[6][3] != lines[5][3]


def test_missing_cuda_libraries_are_said_with_their_remedy(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: None)
    assert "make setup" in device._reason()


def test_a_gpu_out_of_sight_is_warned_of(monkeypatch):
    monkeypatch.setattr(device, "_gpus", lambda: [])
    monkeypatch.setattr(device, "_has_nvidia", lambda: True)
    with pytest.warns(UserWarning, match="trains on the CPU"):
        device.set_up("float32", False, False, 0)
