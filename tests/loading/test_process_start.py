import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from fractions import Fraction
from multiprocessing import forkserver
from pathlib import Path

import pytest
from loading.loader_samples import Numbers
from loading.test_loader import Load

from reprise.loading.process_start import pickle_for_start, start_context


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


def test_the_fork_server_imports_what_the_dataset_holds_but_not_the_main_module() -> None:
    dataset = Numbers()
    dataset.inner = Fraction(1, 3), Main()  # type: ignore[attr-defined]
    assert pickle.loads(pickle_for_start(dataset, "Numbers")).inner[0] == Fraction(1, 3)
    early = forkserver._forkserver._preload_modules  # type: ignore[attr-defined]
    assert {Numbers.__module__, "reprise.spec", "fractions"} <= set(early)
    assert "reprise.loading.worker" in early
    assert "__main__" not in early


class Main:
    """Pretends to be defined by the program itself."""

    __module__ = "__main__"

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return list, ()


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
