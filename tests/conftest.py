"""What several folders of tests share."""

import gc
import os
import shutil
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM = 8_000_000_000  # bytes; the tests take about 3 GB


def pytest_configure() -> None:
    """Keep temporary files in memory where there is room: half of a run's time is `fsync`."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    os.environ.setdefault("JAX_ENABLE_X64", "1")  # as `training/device.py` has it


@pytest.fixture(scope="session")
def mariadb():
    """A running MariaDB server, one for all tests; each uses tables of its own."""
    from datasets.mariadb import Server

    server = Server()
    yield server
    server.remove()


# Half a minute each: they train, or start programs.
LONG = (
    "test_reproduce", "test_resume", "test_sweep", "test_train", "test_state_callback",
    "test_external", "test_experiments", "test_data", "test_check", "test_driver",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, or one process would end long after the other."""
    items.sort(key=lambda item: item.path.stem not in LONG)


def pytest_collection_finish() -> None:
    """Leave what was imported out of every collection of garbage from here on: a third of 1 s."""
    gc.collect()
    gc.freeze()
