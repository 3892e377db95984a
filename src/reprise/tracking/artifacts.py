"""Delivery of a run's files to the artifact store of MLflow, which may be another server."""

import shutil
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow import MlflowClient
from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.rest_utils import augmented_raise_for_status, http_request
from requests import RequestException

from reprise.files import locked
from reprise.tracking.journal import (
    DELIVERED_FILES,
    Delivered,
    delivered,
    read,
    write_delivered,
)
from reprise.tracking.mlflow_store import Outcome, connect
from reprise.tracking.trouble import Trouble, explain

SLOW_S = 5.0  # a store that takes longer to fail is not asked again for the next file


def deliver_files(
    folder: Path, uri: str, shown: str, *, compare: bool = False, leave: Collection[str] = ()
) -> Outcome:
    """Bring a run's files to where MLflow keeps them; each file by itself.

    Args:
        folder: The run's folder.
        uri: The store's absolute address.
        shown: The same with its passwords masked.
        compare: Ask the store which files it has, and of which size, instead of what was recorded
            since the last delivery.
        leave: Files that are not tried again unless they were recorded again.

    Returns:
        What went there, and why the others did not. Nothing of a run that is not in the store yet.

    Raises:
        Trouble: the tracking store does not say where the run's files belong, or their store does
            not answer for a while.
    """
    outcome = Outcome()
    run = delivered(folder)
    if run is None or run.uri != shown:
        return outcome
    with locked(folder / "files.lock"):
        note = delivered(folder, DELIVERED_FILES)
        if note is None or (note.uri, note.mlflow_id) != (shown, run.mlflow_id):
            note = Delivered(shown, run.mlflow_id, 0)
        recorded = list(read(folder, 0 if compare else note.offset))
        files = [(entry["path"], at) for entry, at in recorded if entry["kind"] == "artifact"]
        new = [name for name, at in files if at > note.offset]
        left = {name for name in note.waiting if name in leave and name not in new}
        waiting = list(dict.fromkeys([*note.waiting, *new]))
        names = [name for name in dict.fromkeys([*waiting, *(name for name, _ in files)])
                 if name not in left]  # fmt: skip
        note = replace(note, offset=recorded[-1][1] if recorded else note.offset, waiting=waiting)
        write_delivered(folder, note, DELIVERED_FILES)
        try:
            store = _Files(folder, connect(uri), run.mlflow_id) if names else None
        except Exception as error:  # of whatever library stands before the store
            raise explain(error, shown) from error
        for name in names:
            assert store is not None
            began, is_due = time.monotonic(), name in waiting
            try:
                if not is_due and store.has(name):
                    continue
                if store.send(name):
                    outcome.count("files")
                waiting = [other for other in waiting if other != name]
            except Exception as error:
                outcome.missing[name] = explain(error, store.where)
                waiting += [] if is_due else [name]
                if time.monotonic() - began > SLOW_S:
                    raise outcome.missing[name] from error
            finally:
                if waiting != note.waiting:
                    note = replace(note, waiting=waiting)
                    write_delivered(folder, note, DELIVERED_FILES)
    return outcome


class _Files:
    """The files of a run in its artifact store, whose address is `where`."""

    def __init__(self, folder: Path, client: MlflowClient, mlflow_id: str) -> None:
        self._folder, self._client, self._id = folder, client, mlflow_id
        self._sizes: dict[str, dict[str, int | None]] = {}  # of the files in a folder there
        self.where = client.get_run(mlflow_id).info.artifact_uri
        self._store = get_artifact_repository(self.where, client.tracking_uri)
        # A server's own folder, which other machines take for one of theirs.
        self._is_servers = client.tracking_uri.startswith("http") and (
            urlsplit(self.where).scheme in ("", "file")
        )

    def has(self, name: str) -> bool:
        """Whether the store has a file, or all files of a folder, in the size they have here."""
        local = self._folder / name
        files = [path for path in local.rglob("*") if path.is_file()] if local.is_dir() else [local]
        for path in files:
            where = path.relative_to(self._folder)
            if path.exists() and self._listed(where.parent).get(path.name) != path.stat().st_size:
                return False
        return True

    def _listed(self, where: Path) -> dict[str, int | None]:
        name = where.as_posix()
        if name not in self._sizes:
            path = None if name == "." else name
            listing = self._list_by_server if self._is_servers else self._store.list_artifacts
            self._sizes[name] = {Path(one.path).name: one.file_size for one in listing(path)}
        return self._sizes[name]

    def _list_by_server(self, path: str | None) -> list[Any]:
        """What the server itself finds in a folder; a client would look on its own machine."""
        credentials = self._client._tracking_client.store.get_host_creds()
        asked = {"run_id": self._id, "path": path}
        answer = http_request(credentials, "/api/2.0/mlflow/artifacts/list", "GET", params=asked)
        augmented_raise_for_status(answer)
        return [FileInfo.from_dictionary(one) for one in answer.json().get("files", [])]

    def send(self, name: str) -> bool:
        """Send a file or a folder; False where it was deleted by hand.

        Raises:
            Exception: of whatever library stands before the store.
        """
        path = self._folder / name
        try:
            if path.is_dir():
                if not self._link_folder(path, name):
                    self._store.log_artifacts(str(path), name)
            elif path.exists():
                where = Path(name).parent.as_posix()
                self._store.log_artifact(str(path), None if where == "." else where)
            else:
                return False
        except OSError as error:
            if self._is_servers and not isinstance(error, RequestException):
                raise self._of_server() from error
            raise
        if self._is_servers:
            self._sizes.clear()
            if not self.has(name):
                raise self._of_server()
        return True

    def _of_server(self) -> Trouble:
        return Trouble(
            f"{self.where} is a folder of the server, which does not see what this machine writes "
            "there",
            "start the server with --artifacts-destination in place of --default-artifact-root, "
            "and let new runs have a new experiment: tracking.experiment=NAME",
            lasts=True,
        )

    def _link_folder(self, path: Path, name: str) -> bool:
        """Hard-link a folder's files into a local artifact store; they take no room twice.

        Only of folders, which hold models: their files are replaced, and never changed in place.

        Returns:
            Whether the store is local and on the same file system.
        """
        if not self.where.startswith("file:"):
            return False
        store = Path(url2pathname(urlsplit(self.where).path))

        def link(source: str, target: str) -> None:
            Path(target).unlink(missing_ok=True)
            Path(target).hardlink_to(source)

        try:
            shutil.copytree(path, store / name, copy_function=link, dirs_exist_ok=True)
        except OSError:  # shutil.Error is one: another file system, or one without links
            return False
        return True
