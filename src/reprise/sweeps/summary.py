"""Outcome of a sweep: how attempts have ended, the table of jobs, the parent run."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from reprise.config.build import build
from reprise.config.secrets import redact
from reprise.errors import UserError
from reprise.runs.folder import PRUNED, RESULT, TRACEBACK, held, place_of
from reprise.runs.job import Job
from reprise.runs.score import markdown_table
from reprise.sweeps.code import other_jobs
from reprise.sweeps.ledger import Ledger, Standing, State
from reprise.sweeps.plan import Plan
from reprise.sweeps.space import Axis
from reprise.tracking.journal import entries

if TYPE_CHECKING:
    from reprise.tracking.run import Run

ERROR_LINE = re.compile(r"error: |[\w.]+(Error|Exception|Exit|Interrupt)\b")


class JobLost(Exception):
    """A job's process has ended without recording that it failed."""


@dataclass(frozen=True)
class Row:
    """A job, its standing, its result (empty if it has none), and the job it repeats.

    `code` says what of its code and packages is not as in the first job; '' where nothing.
    """

    job: Job
    standing: Standing
    result: Mapping[str, float]
    same_as: Job | None = None
    code: str = ""


def rows_of(ledger: Ledger, plan: Plan) -> list[Row]:
    """Return the jobs that have a result, the best first, then the others by number."""
    code = other_jobs(ledger)
    rows = [
        Row(
            job,
            ledger.standing(job.number),
            ledger.result(job),
            ledger.same_as(job),
            code.get(job.number, ""),
        )
        for job in ledger.jobs()
    ]
    return ranked(rows, plan.metric, plan.mode)


def ranked(rows: list[Row], metric: str, mode: str) -> list[Row]:
    """Sort jobs that have a result by it, the best first; the others follow in their order."""
    done = [row for row in rows if row.standing.state == "done" and _is_number(row, metric)]
    done.sort(key=lambda row: row.result[metric], reverse=mode == "max")
    return done + [row for row in rows if row not in done]


def _is_number(row: Row, metric: str) -> bool:
    return not math.isnan(row.result.get(metric, math.nan))


def table(rows: list[Row], axes: list[Axis], metric: str) -> str:
    """Return the jobs as an aligned Markdown table; below it why jobs failed, and other code."""
    test = f"test/{metric.partition('/')[2]}"
    metrics = [name for name in (metric, test) if any(name in row.result for row in rows)]
    lines = [["job", *(axis.name for axis in axes), "state", *metrics, "seconds", "run"]]
    for row in rows:
        values = [f"{row.result[n]:.4f}" if n in row.result else "" for n in metrics]
        settings = [row.job.values[axis.name] for axis in axes]
        seconds = f"{row.standing.seconds:.0f}"
        repeats = f", as job {row.same_as.number}" if row.same_as else ""
        other = ", other code" if row.code else ""
        state, run = row.standing.state + repeats + other, (row.same_as or row.job).run
        lines.append([str(row.job.number), *settings, state, *values, seconds, run])
    failed = [row for row in rows if row.standing.state == "failed"]
    why = [f"\njob {row.job.number} failed: {row.standing.why}" for row in failed]
    others: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row.job.number):
        if row.code:
            others.setdefault(row.code, []).append(str(row.job.number))
    why += [
        f"\nother code, or packages, than in the first job: job {', '.join(jobs)}\n\n"
        + indent(code, "    ")
        for code, jobs in others.items()
    ]
    return "\n".join([markdown_table(lines), *why])


def counts(rows: list[Row]) -> str:
    """Return the number of jobs in each state: `9 done, 3 failed`."""
    states = [row.standing.state for row in rows]
    shown = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    return shown or "no jobs"


@contextmanager
def recorded(ledger: Ledger, plan: Plan) -> Iterator[bool]:
    """Record a sweep as the parent run of its jobs; its summary is recorded at the end.

    Yields:
        Whether this process records the sweep; False if another one does.
    """
    folder = ledger.folder
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder))
        except UserError:
            yield False
            return
        run = stack.enter_context(_open_run(folder, plan, f"sweep {folder.name}"))
        run.tags({"sweep.id": folder.name, "sweep.metric": plan.metric, "sweep.key": plan.key})
        run.tags({"command": " ".join(plan.words), "data.digest": plan.digest})
        run.params({f"sweep.{axis.name}": ", ".join(axis.values) for axis in plan.axes})
        try:
            yield True
        finally:
            _record_summary(run, rows_of(ledger, plan), plan)


def _open_run(folder: Path, plan: Plan, name: str) -> AbstractContextManager[Run]:
    from reprise.tracking.run import open_run

    uri = build(plan.first.values["tracking"]).uri
    return open_run(folder, place_of(plan.first)[1], name, uri=uri, redact=redact)


def _record_summary(run: Run, rows: list[Row], plan: Plan) -> None:
    """Record the table, the best job and the picture with the parent run."""
    text = table(rows, plan.axes, plan.metric)
    run.text("summary.md", text + "\n")
    run.tags({"mlflow.note.content": f"{counts(rows)}\n\n{text}", "sweep.state": counts(rows)})
    done = [row for row in rows if row.standing.state == "done" and _is_number(row, plan.metric)]
    if not done:
        return
    best = rows[0]
    run.tags({"sweep.best_run": best.job.run, "sweep.best": " ".join(best.job.overrides)})
    named = {f"best/{k}" if k.startswith("valid/") else k: v for k, v in best.result.items()}
    run.metrics(named, step=len(done))
    picture = run.folder / "pictures" / "parallel_coordinates.png"
    picture.parent.mkdir(exist_ok=True)
    draw(done, plan.axes, plan.metric, picture)
    run.artifact(picture)


def draw(rows: list[Row], axes: list[Axis], metric: str, path: Path) -> None:
    """Draw jobs that have a result in parallel coordinates, a line each, coloured by the metric."""
    import numpy as np
    import pandas as pd
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    values = pd.DataFrame([row.job.values for row in rows])[[axis.name for axis in axes]]
    for name in values:
        with suppress(ValueError):  # they are no numbers
            values[name] = pd.to_numeric(values[name])
    values[metric] = [row.result[metric] for row in rows]
    places = values.copy()
    for axis in axes:
        if not axis.is_interval:
            places[axis.name] = values[axis.name].rank(method="dense")
        elif axis.is_log:
            places[axis.name] = np.log(values[axis.name])
    heights = (places - places.min()) / (places.max() - places.min()).replace(0, 1)
    figure = Figure(figsize=(2.2 * len(heights.columns) + 1, 4), layout="constrained")
    plot = figure.subplots()
    for line in heights.to_numpy():
        plot.plot(line, color=colormaps["viridis"](line[-1]), alpha=0.8)
    choices = {axis.name for axis in axes if not axis.is_interval}
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
    for at, name in enumerate(heights):
        plot.axvline(at, color="0.7", linewidth=0.8)
        for height, value in dict(zip(heights[name], values[name], strict=True)).items():
            if name in choices or height in (0, 1):
                text = str(value) if name in choices else f"{value:.4g}"
                plot.text(at + 0.03, height, text, fontsize=8, va="center", bbox=behind)
    names = [axis.name.replace(".", ".\n") for axis in axes]
    plot.set_xticks(range(len(heights.columns)), [*names, metric])
    plot.set_xlim(-0.1, len(heights.columns) - 0.6)
    plot.set_yticks([])
    plot.spines[:].set_visible(False)
    figure.savefig(path, dpi=100)


def judge(ledger: Ledger, plan: Plan, job: Job, code: int | None, late: str) -> tuple[State, str]:
    """Judge how an attempt at a job has ended, from what it has left behind.

    A run whose process was killed is closed here, as finished or as failed.

    Args:
        ledger: The jobs.
        plan: The sweep.
        job: The job.
        code: Exit code; None if it is not known.
        late: What to say of an attempt that took too long; else empty.

    Returns:
        The state, and a note: the metric that was reached, or why the job failed.
    """
    folder = ledger.run_folder(job)
    state, why = _outcome(folder, code, late, ledger.file(job.number, "log"))
    if state == "done" and folder:
        if [*entries(folder, "status")][-1]["status"] != "FINISHED":  # killed after its result
            with held(folder), _open_run(folder, plan, folder.name):
                pass
        result = ledger.result(job)
        if plan.metric not in result:
            return "failed", f"its result has no {plan.metric}"
        if math.isnan(result[plan.metric]):
            return "failed", f"its {plan.metric} is not a number"
        return "done", f"{plan.metric} {result[plan.metric]:.4f}"
    if state == "failed" and folder and not (folder / TRACEBACK).exists():
        with suppress(JobLost), held(folder), _open_run(folder, plan, folder.name):
            raise JobLost(why)
    return state, why


def _outcome(folder: Path | None, code: int | None, late: str, log: Path) -> tuple[State, str]:
    left = {n for n in (RESULT, PRUNED, TRACEBACK) if folder is not None and (folder / n).exists()}
    if RESULT in left and not code:
        return "done", ""
    if PRUNED in left and not code:
        return "pruned", ""
    if late:
        return "failed", late
    if TRACEBACK in left and folder:
        return "failed", _last_line(folder / TRACEBACK)
    if code is None or code in (75, 130, -signal.SIGTERM):  # perhaps before it listened
        return "stopped", ""
    if code < 0:
        hint = ", as the kernel does when memory runs out" if code == -signal.SIGKILL else ""
        return "failed", f"killed by {signal.Signals(-code).name}{hint}"
    return "failed", _last_line(log) or f"exit code {code}"


def _last_line(path: Path) -> str:
    """Return the last line of a log or a traceback that names an error, else its last line."""
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if ERROR_LINE.match(line)]
    return (errors or lines or [""])[-1].removeprefix("error: ")[:200]
