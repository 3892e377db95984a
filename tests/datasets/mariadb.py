"""A real MariaDB server for tests, in a folder of its own, on a private socket, without network."""

import getpass
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

_PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
_PATIENCE_S = 60
USER, PASSWORD = "reprise", "s3cret/with@signs"


class Server:
    """One server process. Its user `reprise` needs the password; `root` comes by the socket."""

    def __init__(self) -> None:
        # Not in pytest's own folder: a socket's path has room for 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
        self.socket = self.folder / "s"
        self._log = (self.folder / "log").open("wb")
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "mariadb-install-db", "--auth-root-authentication-method=normal", "--skip-test-db",
            "--skip-name-resolve", "--skip-log-bin",
        )  # fmt: skip
        self.start()
        for words in (
            "CREATE DATABASE cells CHARACTER SET utf8mb4",
            f"CREATE USER {USER}@localhost IDENTIFIED BY '{PASSWORD}'",
            f"GRANT ALL ON cells.* TO {USER}@localhost",
        ):
            self.execute(words)

    def url(self, user: str = "root", database: str = "cells") -> str:
        """SQLAlchemy's URL, without a password."""
        return f"mysql+mysqldb://{user}@localhost/{database}?unix_socket={self.socket}"

    def execute(self, words: str, database: str = "") -> None:
        """Run a statement as root."""
        engine = sa.create_engine(self.url(database=database), poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql(words)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = self._begin(
            "mariadbd", f"--socket={self.socket}", "--skip-networking", "--skip-log-bin",
            "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M",
            "--innodb-flush-log-at-trx-commit=0", f"--pid-file={self.folder}/pid",
        )  # fmt: skip
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self.execute("SELECT 1")
            except sa.exc.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, as an administrator would."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE_S)
            self._process = None

    def restart(self, pause_s: float) -> None:
        """Stop it, and start it again after a pause."""
        self.stop()
        time.sleep(pause_s)
        self.start()

    def remove(self) -> None:
        """Stop it, and leave nothing of it."""
        self.stop()
        self._log.close()
        shutil.rmtree(self.folder)

    def _run(self, *words: str) -> None:
        if self._begin(*words).wait(_PATIENCE_S):
            raise RuntimeError((self.folder / "log").read_text())

    def _begin(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        found = shutil.which(program, path=_PATH)
        if found is None:
            raise RuntimeError(f"{program} is missing: scripts/setup.sh says how to have it")
        own = ["--no-defaults", f"--datadir={self.folder}/data", f"--user={getpass.getuser()}"]
        return subprocess.Popen([found, *own, *words], stdout=self._log, stderr=self._log)
