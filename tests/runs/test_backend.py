"""A run on JAX through the command line: bit for bit as if never disturbed, and known again."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import pytest
from tiny import ROOT, array_words, write_arrays

from reprise.errors import UserError
from reprise.runs.load import SavedRun
from reprise.tracking.journal import tags_of


def begin(backend, *words):
    """A verb in a process of its own, KERAS_BACKEND set, or unset for ''."""
    outside = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment = {**outside, **({"KERAS_BACKEND": backend} if backend else {})}
    command = [sys.executable, "-m", "reprise", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=environment, **pipes)


def ended(process):
    said = process.communicate()
    return process.returncode, *said


def test_another_backend_is_refused_where_bits_count(tmp_path):
    entry = {"kind": "tags", "values": {"backend": "jax"}}
    (tmp_path / "journal.jsonl").write_text(json.dumps(entry) + "\n")
    saved = SavedRun(tmp_path, tmp_path, {}, {}, {}, {})
    other = "tensorflow"  # that of this process, or the run's own where the tests run on JAX
    if keras.backend.backend() == "jax":
        entry["values"]["backend"], other = "tensorflow", "jax"
        (tmp_path / "journal.jsonl").write_text(json.dumps(entry) + "\n")
    saved.use_backend()
    with pytest.raises(UserError, match=f"received  KERAS_BACKEND={other}"):
        saved.use_backend(exactly=True)


@pytest.mark.slow
def test_killed_and_stopped_on_jax_it_ends_bit_for_bit_and_both_backends_score_it(tmp_path):
    write_arrays(tmp_path / "digits.npz")
    length = ["trainer.epochs=3", "trainer.steps_per_epoch=12", "loader.workers=2"]
    weights = []
    for name in ("whole", "disturbed"):
        words = ["train", *array_words(tmp_path / "digits.npz", tmp_path / name), *length]
        process = begin("jax", *words)
        if name == "disturbed":
            for number in (signal.SIGKILL, signal.SIGTERM):
                step = 12 if number == signal.SIGKILL else 24
                while not list((tmp_path / name).glob(f"runs/digits/*/state/step-{step:08d}")):
                    assert process.poll() is None, process.communicate()[1][-2000:]
                    time.sleep(0.01)
                process.send_signal(number)
                code, _, _ = ended(process)
                assert code == (-signal.SIGKILL if number == signal.SIGKILL else 75)
                process = begin("", "resume", "run=last", f"runs={tmp_path}/disturbed/runs")
        code, _, error = ended(process)
        assert code == 0, error[-2000:]
        (run,) = (tmp_path / name / "runs/digits").iterdir()
        weights.append(tags_of(run)["weights_sha256"])
        assert tags_of(run)["backend"] == "jax"
    assert weights[0] == weights[1]
    place = ["run=last", f"runs={tmp_path}/whole/runs"]
    scores = []
    for backend in ("jax", "tensorflow"):
        code, said, error = ended(begin(backend, "evaluate", *place))
        assert code == 0, error[-2000:]
        scores.append(dict(line.split() for line in said.splitlines()))
    assert scores[0]["test/accuracy"] == scores[1]["test/accuracy"]
    assert float(scores[0]["test/loss"]) == pytest.approx(float(scores[1]["test/loss"]), rel=1e-5)
    code, _, error = ended(begin("tensorflow", "resume", *place, "trainer.epochs=4"))
    assert code == 2
    assert "unset KERAS_BACKEND" in error
