"""What several folders of tests share."""

import pytest


@pytest.fixture(scope="session")
def mariadb():
    """A running MariaDB server, one for all tests; each uses tables of its own."""
    from datasets.mariadb import Server

    server = Server()
    yield server
    server.remove()
