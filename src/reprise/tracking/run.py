"""The record of one run, and its background delivery to MLflow, which never holds the run up."""

from __future__ import annotations

import hashlib
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reprise.errors import Stopped
from reprise.files import write_text
from reprise.project import typed
from reprise.tracking.folders import home, run_folders
from reprise.tracking.journal import (
    DELIVERED_FILES,
    VALUES,
    Journal,
    delivered,
    entries,
    metric_history,
    params_of,
    undelivered,
)
from reprise.tracking.settings import tracking_uri
from reprise.tracking.trouble import Trouble, explain

TIMEOUT_S = 30.0  # at the end, for a store that takes nothing meanwhile
TIMEOUT_STOPPED_S = 5.0  # a scheduler kills half a minute after SIGTERM, and the state took some

START_S = 10.0  # until MLflow is imported, if no metrics come before: not before the first step
PAUSE_S = 1.0  # between deliveries: many entries go in one call, and leave the processor alone
RETRY_S = (1.0, 2.0, 5.0, 15.0, 30.0)  # between attempts at a store that does not answer

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

    def system(self, values: Mapping[str, float], step: int) -> None:
        """Record what the machine does, from any thread; no part of the run's history."""
        self._journal.add("metrics", step=step, values=dict(values), flush=False)
        self._delivery.notify()

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


class Delivery:
    """Two threads that deliver a run: one its numbers, params, tags and status, one its files.

    A file that takes long, or that is refused, holds no number up. The second also delivers, once,
    what other runs in the same folder have left.

    Args:
        folder: The run's folder, `runs/<experiment>/<id>`.
        uri: Absolute address of the tracking store.
        shown: The same with its passwords masked.
        say: Called with a line for the user when the store stops or begins to answer.
    """

    def __init__(self, folder: Path, uri: str, shown: str, say: Callable[[str], None]) -> None:
        self._folder, self._uri, self._shown, self._say = folder, uri, shown, say
        self._refused: set[str] = set()  # files, which are not tried again by this process
        self._are_others_done = False
        self._is_cut_off = False
        self._said: set[str] = set()  # lines
        self._reasons: set[str] = set()  # of what was refused
        self._numbers = _Thread("tracking", self._deliver_numbers, START_S)
        self._files = _Thread("tracking files", self._deliver_files, None)

    def notify(self, *, begin: bool = False) -> None:
        """Say that the journal has something new, and that the first delivery may begin."""
        self._numbers.notify(begin=begin)

    def close(self, timeout_s: float) -> None:
        """Deliver what is left, for as long as the store takes any of it within `timeout_s`."""
        for thread in (self._numbers, self._files):
            thread.close(timeout_s, self._notes)

    def _notes(self) -> object:
        return delivered(self._folder), delivered(self._folder, DELIVERED_FILES)

    def _deliver_numbers(self) -> bool:
        from reprise.tracking.mlflow_store import deliver

        try:
            found = deliver(self._folder, self._uri, self._shown, self._say_once)
        except Exception as error:  # also of the run's own folder
            self._is_cut_off = True
            self._say_trouble(explain(error, self._shown))
            return False
        if self._is_cut_off:
            self._say_once(f"the tracking store takes the run again: {self._shown}")
        self._is_cut_off = False
        self._say_refused(found.missing)
        self._files.notify(begin=True)
        return True

    def _deliver_files(self) -> bool:
        from reprise.tracking.artifacts import deliver_files
        from reprise.tracking.mlflow_store import deliver

        where = self._uri, self._shown
        try:
            found = deliver_files(self._folder, *where, leave=self._refused)
        except Exception as error:
            self._say_trouble(explain(error, self._shown))
            return False
        self._say_refused(found.missing)
        self._refused |= {name for name, refusal in found.missing.items() if refusal.lasts}
        if not self._are_others_done:
            for folder in run_folders(home(self._folder)):
                start = next(entries(folder, "start"), None) if undelivered(folder) else None
                if folder != self._folder and start and start["uri"] == self._shown:
                    with suppress(Exception):  # of that run: `sync` says it
                        deliver(folder, *where, self._say_once)
                        deliver_files(folder, *where)
            self._are_others_done = True
        return set(found.missing) <= self._refused

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)

    def _say_trouble(self, trouble: Trouble, what: str = "") -> None:
        """Say what is wrong and what mends it."""
        self._say_once(
            f"{what}{trouble.reason}; the run goes on, and its folder has everything; "
            f"to have it in MLflow, too: {trouble.remedy}"
        )

    def _say_refused(self, missing: Mapping[str, Trouble]) -> None:
        """Say each reason once, of the first thing that is missing for it."""
        names = [name for name in missing if missing[name].reason not in self._reasons]
        self._reasons |= {trouble.reason for trouble in missing.values()}
        if names:
            more = f" and {len(names) - 1} more ({typed('sync')} lists them)" if names[1:] else ""
            self._say_trouble(missing[names[0]], f"{names[0]}{more}: ")


class _Thread:
    """A thread that calls `deliver` when there is news, and again where that returns False.

    Args:
        name: Of the thread.
        deliver: Returns whether all went well.
        start_s: Seconds until the first call, if `notify` does not say that it may begin.
    """

    def __init__(self, name: str, deliver: Callable[[], bool], start_s: float | None) -> None:
        self._deliver, self._start_s = deliver, start_s
        self._begin, self._news, self._closing = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._work, daemon=True, name=name)
        self._thread.start()

    def notify(self, *, begin: bool = False) -> None:
        self._news.set()
        if begin:
            self._begin.set()

    def close(self, timeout_s: float, progress: Callable[[], object]) -> None:
        """Call `deliver` a last time, and wait while `progress` changes within `timeout_s`."""
        self._closing.set()
        self.notify(begin=True)
        while self._thread.is_alive():
            before = progress()
            self._thread.join(timeout_s)
            if progress() == before:
                return

    def _work(self) -> None:
        self._begin.wait(self._start_s)
        failures = 0
        while True:
            self._news.clear()
            is_last = self._closing.is_set()
            failures = 0 if self._deliver() else failures + 1
            if is_last:
                if failures:  # it may have been a connection, which is closed now
                    self._deliver()
                return
            if failures:
                self._closing.wait(RETRY_S[min(failures, len(RETRY_S)) - 1])
            elif not self._closing.wait(PAUSE_S):
                self._news.wait()


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
