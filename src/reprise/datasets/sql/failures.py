"""What the user reads when a database cannot be used; `url` is always one without a password."""

import os

from reprise.errors import UserError


def refused(url: str, said: str, variable: str) -> UserError:
    """The database does not let us in, or does not do what it is asked.

    Args:
        url: Which one.
        said: What its driver says.
        variable: Environment variable with the password.
    """
    is_set = "is set" if os.environ.get(variable) else "is not set"
    return UserError(
        f"the database {url} refuses",
        "a database that answers, and lets this user read",
        said,
        f"correct dataset.url, or the password: export {variable}=… (it {is_set})",
    )


def lost(url: str, said: str, retry_s: float) -> UserError:
    """The connection was lost, and did not come back in time."""
    return UserError(
        f"the connection to {url} is lost",
        f"a database that answers again within dataset.retry_s={retry_s:g}",
        said,
        "see whether it runs and can be reached; or wait longer: dataset.retry_s=…",
    )


def no_driver(url: str, error: ImportError) -> UserError:
    """The Python module that speaks to such a database is missing."""
    remedies = {
        "MySQLdb": "make setup    installs it (mysqlclient), or says what it needs",
        "psycopg": ".venv/bin/pip install 'psycopg[binary]'",
    }
    return UserError(
        f"the driver for {url} is not installed",
        f"a Python module {error.name}",
        "no such module",
        remedies.get(str(error.name), f".venv/bin/pip install {error.name}"),
    )


def no_dialect(url: str) -> UserError:
    """The URL begins with a word that SQLAlchemy does not know."""
    return UserError(
        f"no kind of database is called '{url.partition(':')[0]}'",
        "sqlite, mysql+mysqldb, postgresql+psycopg, or another that SQLAlchemy knows",
        url,
        "correct dataset.url",
    )
