"""Train a run: build its parts, open its record, fit, score."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reprise.config.build import build
from reprise.config.compose import Composed
from reprise.config.secrets import redact
from reprise.project import relative
from reprise.runs.experiment import Data, compiled, for_keras, new_model, set_up_device
from reprise.runs.first_look import faster, first_look
from reprise.runs.folder import (
    CHECKPOINTS,
    STATE,
    held,
    new_folder,
    place_of,
    require_place,
    to_type,
)
from reprise.runs.inputs import inputs_recorded
from reprise.runs.page import run_page
from reprise.runs.record import make_record, run_name
from reprise.runs.score import result_table, score_best
from reprise.tracking.folders import home

if TYPE_CHECKING:
    import keras

    from reprise.loading.loader import Loader
    from reprise.runs.external import ExternalLoader
    from reprise.runs.job import Job
    from reprise.runs.resume import Resumed
    from reprise.runs.update import Parent
    from reprise.tracking.run import Run
    from reprise.training.trainer import Trainer

    Loaders = Mapping[str, Loader | ExternalLoader]
    Callbacks = Callable[[Run], list[keras.callbacks.Callback]]


def train(
    composed: Composed,
    data: Data,
    parent: Parent | None = None,
    resumed: Resumed | None = None,
    job: Job | None = None,
    callbacks: Callbacks | None = None,
) -> dict[str, float]:
    """Train and record a run.

    What does not fit together is refused before there is a run.

    Args:
        composed: Its configuration.
        data: What it trains on.
        parent: The run whose model it starts from; None: a new model.
        resumed: The run to continue; None: a new run.
        job: Which job of a sweep a new run is.
        callbacks: Makes further Keras callbacks for a run. They are called last: what the epoch
            reached is recorded by then.

    Returns:
        Metrics of the best model, `{'valid/…' and 'test/…': value}`.
    """
    require_place(*place_of(composed))
    facts = set_up_device(composed.values, for_training=True)
    from reprise.training.checkpoint import weights_sha256
    from reprise.training.devices import require_rows
    from reprise.training.fit import fit
    from reprise.training.interrupts import Interrupts
    from reprise.training.state_callback import StateCallback

    config, trainer = composed.values, build(composed.values["trainer"], key="trainer")
    learned = parent.learned if parent else data.learn()
    with ExitStack() as stack:
        learning = [split for split in ("train", "valid") if split in data.splits]
        loaders: Loaders = {name: data.loader(name) for name in learning}
        for loader in loaders.values():
            stack.callback(loader.close)
        require_rows(config["loader"]["batch_size"], data.sizes()["train"])
        steps = trainer.steps_per_epoch or loaders["train"].steps_per_pass
        model = parent.model if parent else new_model(config, data.dataset)
        model = compiled(config, data.dataset, model, total_steps=trainer.epochs * steps)
        interrupts = stack.enter_context(Interrupts())
        goes_on = resumed is not None and resumed.state is not None
        # made first, so that what can fail does so before there is a run
        record = None if goes_on else make_record(composed, data, learned, parent)
        run = _open(stack, composed, parent, resumed, job)
        if resumed and resumed.state:
            resumed.record(run, data, place_of(composed)[0])
        if record:
            record.write(run)
            run.tags(facts)
        run.params({"model.num_parameters": model.count_params()})
        stack.enter_context(inputs_recorded(run, config, data))
        with interrupts.training() as stop:
            first_step = resumed.state.step if resumed and resumed.state else 0
            observers = _observers(run, trainer, data, loaders, steps, first_step)
            fit(
                model,
                lambda step: for_keras(loaders["train"], step, steps),
                for_keras(loaders["valid"]) if "valid" in loaders else None,
                trainer,
                steps_per_epoch=steps,
                callbacks=[*observers, *(callbacks(run) if callbacks else ())],
                state=StateCallback(
                    run.folder / STATE,
                    resumed.state if resumed else None,
                    stop,
                    partial(_print_not_saved, "training state"),
                    resumed.learning_rate if resumed else None,
                ),
                data_error=lambda: next((x.error for x in loaders.values() if x.error), None),
            )
        run.tags({"weights_sha256": weights_sha256(model)})
        result = score_best(run, config, data, parent)
    _print_result(run.folder, result)
    return result


def _open(
    stack: ExitStack,
    composed: Composed,
    parent: Parent | None,
    resumed: Resumed | None,
    job: Job | None,
) -> Run:
    """Open the record of a new run, or of the one to continue, until `stack` is left."""
    from reprise.tracking.run import open_run
    from reprise.tracking.system import system_metrics

    settings = build(composed.values["tracking"])
    runs, experiment = place_of(composed)
    folder = resumed.folder if resumed else new_folder(runs, experiment, job.run if job else None)
    if not resumed:  # that one is held already
        stack.enter_context(held(folder))
    print(f"run {folder.name}", flush=True)
    name = job.title if job else run_name(composed, folder.name, parent)
    opened = open_run(folder, experiment, name, uri=settings.uri, redact=redact)
    run = stack.enter_context(opened)
    stack.enter_context(system_metrics(run, settings.system_metrics))
    if job:
        job.record(run)
    return run


def _observers(
    run: Run,
    trainer: Trainer,
    data: Data,
    loaders: Loaders,
    steps_per_epoch: int,
    first_step: int,
) -> list[keras.callbacks.Callback]:
    """The callbacks that only observe: checkpoint, metrics, pictures, progress."""
    from reprise.datasets.drawing import save_grid
    from reprise.tracking.callback import EpochMetrics, StepMetrics
    from reprise.tracking.pictures import Predictions, borne
    from reprise.training.checkpoint import Checkpoint
    from reprise.training.progress import Progress

    def waited() -> float | None:
        seconds = [loader.waited_s for loader in loaders.values()]
        return None if None in seconds else sum(filter(None, seconds))

    draw = data.dataset.draw
    samples = data.first("train", trainer.num_pictures)
    if said := first_look(data, *samples):
        print("\n".join(f"note: {line}" for line in said), file=sys.stderr, flush=True)
        run.tags({"data.findings": "\n".join(said)})
    inputs = run.folder / "pictures/inputs.png"
    with borne(inputs, run):
        save_grid(inputs, draw, *samples)
    observers: list[keras.callbacks.Callback] = [
        Checkpoint(
            run.folder / CHECKPOINTS,
            run.folder / STATE,
            trainer.keras_monitor,
            trainer.monitor_mode,
            partial(_print_not_saved, "checkpoint"),
        ),
        EpochMetrics(run, waited),
        Progress(
            steps_per_epoch,
            waited,
            trainer.keras_monitor,
            faster(data),
            batch_size=None if waited() is None else data.settings.get("batch_size"),
            first_step=first_step,
        ),
    ]
    if trainer.log_every_steps is not None:
        observers.append(StepMetrics(run, trainer.log_every_steps))
    if trainer.pictures_every is not None:
        x, y = data.first([*loaders][-1], trainer.num_pictures)  # valid, where there is one
        observers.append(Predictions(run, x, y, draw, trainer.pictures_every))
    return observers


def _print_not_saved(what: str, error: OSError) -> None:
    note = f"the {what} could not be written; training goes on, and the one before stays"
    print(f"\nnote: {note}: {error}", file=sys.stderr, flush=True)


def _print_result(folder: Path, result: Mapping[str, float]) -> None:
    """Print the metrics, where the run is, and what to type next."""
    print(f"\nrun {folder.name} is finished: {relative(folder)}\n\n{result_table(result)}\n")
    for picture in folder.glob("pictures/best_*.png"):
        print(f"picture  {relative(picture)}")
    print(f"page     {run_page(folder)}")
    head = "next"
    for verb, words, reason in (
        ("evaluate", "", "to have its test metrics again"),
        ("report", "", "to have a page about it, one HTML file"),
        ("predict", " input=PATH", "to answer inputs without labels"),
    ):
        command = to_type(verb, f"run={folder.name}", home(folder))
        print(f"{head:<8} {command}{words}        {reason}")
        head = ""
