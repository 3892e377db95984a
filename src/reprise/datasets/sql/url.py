"""A database's URL: read, given its password, and shown without it."""

import os
from pathlib import Path
from urllib.parse import quote, unquote

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from reprise.datasets.sql.failures import no_dialect, no_driver
from reprise.errors import UserError

MASK = "***"  # what a recorded config has in a password's place
_CONNECT_TIMEOUT_S = "10"
_WITH_TIMEOUT = {"mysqldb", "pymysql", "psycopg", "psycopg2"}  # drivers that take connect_timeout
_EXAMPLES = "sqlite:///FILE, or mysql+mysqldb://USER@HOST/DATABASE"


def parse_url(text: str) -> sa.URL:
    """Read a URL; what of it was typed wrong is not shown, as it may hold a password.

    Raises:
        UserError: it is none, or has its password among the options.
    """
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise UserError(
            "dataset.url is not the URL of a database", _EXAMPLES, "something else", "correct it"
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
    """The URL to read by: a SQLite file is opened read-only and never made, text is UTF-8.

    Raises:
        UserError: the SQLite file does not exist, or is none.
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
    return url.set(database=f"file:{quote(str(path))}", query={**url.query, **options})


def with_password(url: sa.URL, variable: str) -> sa.URL:
    """The URL with the password of an environment variable, where it has none itself.

    Raises:
        UserError: it had one once, which was masked in a record, and the variable is not set.
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


def make_engine(url: sa.URL) -> sa.Engine:
    """SQLAlchemy's way to the database; it keeps no connection.

    Raises:
        UserError: there is no such kind of database, or its driver is not installed.
    """
    try:
        return sa.create_engine(url, poolclass=sa.NullPool)
    except ImportError as error:
        raise no_driver(shown(url), error) from error
    except sa.exc.NoSuchModuleError as error:
        raise no_dialect(shown(url)) from error


def shown(url: sa.URL) -> str:
    """The URL as people may read it: no password, and of the options only a socket's path."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{_path(url)}"
    socket = {key: value for key, value in url.query.items() if key == "unix_socket"}
    plain = sa.URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, socket
    )
    return plain.render_as_string().replace("%2F", "/")


def sqlite_files(url: sa.URL) -> list[Path]:
    """The SQLite file that a URL names, if it does."""
    return [_path(url)] if url.get_backend_name() == "sqlite" else []


def _path(url: sa.URL) -> Path:
    name = url.database or ""
    return Path(unquote(name[5:]) if name.startswith("file:") else name)
