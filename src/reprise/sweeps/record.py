"""What the record has of a sweep: a parent run, and how its jobs have ended."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from reprise.config.build import build
from reprise.config.secrets import redact
from reprise.errors import UserError
from reprise.runs.folder import RESULT, TRACEBACK, held
from reprise.runs.job import PRUNED, Job
from reprise.sweeps.ledger import Ledger, State
from reprise.sweeps.plan import Plan
from reprise.sweeps.summary import Row, counts, draw, ranked, table
from reprise.tracking.journal import entries

if TYPE_CHECKING:
    from reprise.tracking.run import Run

LAST_LINES = re.compile(r"error: |[\w.]+(Error|Exception|Exit|Interrupt)\b")


class JobLost(Exception):
    """A job that has not lived to say itself that it failed."""


@contextmanager
def parent(folder: Path, plan: Plan) -> Iterator[Run | None]:
    """The sweep's own run in MLflow, while it lasts; None where another process has it."""
    from reprise.tracking.run import open_run

    settings, name = build(plan.first.values["tracking"]), f"sweep {folder.name}"
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder))
        except UserError:
            yield None
            return
        opened = open_run(folder, folder.parent.name, name, uri=settings.uri, redact=redact)
        run = stack.enter_context(opened)
        run.tags({"sweep.id": folder.name, "sweep.metric": plan.metric, "sweep.key": plan.key})
        run.tags({"command": " ".join(plan.words), "data.digest": plan.digest})
        swept = {axis.key.lstrip("+"): ", ".join(axis.values) for axis in plan.axes}
        run.params({f"sweep.{key}": values for key, values in swept.items()})
        yield run


def rows_of(ledger: Ledger) -> list[Row]:
    """Every job with its standing and its result."""
    rows = []
    for job in ledger.jobs():
        folder = run_of(job, ledger)
        path = folder / RESULT if folder else ledger.folder / RESULT
        result = json.loads(path.read_text()) if path.exists() else {}
        rows.append(Row(job, ledger.standing(job.number), result))
    return rows


def value_of(job: Job, ledger: Ledger, metric: str) -> float:
    """What a job that is done has reached."""
    folder = run_of(job, ledger)
    assert folder is not None
    return float(json.loads((folder / RESULT).read_text())[metric])


def run_of(job: Job, ledger: Ledger) -> Path | None:
    """The folder of a job's run, once there is one."""
    return next(ledger.folder.parents[1].glob(f"*/{job.run}"), None)


def sum_up(run: Run, ledger: Ledger, plan: Plan) -> None:
    """Write the table, the best job and the picture of all with the parent run."""
    rows = ranked(rows_of(ledger), plan.metric, plan.mode)
    text = table(rows, plan.axes, plan.metric)
    run.text("summary.md", text + "\n")
    run.tags({"mlflow.note.content": f"{counts(rows)}\n\n{text}", "sweep.state": counts(rows)})
    done = [row for row in rows if plan.metric in row.result]
    if not done:
        return
    best = rows[0]
    run.tags({"sweep.best_run": best.job.run, "sweep.best": " ".join(best.job.overrides)})
    named = {f"best/{k}" if k.startswith("valid/") else k: v for k, v in best.result.items()}
    run.metrics(named, step=len(done))
    picture = run.folder / "pictures" / "parallel_coordinates.png"
    picture.parent.mkdir(exist_ok=True)
    draw(rows, plan.axes, plan.metric, picture)
    run.artifact(picture)


def judge(job: Job, code: int | None, late: str, ledger: Ledger, plan: Plan) -> tuple[State, str]:
    """How an attempt has ended, and what to say of it; a run that was killed is then FAILED."""
    folder = run_of(job, ledger)
    state, why = _outcome(folder, code, late, ledger.file(job.number, "log"))
    if state == "done" and folder:
        if [*entries(folder, "status")][-1]["status"] != "FINISHED":
            with _record_of(folder, plan):
                pass  # killed with its result written: what is left is to say that it has ended
        result = json.loads((folder / RESULT).read_text())
        if plan.metric in result:
            return "done", f"{plan.metric} {result[plan.metric]:.4f}"
        return "failed", f"its result has no {plan.metric}"
    if state == "failed" and folder and not (folder / TRACEBACK).exists():
        with suppress(JobLost), _record_of(folder, plan):
            raise JobLost(why)
    return state, why


def _outcome(folder: Path | None, code: int | None, late: str, log: Path) -> tuple[State, str]:
    has = {n for n in (RESULT, PRUNED, TRACEBACK) if folder is not None and (folder / n).exists()}
    if RESULT in has and not code:
        return "done", ""
    if PRUNED in has and not code:
        return "pruned", ""
    if late:
        return "failed", late
    if TRACEBACK in has and folder:
        return "failed", _last(folder / TRACEBACK)
    if code is None or code in (75, 130):
        return "stopped", ""
    if code < 0:
        hint = ", as the kernel does when memory runs out" if code == -signal.SIGKILL else ""
        return "failed", f"killed by {signal.Signals(-code).name}{hint}"
    return "failed", _last(log) or f"exit code {code}"


def _last(path: Path) -> str:
    """What a log or a traceback ends in: its error, else its last line."""
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if LAST_LINES.match(line)]
    return (errors or lines or [""])[-1].removeprefix("error: ")[:200]


@contextmanager
def _record_of(folder: Path, plan: Plan) -> Iterator[None]:
    """The record of a run whose process has not lived to close it."""
    from reprise.tracking.run import open_run

    uri = build(plan.first.values["tracking"]).uri
    with (
        held(folder),
        open_run(folder, folder.parent.name, folder.name, uri=uri, redact=redact),
    ):
        yield
