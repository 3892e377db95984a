"""What several folders of tests share."""

import pytest


@pytest.fixture(scope="session")
def mariadb():
    """A running MariaDB server, one for all tests; each uses tables of its own."""
    from datasets.mariadb import Server

    server = Server()
    yield server
    server.remove()


# Minutes each, because they train through the command line.
LONG = (
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
