import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from loading.loader_samples import Numbers
from loading.test_loader import Load

from reprise.loading.process_start import start_context


@pytest.mark.parametrize(
    ("chosen", "used"), [(None, "forkserver"), ("fork", "forkserver"), ("spawn", "spawn")]
)
def test_processes_never_come_from_a_fork(chosen: str | None, used: str) -> None:
    multiprocessing.set_start_method(chosen, force=True)
    assert start_context().get_start_method() == used


def test_signals_and_main_module_are_as_before(load: Load) -> None:
    main, mask = sys.modules["__main__"], signal.pthread_sigmask(signal.SIG_BLOCK, [])
    next(load(Numbers(), workers=1).batches())
    assert sys.modules["__main__"] is main
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


SCRIPT = """
print("running as", __name__, flush=True)
import numpy as np
from loading.loader_samples import Numbers
from reprise.loading.loader import Loader

class Mine(Numbers):
    pass

if __name__ == "__main__":
    with Loader({name}(), np.arange(23), split="train", seed=3, workers=2) as loader:
        for _ in loader.batches(0, 20):
            pass
        print("made by", *loader.producers)
"""


@pytest.mark.parametrize(("name", "repeated"), [("Numbers", False), ("Mine", True)])
def test_main_module_runs_again_only_for_a_dataset_of_its_own(
    name: str, repeated: bool, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.replace("{name}", name))
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.count("running as __main__\n") == 1
    assert ("running as __mp_main__" in done.stdout) == repeated
    assert "made by process" in done.stdout
