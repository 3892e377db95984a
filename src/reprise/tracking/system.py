"""Use of the machine while a run trains, by the names that MLflow's own tab for it expects.

They go through the run's journal, from a thread of their own; MLflow's monitor would send them to
the store itself, and import MLflow before the first step.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reprise.tracking.journal import SYSTEM, entries
from reprise.tracking.run import Run


@contextmanager
def system_metrics(run: Run, every_s: float | None) -> Iterator[None]:
    """Record the use of CPU, memory, disk and GPUs, at steps of seconds since the run began.

    Args:
        run: The run, whose disk is looked at.
        every_s: Seconds from one look to the next; None: no look.
    """
    if every_s is None:
        yield
        return
    done = threading.Event()
    words = run, every_s, done
    thread = threading.Thread(target=_look, args=words, daemon=True, name="system metrics")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(every_s)


def _look(run: Run, every_s: float, done: threading.Event) -> None:
    import psutil

    gpus, start = _gpus(), next(entries(run.folder, "start"))["at"]
    psutil.cpu_percent()  # of the time since the call before
    while not done.wait(every_s):
        try:
            values = _machine(run.folder) | _of_gpus(gpus)
        except OSError as error:  # of a container that hides its machine
            print(f"note: no system metrics: {error}", file=sys.stderr)
            return
        named = {SYSTEM + name: round(value, 1) for name, value in values.items()}
        run.system(named, step=int(time.time() - start / 1000))


def _machine(folder: Path) -> dict[str, float]:
    import psutil

    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(folder))
    return {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": memory.used / 1e6,
        "system_memory_usage_percentage": memory.used / memory.total * 100,
        "disk_usage_percentage": disk.percent,
        "disk_usage_megabytes": disk.used / 1e6,
        "disk_available_megabytes": disk.free / 1e6,
    }


def _gpus() -> list[Any]:
    """Handles of NVIDIA's library; none without it, or without a GPU."""
    with suppress(Exception):
        import pynvml

        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
        return [pynvml.nvmlDeviceGetHandleByIndex(at) for at in range(count)]
    return []


def _of_gpus(gpus: list[Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for at, gpu in enumerate(gpus):
        import pynvml

        with suppress(pynvml.NVMLError):  # what a GPU does not tell is left out
            memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
            found[f"gpu_{at}_memory_usage_percentage"] = memory.used / memory.total * 100
            found[f"gpu_{at}_memory_usage_megabytes"] = memory.used / 1e6
            rates = pynvml.nvmlDeviceGetUtilizationRates(gpu)
            found[f"gpu_{at}_utilization_percentage"] = rates.gpu
            found[f"gpu_{at}_power_usage_watts"] = pynvml.nvmlDeviceGetPowerUsage(gpu) / 1000
    return found
