"""One database connection for each process and thread: opened at first use, mended when lost."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from reprise.datasets.sql.failures import lost, refused
from reprise.datasets.sql.handle import Handle
from reprise.datasets.sql.url import (
    make_engine,
    parse_url,
    readable,
    shown,
    sqlite_files,
    with_password,
)
from reprise.errors import UserError

Parameters = Sequence[Any] | Mapping[str, Any]
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


class _Own(threading.local):
    """What one thread has."""

    dialect: Dialect | None = None
    handle: Handle | None = None


class Database:
    """The way to a database: picklable, without any handle until it is used.

    Args:
        url: As SQLAlchemy writes it. A SQLite file is opened to be read only.
        password_variable: Environment variable with the password, for a URL that has none.
        retry_s: How long a lost connection is sought again, in seconds, before that is an error.

    Raises:
        UserError: this is no URL of a database, or the file it names is missing.
    """

    def __init__(self, url: str, password_variable: str, retry_s: float) -> None:
        self._url = readable(parse_url(url))
        self._variable = password_variable
        self._retry_s = retry_s
        self._own = _Own()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_own": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _own=_Own())

    def __str__(self) -> str:
        return shown(self._url)

    @property
    def files(self) -> Sequence[Path]:
        """The file that the rows are in; none where a server has them."""
        return sqlite_files(self._url)

    @property
    def dialect(self) -> Dialect:
        """How this database writes statements."""
        if self._own.dialect is None:
            self._own.dialect = self._engine().dialect
        return self._own.dialect

    @contextmanager
    def visit(self) -> Iterator[sa.Connection]:
        """A connection for a first look: closed at the end, and what fails is an error at once."""
        engine = self._engine()
        try:
            with engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise self._failed(error.orig or error) from error
        except TypeError as error:  # the driver's connect() takes no such argument
            raise self._failed(error) from error

    def rows(self, statement: str, parameters: Parameters) -> Sequence[tuple[Any, ...]]:
        """All rows that a statement gives, as the driver has them.

        Raises:
            UserError: the database refuses, or the connection was lost and stays so.
        """
        own, dialect = self._own, self.dialect
        deadline, pause = time.monotonic() + self._retry_s, _FIRST_PAUSE_S
        while True:
            try:
                if own.handle is None or not own.handle.is_ours:
                    own.handle = self._connect(dialect)
                cursor = own.handle.connection.cursor()
                cursor.execute(statement, parameters)
                return cursor.fetchall()
            except dialect.loaded_dbapi.Error as error:
                lost_it = _may_pass(error, dialect)
                own.handle = None
                if not lost_it:
                    raise self._failed(error) from error
                if time.monotonic() + pause > deadline:
                    raise lost(str(self), self._words(error), self._retry_s) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _engine(self) -> sa.Engine:
        return make_engine(self._with_password())

    def _with_password(self) -> sa.URL:
        return with_password(self._url, self._variable)

    def _connect(self, dialect: Dialect) -> Handle:
        """Connect by the driver alone: SQLAlchemy's pool would cost more than a small query."""
        arguments, options = dialect.create_connect_args(self._with_password())
        connection = dialect.connect(*arguments, **options)
        dialect.set_isolation_level(connection, "AUTOCOMMIT")  # or a snapshot would grow old
        return Handle(connection)

    def _words(self, error: BaseException) -> str:
        """What the driver says, on one line, without the password."""
        said = " ".join(" ".join(map(str, error.args)).split())
        password = self._with_password().password
        return said.replace(str(password), "***") if password else said

    def _failed(self, error: BaseException) -> UserError:
        return refused(str(self), self._words(error), self._variable)


def _may_pass(error: Exception, dialect: Dialect) -> bool:
    """Whether to try again: OperationalError is what no program is to blame for (PEP 249)."""
    is_operational = isinstance(error, dialect.loaded_dbapi.OperationalError)
    return is_operational or dialect.is_disconnect(error, None, None)  # type: ignore[arg-type]
