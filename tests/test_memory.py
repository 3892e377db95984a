"""Memory of a whole run, its workers included, does not grow with the epochs."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from tiny import ROOT, short


def memory(program: psutil.Process) -> float:
    """MB that a program and its children have written to, what they share counted once.

    Pages of library files are left out: each counts less, the more programs of others have it.
    """
    total_kb = 0
    for process in [program, *program.children(recursive=True)]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total_kb += sum(map(int, re.findall(r"Pss_(?:Anon|Shmem): +(\d+) kB", text)))
    return total_kb / 1024


@pytest.mark.slow
def test_twenty_epochs_need_no_more_than_two(tmp_path):
    for at in range(60):
        path = tmp_path / "data" / "abc"[at % 3] / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(at).integers(0, 80 * (1 + at % 3), (48, 48, 3), np.uint8)
        cv2.imwrite(str(path), pixels)
    words = ["experiment=folder", f"dataset.folder={tmp_path}/data", *short(tmp_path)]
    words += ["trainer.epochs=21", "trainer.steps_per_epoch=30", "loader.workers=2"]
    words += ["trainer.early_stopping_patience=null", "trainer.pictures_every=1"]
    command = [sys.executable, "-m", "reprise", "train", *words]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    after = {}
    for line in process.stdout:  # said at an epoch's end
        if line.startswith("epoch "):
            after[int(line.split()[1].partition("/")[0])] = memory(psutil.Process(process.pid))
    _, err = process.communicate()
    assert process.returncode == 0, err[-2000:]
    print({epoch: round(value) for epoch, value in after.items()})
    assert sorted(after) == list(range(1, 22))
    assert after[20] <= 1.05 * after[2]
