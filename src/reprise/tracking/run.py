"""The record of one run."""

import hashlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reprise.errors import Stopped
from reprise.files import write_text
from reprise.project import typed
from reprise.tracking.delivery import Delivery
from reprise.tracking.folders import home
from reprise.tracking.journal import (
    VALUES,
    Journal,
    entries,
    metric_history,
    params_of,
    undelivered,
)
from reprise.tracking.settings import tracking_uri

TIMEOUT_S = 30.0  # at the end, for a store that takes nothing meanwhile
TIMEOUT_STOPPED_S = 5.0  # a scheduler kills half a minute after SIGTERM, and the state took some

# What MLflow takes.
NAME_LENGTH = 250
PARAM_LENGTH = 6000  # longer ones are refused or cut; the whole config is an artifact
DIGEST_LENGTH = 36
_FOREIGN = re.compile(r"[^\w\-./ :]")  # in names


class Run:
    """The record of one run: its journal and files, and later the same in MLflow.

    Args:
        folder: The run's folder; its name is the run's identity.
        journal: Where everything is written first.
        delivery: Brings it to MLflow.
        redact: Takes secrets out of a text; everything written passes through it.

    Attributes:
        history: Every metric that was recorded, `{name: {step: value}}`.
    """

    def __init__(
        self, folder: Path, journal: Journal, delivery: Delivery, redact: Callable[[str], str]
    ) -> None:
        self.folder = folder
        self.redact = redact
        self.history = metric_history(folder)
        self._params = set(params_of(folder))
        self._names: dict[str, dict[str, str]] = {}  # as MLflow takes them, by kind and name
        self._journal, self._delivery = journal, delivery

    @property
    def id(self) -> str:
        """What the user calls the run."""
        return self.folder.name

    def params(self, values: Mapping[str, Any]) -> None:
        """Record settings, each once: what is there already stays."""
        named = self._named("params", values)
        new = {name: value for name, value in named.items() if name not in self._params}
        self._params |= set(new)
        self._add_texts("params", new)

    def tags(self, values: Mapping[str, Any]) -> None:
        """Record facts about the run; a later value replaces an earlier one."""
        self._add_texts("tags", self._named("tags", values))

    def metrics(self, values: Mapping[str, float], step: int, *, flush: bool = True) -> None:
        """Record numbers of one step, each once: what is there for this step already stays."""
        new = {
            name: float(value)
            for name, value in self._named("metrics", values).items()
            if step not in self.history.get(name, {})
        }
        for name, value in new.items():
            self.history.setdefault(name, {})[step] = value
        self._add_values("metrics", new, step=step, flush=flush)

    def child_of(self, parent: str) -> None:
        """Show the run under another one in the UI; `parent` is the name of that one's folder."""
        self._add("parent", run=parent)

    def data(self, name: str, digest: str, source: str) -> None:
        """Record which data the run saw; MLflow keeps 36 characters of the digest."""
        digest, source = digest[:DIGEST_LENGTH], self.redact(source)
        self._add("dataset", name=name, digest=digest, source=source)

    def text(self, name: str, content: str) -> None:
        """Write a text file into the run's folder and record it."""
        path = self.folder / name
        write_text(path, self.redact(content))
        self.artifact(path)

    def artifact(self, path: Path) -> None:
        """Record a file or a folder that stands in the run's folder, under the same name."""
        self._add("artifact", path=path.relative_to(self.folder).as_posix())

    def status(self, status: str) -> None:
        """Record that it is RUNNING, or how it has ended: FINISHED, FAILED or KILLED."""
        self._add("status", status=status)

    def _named(self, kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values by names that MLflow takes, where no two are the same."""
        names = self._names.setdefault(kind, {})
        for name in values:
            if name not in names:
                first = allowed = _allowed(name)
                taken, number = set(names.values()), 2
                while allowed in taken:
                    allowed, number = f"{first}_{number}", number + 1
                names[name] = allowed
        return {names[name]: value for name, value in values.items()}

    def _add_texts(self, kind: str, values: Mapping[str, Any]) -> None:
        texts = {}
        for name, value in values.items():
            text = str(value).encode("utf-8", "backslashreplace").decode()  # a path can be no UTF-8
            texts[name] = self.redact(text)[:PARAM_LENGTH]
        self._add_values(kind, texts)

    def _add_values(self, kind: str, values: Mapping[str, Any], **content: Any) -> None:
        items = list(values.items())
        for start in range(0, len(items), VALUES):
            self._add(kind, **content, values=dict(items[start : start + VALUES]))

    def _add(self, kind: str, **content: Any) -> None:
        self._journal.add(kind, **content)
        self._delivery.notify(begin=kind == "metrics")


def _allowed(name: str) -> str:
    """A name as MLflow takes it, with `_` for what it does not: class names may hold anything."""
    parts = _FOREIGN.sub("_", name).split("/")
    allowed = "/".join("_" if part in ("", ".", "..") else part for part in parts)
    if len(allowed) > NAME_LENGTH:
        digest = hashlib.md5(name.encode(errors="replace")).hexdigest()[:8]
        allowed = f"{allowed[: NAME_LENGTH - 9]}_{digest}"
    return allowed


@contextmanager
def open_run(
    folder: Path, experiment: str, name: str, *, uri: str | None, redact: Callable[[str], str]
) -> Iterator[Run]:
    """Open a run; closed as FINISHED, KILLED where it was stopped, or FAILED with its traceback.

    Args:
        folder: `runs/<experiment>/<id>`, made if it is missing; a journal there is continued.
        experiment: Name of the MLflow experiment, made if it is missing.
        name: Name of the run in the UI.
        uri: Address of the tracking store; None means MLFLOW_TRACKING_URI, or a local database.
        redact: Takes secrets out of a text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    journal, address = Journal(folder, _say_not_written), tracking_uri(uri)
    shown = redact(address)
    if next(entries(folder, "start"), None) is None:
        journal.add("start", experiment=experiment, name=name, uri=shown)
    delivery = Delivery(folder, address, shown, lambda what: _say(redact(what)))
    run, timeout_s = Run(folder, journal, delivery, redact), TIMEOUT_S
    run.status("RUNNING")
    try:
        yield run
        run.status("FINISHED")
    except (KeyboardInterrupt, Stopped) as ended:
        vars(ended).update(run=folder.name, runs=home(folder))  # to say how to resume it
        timeout_s = TIMEOUT_STOPPED_S
        run.status("KILLED")
        raise
    except BaseException:
        with suppress(OSError):  # a full disk is what it may be about
            run.text("traceback.txt", traceback.format_exc())
        run.status("FAILED")
        raise
    finally:
        delivery.close(timeout_s)
        if undelivered(folder):
            _say(f"not all of run {run.id} has come to {shown}; to bring it: {typed('sync')}")


def _say(what: str) -> None:
    print(f"\nnote: {what}", file=sys.stderr, flush=True)


def _say_not_written(error: OSError) -> None:
    _say(f"the run's journal cannot be written; it is in memory, and tried again: {error}")
