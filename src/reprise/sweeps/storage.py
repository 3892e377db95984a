"""The database that a search's study is kept in."""

from collections.abc import Callable
from typing import TypeVar

import optuna
from sqlalchemy.exc import SQLAlchemyError

from reprise.errors import UserError
from reprise.sweeps.settings import STORAGE

WAIT_S = 60  # for another process to let go of an SQLite file

Opened = TypeVar("Opened")


def open_study(url: str, then: Callable[[optuna.storages.RDBStorage], Opened]) -> Opened:
    """Open the database at `url` and what `then` makes of it.

    Raises:
        UserError: it cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    arguments = {"connect_args": {"timeout": WAIT_S}} if url.startswith("sqlite") else {}
    try:
        return then(optuna.storages.RDBStorage(url, engine_kwargs=arguments))
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        raise UserError(
            f"the study's database cannot be used: {str(error).splitlines()[0]}",
            expected="the address of a database, as SQLAlchemy writes it",
            received=url,
            remedy=f"mend sweep.search.storage or {STORAGE}, or leave both out for a local file",
        ) from None
