"""Train an experiment for several values of some keys."""

import json
import os
from functools import partial
from pathlib import Path

from reprise.config.secrets import MASK, redact
from reprise.errors import Stopped, UserError
from reprise.files import locked, write_text
from reprise.project import ROOT, relative
from reprise.runs.folder import place_of, require_place, to_type, unused_folder
from reprise.sweeps.code import say_changes
from reprise.sweeps.driver import Driver
from reprise.sweeps.ledger import OVER, Ledger
from reprise.sweeps.plan import SETTING, Compositions, Plan, make_plan, require_measured
from reprise.sweeps.settings import STORAGE, SWEEP
from reprise.sweeps.space import every_combination
from reprise.sweeps.summary import Row, counts, judge, recorded, rows_of, table
from reprise.tracking.folders import LAST, all_runs, home, is_debug, run_folders

SHOWN = 12  # changes listed in one message


def sweep(words: list[str]) -> bool:
    """Start a sweep, or continue the one that the same command line started.

    Returns:
        Whether no job has failed.
    """
    plan = _checked_plan(words)
    runs, experiment = place_of(plan.first)
    require_place(runs, experiment)
    home = runs / experiment
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / ".sweeps.lock"):
        folder = None if plan.sweep.fresh else _started_by(plan, home)
        folder = folder or _start(plan, home)
    return _run(folder, plan)


def resume(words: list[str]) -> bool:
    """Continue a sweep by its id.

    Args:
        words: `sweep=ID` or `sweep=last`, and settings of `sweep` and `launcher`; `runs=FOLDER`
            looks elsewhere than in runs/.

    Returns:
        Whether no job has failed.
    """
    given = {word.partition("=")[0]: word for word in words}
    wanted = given.pop("sweep").partition("=")[2]
    runs = ROOT / (given.pop("runs", "runs=runs").partition("=")[2])
    folders = run_folders(all_runs(runs), SWEEP)
    own = [f for f in folders if f.is_relative_to(runs) and not is_debug(f, runs)]
    found = own if wanted == LAST else [folder for folder in folders if folder.name == wanted]
    if not found:
        raise UserError(
            f"no sweep '{wanted}'",
            expected=f"the id of a sweep under {relative(runs)}/, or 'last'",
            received=f"sweep={wanted}; there are: {', '.join(f.name for f in folders) or 'none'}",
            remedy="give one of these ids, or begin one: make sweep exp=NAME",
        )
    folder = max(found, key=lambda folder: folder.name)
    began_with = json.loads((folder / SWEEP).read_text())["words"]
    masked = {word.partition("=")[0] for word in began_with if MASK in word}
    odd = [word for key, word in given.items() if not SETTING.match(key) and key not in masked]
    if odd:
        raise UserError(
            "a sweep goes on with the jobs that it began with",
            expected="keys of sweep and launcher, and values with a password, which are not kept",
            received=" ".join(odd),
            remedy="leave them out, or begin a new sweep: make sweep",
        )
    kept = [word for word in began_with if word.partition("=")[0] not in given]
    return _run(folder, _checked_plan([*kept, *given.values()]))


def _checked_plan(words: list[str]) -> Plan:
    """Return the plan of a command line, whose study can be opened and is of the same search."""
    plan = make_plan(words)
    if plan.sweep.search:
        from reprise.sweeps.study import refuse_other_study

        refuse_other_study(plan)
    return plan


def _started_by(plan: Plan, home: Path) -> Path | None:
    """Return the newest sweep that the same command has started."""
    for path in sorted(home.glob(f"*/{SWEEP}"), reverse=True):
        if json.loads(path.read_text())["key"] == plan.key:
            return path.parent
    return None


def _start(plan: Plan, home: Path) -> Path:
    """Make the folder of a sweep, with the file that identifies it and the jobs of a grid."""
    if plan.sweep.search:
        from reprise.sweeps.study import refuse_full_study

        refuse_full_study(plan)
    require_measured(plan.metric, plan.first)
    folder = unused_folder(home)
    if plan.sweep.search is None:
        ledger = Ledger(folder)
        for number, overrides in enumerate(every_combination(plan.axes), 1):
            plan.job(folder.name, number, overrides).write(ledger.file(number, "json"))
    identity = {
        "id": folder.name,
        "key": plan.key,
        "words": redact(plan.words),
        "metric": plan.metric,
        "mode": plan.mode,
        "data_digest": plan.digest,
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "compositions": plan.compositions.as_json(),
    }
    write_text(folder / SWEEP, json.dumps(identity, indent=1))
    return folder


def _run(folder: Path, plan: Plan) -> bool:
    """Run the jobs of a sweep that are not over, and print the results.

    Returns:
        Whether no job has failed.
    """
    _refuse_changes(folder, plan)
    ledger = Ledger(folder)
    if plan.sweep.retry_failed:
        _retry_failed(ledger, plan)
    study = None
    if plan.sweep.search:
        from reprise.sweeps.study import Study

        if url := plan.sweep.search.database():
            os.environ[STORAGE] = url  # for the jobs: it can hold a password, so no file has it
        study = Study(ledger, plan)
    driver = Driver(ledger, plan, partial(judge, ledger, plan), study)
    print(f"sweep {folder.name}: {relative(folder)}", flush=True)
    if study or any(ledger.standing(job.number).state not in OVER for job in ledger.jobs()):
        say_changes(ledger, plan)
    with recorded(ledger, plan) as is_recorded_here:
        try:
            driver.run()
        except Stopped as stopped:
            stopped.kind, stopped.run, stopped.runs = "sweep", folder.name, home(folder)
            raise
    if not is_recorded_here:  # the process that records it may have been killed since
        with recorded(ledger, plan):
            pass
    rows = rows_of(ledger, plan)
    _print_results(ledger, plan, rows)
    return all(row.standing.state != "failed" for row in rows)


def _refuse_changes(folder: Path, plan: Plan) -> None:
    """Refuse to continue with other configurations, or other data, than the sweep began with."""
    began = json.loads((folder / SWEEP).read_text())
    changes = Compositions.from_json(began["compositions"]).changes(plan.compositions)
    if began["data_digest"] != plan.digest:
        changes.append(f"data.digest: {began['data_digest']} -> {plan.digest}")
    own = began.get("backend", "tensorflow")
    if (backend := os.environ.setdefault("KERAS_BACKEND", own)) != own:  # the jobs inherit it
        changes.append(f"KERAS_BACKEND: {own} -> {backend}")
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


def _print_results(ledger: Ledger, plan: Plan, rows: list[Row]) -> None:
    sweep, runs = ledger.folder.name, home(ledger.folder)
    print(f"\nsweep {sweep} is over: {counts(rows)}\n\n{table(rows, plan.axes, plan.metric)}\n")
    failed = [row.job for row in rows if row.standing.state == "failed"]
    if failed:
        log = relative(ledger.file(failed[0].number, "log"))
        print(f"their logs are beside {log}; to try them again:")
        print(f"       {to_type('resume', f'sweep={sweep}', runs, 'sweep.retry_failed=true')}")
    elif rows:
        side_by_side = to_type("compare", f"sweep={sweep}", runs, key="folder")
        print(f"next:  {side_by_side}        to see them side by side")
        print(f"       {to_type('evaluate', f'run={rows[0].job.run}', runs)}        the best one")
