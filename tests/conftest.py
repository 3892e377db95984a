"""What several folders of tests share."""

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


@pytest.fixture(scope="session")
def mariadb():
    """A running MariaDB server, one for all tests; each uses tables of its own."""
    from datasets.mariadb import Server

    server = Server()
    yield server
    server.remove()


# Minutes each, because they train through the command line.
LONG = (
    "test_state_callback",
    "test_external",
    "test_keep",
    "test_train",
    "test_experiments",
    "test_resume",
    "test_update",
    "test_bad_input",
    "test_sweep",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, or one process would end long after the other."""
    items.sort(key=lambda item: item.path.stem not in LONG)
