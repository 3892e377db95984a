import subprocess
import sys

import pytest

from reprise.training import device

PROGRAM = """
import os
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import keras
from reprise.training.device import set_up
facts = set_up({precision!r}, {deterministic!r}, {jit!r}, 3)
print(facts['deterministic'], facts['precision'], keras.config.dtype_policy().name,
      float(keras.random.uniform(())))
"""


def run(precision, deterministic, jit=False):
    code = PROGRAM.format(precision=precision, deterministic=deterministic, jit=jit)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("deterministic", "jit", "expected"),
    [(None, False, "true"), (None, True, "false"), (True, False, "true"), (False, False, "false")],
)
def test_a_cpu_is_deterministic_unless_told_otherwise(deterministic, jit, expected):
    assert run("float32", deterministic, jit)[0] == expected


def test_precision_becomes_keras_policy_and_the_seed_is_set():
    first = run("mixed_bfloat16", None)
    assert first[1:3] == ["mixed_bfloat16", "mixed_bfloat16"]
    assert run("mixed_bfloat16", None)[3] == first[3]


@pytest.mark.parametrize("value", ["", "-1"])
def test_a_hidden_gpu_is_said_with_its_remedy(monkeypatch, value):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert "unset it" in device._reason()


def test_missing_cuda_libraries_are_said_with_their_remedy(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: None)
    assert "make setup" in device._reason()


def test_a_gpu_out_of_sight_is_warned_of(monkeypatch):
    monkeypatch.setattr(device, "_gpus", lambda: [])
    monkeypatch.setattr(device, "_has_nvidia", lambda: True)
    with pytest.warns(UserWarning, match="trains on the CPU"):
        device.set_up("float32", False, False, 0)
