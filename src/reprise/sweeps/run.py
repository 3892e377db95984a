"""A sweep under way: begun, gone on with, summed up."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from reprise.config.secrets import redact
from reprise.errors import Stopped, UserError
from reprise.project import relative
from reprise.runs.folder import unused_folder
from reprise.runs.job import Job, write_whole
from reprise.sweeps.checks import require_measured
from reprise.sweeps.driver import Driver, Source
from reprise.sweeps.grid import Grid
from reprise.sweeps.ledger import Ledger
from reprise.sweeps.plan import Plan, differences
from reprise.sweeps.record import judge, parent, rows_of, sum_up, value_of
from reprise.sweeps.settings import STORAGE
from reprise.sweeps.space import every_combination
from reprise.sweeps.summary import counts, ranked, table

SWEEP = "sweep.json"  # in a sweep's folder: which sweep it is
SOME_FAILED = 3  # exit code
SHOWN = 12  # changes listed in one message


def begin(plan: Plan, home: Path) -> Path:
    """Make the sweep's folder with what it is, and of a grid with every job."""
    require_measured(plan.metric, plan.first)
    folder = unused_folder(home)
    if plan.sweep.search is None:
        ledger = Ledger(folder)
        for number, overrides in enumerate(every_combination(plan.axes), 1):
            _job(plan, folder, number, overrides, None).write(ledger.file(number, "json"))
    identity = {
        "id": folder.name,
        "key": plan.key,
        "words": redact(plan.words),
        "metric": plan.metric,
        "mode": plan.mode,
        "data_digest": plan.digest,
        "compositions": plan.compositions,
    }
    write_whole(folder / SWEEP, json.dumps(identity, indent=1))
    return folder


def run(folder: Path, plan: Plan) -> None:
    """Run what is left of a sweep's jobs, and say what has come of them."""
    _refuse_changes(folder, plan)
    ledger = Ledger(folder)
    if plan.sweep.retry_failed:
        _retry_failed(ledger, plan)
    driver = Driver(
        ledger,
        _source(ledger, plan),
        plan.sweep,
        plan.launcher,
        lambda job: [*plan.fixed, *job.overrides],
        lambda job, code, late: judge(job, code, late, ledger, plan),
        lambda line: print(line, flush=True),
    )
    print(f"sweep {folder.name}: {relative(folder)}", flush=True)
    with parent(folder, plan) as record:
        try:
            driver.run()
        except Stopped as stopped:
            vars(stopped).update(kind="sweep", run=folder.name)
            raise
        finally:
            if record:
                sum_up(record, ledger, plan)
    if record is None:  # another process had the record; it may have been killed since
        with parent(folder, plan) as record:
            if record:
                sum_up(record, ledger, plan)
    _say(ledger, plan)


def _job(
    plan: Plan, folder: Path, number: int, overrides: list[str], trial: dict[str, Any] | None
) -> Job:
    run = f"{folder.name}-{number:03d}"
    return Job(folder.name, number, run, plan.job_key(overrides), overrides, trial)


def _source(ledger: Ledger, plan: Plan) -> Source:
    """What gives further jobs."""
    search = plan.sweep.search
    if search is None:
        return Grid()
    from reprise.sweeps.study import Study

    if url := search.foreign_storage():
        os.environ[STORAGE] = url  # for the jobs; it may have a password, and stands in no file
    return Study(
        ledger,
        search,
        plan.axes,
        plan.metric,
        plan.mode,
        lambda *known: _job(plan, ledger.folder, *known),
        lambda job: value_of(job, ledger, plan.metric),
    )


def _refuse_changes(folder: Path, plan: Plan) -> None:
    """Refuse to go on with other configurations, or other data, than the sweep began with."""
    began = json.loads((folder / SWEEP).read_text())
    changes = differences(began["compositions"], plan.compositions)
    if began["data_digest"] != plan.digest:
        changes.append(f"data.digest: {began['data_digest']} -> {plan.digest}")
    if changes:
        more = f"\n… and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
        raise UserError(
            f"sweep {folder.name} would go on with another configuration, or other data",
            expected="what its first jobs were trained with",
            received="\n".join(changes[:SHOWN]) + more,
            remedy="bring it back, or begin a new sweep with sweep.fresh=true",
        )


def _retry_failed(ledger: Ledger, plan: Plan) -> None:
    if plan.sweep.search:
        raise UserError(
            "a search does not try its failed jobs again: Optuna has counted them",
            expected="sweep.retries, which tries a job again before it counts as failed",
            received="sweep.retry_failed=true",
            remedy="raise sweep.search.n_trials by as many as have failed",
        )
    for job in ledger.jobs():
        if ledger.standing(job.number).state == "failed":
            ledger.retry(job)


def _say(ledger: Ledger, plan: Plan) -> None:
    """The end of a sweep on the terminal, and as the exit code."""
    rows = ranked(rows_of(ledger), plan.metric, plan.mode)
    sweep = ledger.folder.name
    print(f"\nsweep {sweep} is over: {counts(rows)}\n\n{table(rows, plan.axes, plan.metric)}\n")
    failed = [row.job for row in rows if row.standing.state == "failed"]
    if failed:
        log = relative(ledger.file(failed[0].number, "log"))
        print(f"their logs are beside {log}; to try them again:")
        print(f'       make resume sweep={sweep} args="sweep.retry_failed=true"')
        sys.exit(SOME_FAILED)
    print(f"next:  make compare sweep={sweep}        to see them side by side")
    print(f"       make evaluate run={rows[0].job.run}        the best one")
