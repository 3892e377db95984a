"""A database to read from: its URL, its connections, and its errors, which show no password."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import sqlalchemy as sa

from reprise.errors import UserError

Parameters = Sequence[Any] | Mapping[str, Any]
MASK = "***"  # stands for a password in a recorded config
_CONNECT_TIMEOUT_S = "10"
_WITH_TIMEOUT = {"mysqldb", "pymysql", "psycopg", "psycopg2"}  # drivers that take connect_timeout
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_DRIVERS = {
    "MySQLdb": "make setup    installs it (mysqlclient), or says what it needs",
    "psycopg": ".venv/bin/pip install 'psycopg[binary]'",
}


class Database:
    """Reads from a database, by connections that are pooled and replaced when they are lost.

    Picklable, and without a connection until `rows` is called; a copy has connections of its own.
    Threads may share it, a forked process must not use the one that it has inherited.

    Args:
        url: As SQLAlchemy writes it. A SQLite file is opened to be read only.
        password_variable: Environment variable with the password, for a URL that has none.
        retry_s: How long to try to connect again after a lost connection, in seconds.

    Raises:
        UserError: this is no URL of a database, or the file it names is missing.
    """

    def __init__(self, url: str, password_variable: str, retry_s: float) -> None:
        self._url = readable(parse_url(url))
        self._variable = password_variable
        self._retry_s = retry_s

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "engine"}

    def __str__(self) -> str:
        return shown(self._url)

    @property
    def files(self) -> Sequence[Path]:
        """The SQLite file; none for a server."""
        return [_path(self._url)] if self._url.get_backend_name() == "sqlite" else []

    @cached_property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's engine, which has made no connection yet when it is new."""
        return make_engine(
            with_password(self._url, self._variable),
            poolclass=sa.QueuePool,
            pool_size=0,  # as many as there are threads
            pool_pre_ping=True,
            pool_reset_on_return=None,  # nothing to roll back: each statement is its own
            isolation_level="AUTOCOMMIT",  # a transaction would read an ever older snapshot
        )

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """A connection for questions about tables; no connection stays open afterwards.

        Raises:
            UserError: the database refuses, at once.
        """
        engine = self.engine
        try:
            with engine.connect() as connection:
                yield connection
        except (sa.exc.DBAPIError, TypeError) as error:  # TypeError: a wrong option in the URL
            raise self._refused(error) from error
        finally:
            engine.dispose()

    def rows(self, statement: str, parameters: Parameters) -> Sequence[tuple[Any, ...]]:
        """All rows that a statement gives, as the driver returns them.

        By the driver's cursor: SQLAlchemy's own rows would take longer than a small query.

        Raises:
            UserError: the database refuses, or the connection was lost for longer than `retry_s`.
        """
        engine = self.engine
        deadline, pause = time.monotonic() + self._retry_s, _FIRST_PAUSE_S
        while True:
            try:
                with closing(engine.raw_connection()) as connection:
                    cursor = connection.cursor()
                    cursor.execute(statement, parameters)
                    return cursor.fetchall()
            except (engine.dialect.loaded_dbapi.Error, sa.exc.DBAPIError) as error:
                if not _may_pass(error, engine.dialect):
                    raise self._refused(error) from error
                if time.monotonic() + pause > deadline:
                    raise UserError(
                        f"the connection to {self} is lost",
                        f"a database that answers again within dataset.retry_s={self._retry_s:g}",
                        self._message(error),
                        "see whether it runs and can be reached; or wait longer: dataset.retry_s=…",
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _refused(self, error: Exception) -> UserError:
        is_set = "is set" if os.environ.get(self._variable) else "is not set"
        return UserError(
            f"the database {self} refuses",
            "a database that answers, and lets this user read",
            self._message(error),
            f"correct dataset.url, or the password: export {self._variable}=… (it {is_set})",
        )

    def _message(self, error: Exception) -> str:
        """The driver's message on one line, without the password."""
        said = " ".join(" ".join(map(str, _cause(error).args)).split())
        password = self.engine.url.password
        return said.replace(str(password), MASK) if password else said


def parse_url(text: str) -> sa.URL:
    """Read a URL; a wrong one is not shown, as it may hold a password.

    Raises:
        UserError: it is none, or has its password among the options.
    """
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise UserError(
            "dataset.url is not the URL of a database",
            "sqlite:///FILE, or mysql+mysqldb://USER@HOST/DATABASE",
            "something else",
            "correct it",
        ) from error
    if secret := {"password", "passwd"} & set(url.query):
        raise UserError(
            f"dataset.url has a password as an option: {shown(url)}",
            "options that may be recorded",
            f"?{secret.pop()}=…",
            "leave it out, and export it as dataset.password_variable says",
        )
    return url


def readable(url: sa.URL) -> sa.URL:
    """The URL to read by: a SQLite file is opened read-only, nothing is made, text is UTF-8.

    Raises:
        UserError: the SQLite file does not exist, or has changes in a `-wal` beside it.
    """
    if url.get_backend_name() != "sqlite":
        options = {"charset": "utf8mb4"} if url.get_backend_name() in {"mysql", "mariadb"} else {}
        if url.drivername.partition("+")[2] in _WITH_TIMEOUT:
            options["connect_timeout"] = _CONNECT_TIMEOUT_S
        return url.set(query={**options, **url.query})
    path = _path(url)
    if not path.is_file():
        raise UserError(
            f"there is no SQLite file {path}",
            "sqlite:///FILE (sqlite:////FILE from the root folder) of a file that exists",
            shown(url),
            "correct dataset.url; scripts/load_csv.py makes such a file",
        )
    options = {"mode": "ro", "uri": "true"}
    if _is_write_ahead(path):
        options["immutable"] = "1"  # else SQLite makes a -shm and a -wal beside the file
    return url.set(database=f"file:{quote(str(path))}", query={**url.query, **options})


def with_password(url: sa.URL, variable: str) -> sa.URL:
    """The URL with the password of an environment variable, where it has none itself.

    Raises:
        UserError: its password was masked when it was recorded, and the variable is not set.
    """
    if url.password not in (None, "", MASK) or url.get_backend_name() == "sqlite":
        return url
    if (password := os.environ.get(variable)) is not None:
        return url.set(password=password)
    if url.password == MASK:
        raise UserError(
            f"the password for {shown(url)} is not recorded",
            f"it in the environment, as dataset.password_variable={variable} names it",
            f"{variable} is not set",
            f"export {variable}=… and type the command again",
        )
    return url


def make_engine(url: sa.URL, **options: Any) -> sa.Engine:
    """`sqlalchemy.create_engine`.

    Raises:
        UserError: there is no such kind of database, or its driver is not installed.
    """
    try:
        return sa.create_engine(url, **options)
    except ImportError as error:
        raise UserError(
            f"the driver for {shown(url)} is not installed",
            f"a Python module {error.name}",
            "no such module",
            _DRIVERS.get(str(error.name), f".venv/bin/pip install {error.name}"),
        ) from error
    except sa.exc.NoSuchModuleError as error:
        raise UserError(
            f"no kind of database is called '{url.drivername}'",
            "sqlite, mysql+mysqldb, postgresql+psycopg, or another that SQLAlchemy knows",
            shown(url),
            "correct dataset.url",
        ) from error


def shown(url: sa.URL) -> str:
    """The URL for messages: no password, and of the options only a socket's path."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{_path(url)}"
    socket = {key: value for key, value in url.query.items() if key == "unix_socket"}
    plain = sa.URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, socket
    )
    return plain.render_as_string().replace("%2F", "/")


def _is_write_ahead(path: Path) -> bool:
    """Whether a SQLite file keeps its changes in a file `-wal`, which is empty.

    Raises:
        UserError: the `-wal` holds changes. To read them means to write beside the file, and what
            identifies the data would not see them.
    """
    with path.open("rb") as file:
        is_write_ahead = file.read(20)[18:] == b"\2\2"
    wal = path.with_name(f"{path.name}-wal")
    if is_write_ahead and wal.exists() and wal.stat().st_size:
        raise UserError(
            f"the SQLite file {path} is not complete",
            "one file with all of its rows",
            f"{wal.name} of {wal.stat().st_size:,} bytes with changes that are not in it yet",
            "end the program that writes to it, and then: "
            f"sqlite3 {path} 'PRAGMA wal_checkpoint(TRUNCATE)'; or train on a copy made by: "
            f"sqlite3 {path} '.backup COPY'",
        )
    return is_write_ahead


def _path(url: sa.URL) -> Path:
    name = url.database or ""
    return Path(unquote(name[5:]) if name.startswith("file:") else name)


def _cause(error: Exception) -> BaseException:
    """The driver's error, which SQLAlchemy wraps in some places."""
    return (error.orig or error) if isinstance(error, sa.exc.DBAPIError) else error


def _may_pass(error: Exception, dialect: sa.Dialect) -> bool:
    """Whether to try again: an OperationalError is not the program's fault (PEP 249)."""
    cause = _cause(error)
    is_operational = isinstance(cause, dialect.loaded_dbapi.OperationalError)
    return is_operational or dialect.is_disconnect(cause, None, None)  # type: ignore[arg-type]
