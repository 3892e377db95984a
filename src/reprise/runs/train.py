"""The story of a run: build, open the record, fit, score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from reprise.config.build import build
from reprise.config.compose import Composed
from reprise.config.secrets import redact
from reprise.project import ROOT, relative
from reprise.runs.experiment import Data, compiled, new_model
from reprise.runs.folder import new_folder
from reprise.runs.job import Job
from reprise.runs.lock import held
from reprise.runs.name import run_name
from reprise.runs.parent import Parent
from reprise.runs.resumed import Resumed
from reprise.runs.score import result_table, score_best
from reprise.training.quiet import native_notes_hidden

if TYPE_CHECKING:
    import keras

    from reprise.tracking.run import Run

Callbacks = Callable[["Run"], list["keras.callbacks.Callback"]]  # those that come last


def train(
    composed: Composed,
    data: Data,
    parent: Parent | None = None,
    resumed: Resumed | None = None,
    job: Job | None = None,
    callbacks: Callbacks | None = None,
) -> dict[str, float]:
    """Train and record a run; returns the best model's metrics, `valid/…` and `test/…`.

    What does not fit together is refused before there is a run. It starts with the model of
    `parent`, or with a new one; `resumed` is the run to go on with, or None for a new run, and
    `job` which of a sweep's jobs a new run is; `callbacks` makes further Keras callbacks.
    """
    with native_notes_hidden():
        from reprise.training.device import set_up
    from reprise.runs.fitting import fit_run
    from reprise.runs.record import write_records
    from reprise.training.interrupts import Interrupts

    config, trainer = composed.values, build(composed.values["trainer"])
    device = trainer.precision, trainer.deterministic, trainer.jit_compile
    facts = set_up(*device, seed=config["seed"])
    learned = parent.learned if parent else data.learn()
    with ExitStack() as stack:
        loaders = {split: stack.enter_context(data.loader(split)) for split in ("train", "valid")}
        steps = trainer.steps_per_epoch or loaders["train"].steps_per_pass
        model = parent.model if parent else new_model(config, data.dataset)
        model = compiled(config, data.dataset, model, total_steps=trainer.epochs * steps)
        interrupts = stack.enter_context(Interrupts())
        run = _open(stack, composed, parent, resumed, job)
        if resumed and resumed.state:
            resumed.record(run)
        else:
            write_records(run, composed, data, learned, facts, parent)
        with interrupts.training() as stop:
            more = callbacks(run) if callbacks else []
            fit_run(run, model, trainer, steps, data, loaders, resumed, stop, more)
        result = score_best(run, config, data, parent)
    _say(run.folder, result)
    return result


def _open(
    stack: ExitStack,
    composed: Composed,
    parent: Parent | None,
    resumed: Resumed | None,
    job: Job | None,
) -> Run:
    """Open a new run, or the one to go on with, and hold its folder until `stack` is left."""
    from reprise.tracking.run import open_run

    settings = build(composed.values["tracking"])
    experiment = settings.experiment or composed.experiment
    folder = (
        resumed.folder
        if resumed
        else new_folder(ROOT / settings.runs, experiment, job.run if job else None)
    )
    stack.enter_context(held(folder))
    print(f"run {folder.name}", flush=True)
    name = job.title if job else run_name(composed, folder.name, parent)
    opened = open_run(folder, experiment, name, uri=settings.uri, redact=redact)
    run = stack.enter_context(opened)
    if job:
        job.record(run)
    return run


def _say(folder: Path, result: Mapping[str, float]) -> None:
    """The end of a run on the terminal: what it reached, where it is, what to type next."""
    print(f"\nrun {folder.name} is finished: {relative(folder)}\n\n{result_table(result)}\n")
    print("next:  make ui        to look at it, and to compare it with others")
    print(f"       make evaluate run={folder.name}        to have its test metrics again")
