"""Several devices, for which logical CPUs stand in, each time in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("two_devices.py")
BACKENDS = {"mirrored": "tensorflow", "data_parallel": "jax"}


def said(kind, count, rows=14):
    environment = {
        **os.environ,
        "KERAS_BACKEND": BACKENDS[kind],
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, str(PROGRAM), kind, str(count), str(rows)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", BACKENDS)
def test_two_devices_have_the_numbers_of_one(kind):
    """Of the loss of whole batches, BatchNormalization, and last batches of 2 rows and of 1."""
    one, two = (json.loads(said(kind, count)) for count in (1, 2))
    assert two["distribution"] == f"{kind} over 2 devices"
    assert len(one["weights"]) > 200
    np.testing.assert_allclose(two["weights"], one["weights"], atol=1e-5)
    for name, values in one["history"].items():
        assert two["history"][name] == pytest.approx(values, rel=1e-5)
    assert two["again"] == pytest.approx(one["again"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BACKENDS)
def test_batches_that_the_devices_cannot_share_are_refused(kind):
    assert "2 devices cannot share every batch" in said(kind, 2, rows=13)
    assert "1 in the last one" in said(kind, 2, rows=13)
