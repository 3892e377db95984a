"""What keeps records from the tracking store, in one line, and what mends it."""

import html
import re
import sys
from http import HTTPStatus
from pathlib import Path

from reprise.project import relative, typed

# A library that a store needs, by the module whose import fails.
PACKAGES = {
    "boto": "boto3",
    "google": "google-cloud-storage",
    "azure.identity": "azure-identity",
    "azure.storage.filedatalake": "azure-storage-file-datalake",
    "azure": "azure-storage-blob azure-identity",
    "MySQLdb": "mysqlclient",
    "psycopg2": "psycopg2-binary",
    "psycopg": "'psycopg[binary]'",
    "paramiko": "pysftp",
}
LENGTH = 200  # of what a store says, at most


class Trouble(Exception):
    """Records do not come to the tracking store.

    Args:
        reason: What is wrong, in one line.
        remedy: What to do, in one line.
        lasts: Whether a new attempt by the same process is in vain.
        of_store: Whether it concerns all runs of the store, not this one.
    """

    def __init__(
        self, reason: str, remedy: str, *, lasts: bool = False, of_store: bool = True
    ) -> None:
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy
        self.lasts, self.of_store = lasts, of_store

    def __str__(self) -> str:
        return f"{self.reason}; to do: {self.remedy}"


def http_status(error: Exception) -> int | None:
    """The status that a server answered with; None where there was no answer."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):  # boto's
        return answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if answer is not None:
        return answer.status_code
    text = str(error)
    if found := re.search(r"error code (\d{3})\b|too many (\d{3}) error", text):
        return int(found[1] or found[2])
    if "failed with exception" in text or not hasattr(error, "get_http_status_code"):
        return None
    if re.search(r"\b(unauthori[sz]ed|authentication required)\b", text, re.IGNORECASE):
        return 401
    return error.get_http_status_code()


def explain(error: Exception, store: str) -> Trouble:
    """Say what an exception of any library means for the records of a run.

    Args:
        error: What was raised.
        store: Address of the tracking store, or of what holds its files.
    """
    if isinstance(error, Trouble):
        return error
    again, text, status = f"then: {typed('sync')}", plain(str(error)), http_status(error)
    if found := re.search(r"No module named '([\w.]+)'|from '([\w.]+)' \(", text):
        module = found[1] or found[2]
        package = next((PACKAGES[start] for start in PACKAGES if module.startswith(start)), module)
        what = f"{store} needs a library that is not installed ({module})"
        return Trouble(what, f"{_program('pip')} install {package}, {again}", lasts=True)
    if "database schema" in text or "Can't locate revision" in text:
        return _other_version(text, store)
    if status in (401, 403) and "ost header" in text:
        return Trouble(
            f"{store} refuses the name it is called by ({text})",
            f"start the server with --allowed-hosts=HOST, {again}",
        )
    if status in (401, 403):
        return Trouble(
            f"{store} refuses this user (HTTP {status})",
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, "
            f"to one that may write there, {again}",
            lasts=True,
        )
    if status == 413:
        what = "larger than the server takes (HTTP 413)"
        return Trouble(
            what, f"raise its limit (of nginx: client_max_body_size), {again}", lasts=True
        )
    is_gone = getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"
    if "valid JSON" in text or (status in (404, 405) and not is_gone):
        return Trouble(
            f"what answers at {store} is no MLflow server (HTTP {status or 200})",
            f"give the server's own address as tracking.uri or MLFLOW_TRACKING_URI, {again}",
        )
    if "filesystem tracking backend" in text or "unsupported URI" in text:
        other = "uri=sqlite:///mlflow.db"
        return Trouble(
            f"MLflow keeps no runs at {store}",
            f"give another address: tracking.{other}, for runs that are there: "
            f"{typed('sync')} {_words(other)}",
            lasts=True,
        )
    if "file is not a database" in text or "malformed" in text:
        what = f"{store} is no database, or a damaged one"
        return Trouble(what, f"move the file away, {again}, which delivers all runs to a new one")
    if "readonly" in text or "unable to open" in text:
        return Trouble(f"{store} cannot be written ({text})", f"make it writable, {again}")
    if isinstance(error, OSError) and not _is_of_network(error):  # of the run's folder, or a file's
        return Trouble(f"a file cannot be written ({text})", f"mend that, {again}", of_store=False)
    if status is not None and status < 500 and status not in (408, 429):
        what = f"{store} refuses it (HTTP {status}: {text})"
        return Trouble(what, f"mend that, {again}", lasts=True)
    if status is None:
        what = _of_network(text)
    elif text and "Max retries" not in text:
        what = f"HTTP {status}: {text}"
    else:
        what = f"HTTP {status} {HTTPStatus(status).phrase}"
    return Trouble(f"{store} does not answer ({what})", f"when it answers: {typed('sync')}")


def _program(name: str) -> str:
    """A program of this environment, as one types it."""
    return relative(Path(sys.prefix) / "bin" / name)


def mlflow_command(store: str, words: str) -> str:
    """A command line of MLflow's own for a store."""
    return f"MLFLOW_TRACKING_URI={store} {_program('mlflow')} {words}"


def _words(word: str) -> str:
    return f'args="{word}"' if typed("").startswith("make") else word


def _other_version(text: str, store: str) -> Trouble:
    """The database was made by another release of MLflow: an older one can be brought forward."""
    import mlflow

    found = re.search(r"found version (\w+)|by '(\w+)'", text)
    revision = found and (found[1] or found[2])
    migrations = Path(mlflow.__path__[0], "store/db_migrations")
    if revision == "None" or any(migrations.glob(f"versions/{revision}_*.py")):
        return Trouble(
            f"{store} was made by an older release of MLflow",
            f"copy the database, then: {_program('mlflow')} db upgrade {store}, "
            f"then: {typed('sync')}",
        )
    return Trouble(
        f"{store} was made by a newer release of MLflow than the one installed here",
        f"{_program('pip')} install --upgrade mlflow, or another store: "
        f"{typed('sync')} {_words('uri=sqlite:///other.db')}",
    )


def plain(text: str) -> str:
    """The first words of a message, without the marks of a proxy's page."""
    text = html.unescape(re.sub(r"(?s)<(style|script|head)\b.*?</\1>|<[^>]*>", " ", text))
    text = text.partition("(Background on")[0]
    return re.sub(r"\s+", " ", text).strip()[:LENGTH]


def _of_network(text: str) -> str:
    """The few words of a failed connection that tell something."""
    found = re.search(
        r"connection refused|timed out|timeout|name resolution|unreachable|reset by peer"
        r"|connection aborted|certificate verify failed|can't connect|database is locked",
        text,
        re.IGNORECASE,
    )
    return found[0].lower() if found else text


def _is_of_network(error: OSError) -> bool:
    return isinstance(error, ConnectionError | TimeoutError) or "requests" in type(error).__module__
