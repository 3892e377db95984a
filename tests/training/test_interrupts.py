"""Signals while a run is under way, in a process of its own."""

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import os, signal, sys, time
from reprise.errors import Stopped
from reprise.training.interrupts import Interrupts

def handlers():
    return signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

before = handlers()
with Interrupts(timeout_s=float(sys.argv[2])) as interrupts:
    try:
        if sys.argv[1] == "steps":
            with interrupts.training():
                print("ready", flush=True)
                while interrupts.asked is None:
                    time.sleep(0.01)
            print("asked", int(interrupts.asked), flush=True)
        if sys.argv[1] == "outside":
            print("ready", flush=True)
            time.sleep(60)
        if sys.argv[1] == "stuck":
            with interrupts.training():
                print("ready", flush=True)
                os.read(os.pipe()[0], 1)
    except Stopped as stopped:
        print("stopped", stopped.signal, flush=True)
if handlers() == before:
    print("as before")
"""


def begin(kind, timeout_s=60.0):
    words = [sys.executable, "-c", PROGRAM, kind, str(timeout_s)]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout.readline() == "ready\n"
    return process


def after(process, *signals):
    """What the process says, and its exit code, once these signals have been sent."""
    for number in signals:
        process.send_signal(number)
        time.sleep(0.2)
    out, err = process.communicate(timeout=20)
    return out, err, process.returncode


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGTERM, "stopping after this step"),
        (signal.SIGINT, "Ctrl-C again ends it at once"),
    ],
)
def test_a_signal_is_a_request_in_training_and_ends_the_run_outside_of_it(number, said):
    out, err, code = after(begin("steps"), number)
    assert (out, code) == (f"asked {int(number)}\nas before\n", 0)
    assert said in err
    out, _, code = after(begin("outside"), number)
    assert (out, code) == (f"stopped {int(number)}\nas before\n", 0)


def test_a_blocked_read_neither_hides_a_signal_nor_keeps_the_process():
    process = begin("stuck")
    process.send_signal(signal.SIGINT)
    assert "stopping after this step" in process.stderr.readline() + process.stderr.readline()
    _, err, code = after(process, signal.SIGINT)
    assert code == 130
    assert "stopped at once" in err
    _, err, code = after(begin("stuck", timeout_s=0.3), signal.SIGTERM)  # which waits no longer
    assert code == 75
    assert "stopped at once" in err
