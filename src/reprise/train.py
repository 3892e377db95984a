"""Train one experiment: `python -m reprise.train experiment=NAME [key=value …]`."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from reprise import command
from reprise.config.build import build
from reprise.config.compose import Composed
from reprise.config.secrets import redact
from reprise.experiment import Data, compiled, compose_and_check, new_model, open_data
from reprise.project import ROOT, relative


def main(argv: list[str]) -> None:
    """Compose, refuse mistakes, and train."""
    composed = compose_and_check(argv)
    data = open_data(composed.values)
    with command.native_notes_hidden():
        import keras  # noqa: F401
    train(composed, data)


def train(composed: Composed, data: Data) -> dict[str, float]:
    """Train and record one run; returns the best model's metrics, `valid/…` and `test/…`.

    What does not fit together is refused before there is a run.
    """
    from reprise.records import write_records
    from reprise.run_folder import new_folder
    from reprise.tracking.run import open_run
    from reprise.training.device import set_up

    config = composed.values
    trainer, settings = build(config["trainer"]), build(config["tracking"])
    device = trainer.precision, trainer.deterministic, trainer.jit_compile
    facts = set_up(*device, seed=config["seed"])
    learned = data.learn()
    with ExitStack() as stack:
        loaders = {split: stack.enter_context(data.loader(split)) for split in ("train", "valid")}
        steps = trainer.steps_per_epoch or loaders["train"].steps_per_pass
        model = new_model(config, data.dataset)
        model = compiled(config, data.dataset, model, total_steps=trainer.epochs * steps)
        experiment = settings.experiment or composed.experiment
        folder = new_folder(ROOT / settings.runs, experiment)
        print(f"run {folder.name}", flush=True)
        name = f"{composed.choices['model']} {folder.name}"
        with open_run(folder, experiment, name, uri=settings.uri, redact=redact) as run:
            write_records(run, composed, data, learned)
            run.tags(facts)
            _fit(run, model, trainer, steps, data, loaders)
            result = _score_best(run, config, data)
    _say(folder, result)
    return result


def _fit(
    run: Any, model: Any, trainer: Any, steps: int, data: Data, loaders: Mapping[str, Any]
) -> None:
    """Train; leaves the best and the last model in the run's folder."""
    from reprise.loading.feed import as_tf_dataset
    from reprise.training.checkpoint import weights_sha256
    from reprise.training.fit import fit

    train, valid = loaders["train"], loaders["valid"]
    run.params({"model.num_parameters": model.count_params()})
    fit(
        model,
        as_tf_dataset(train),
        as_tf_dataset(valid, stop=valid.steps_per_pass),
        trainer,
        steps_per_epoch=steps,
        callbacks=_observers(run, trainer, data, train, steps),
        cause=lambda: train.error or valid.error,
    )
    run.tags({"weights_sha256": weights_sha256(model)})


def _observers(run: Any, trainer: Any, data: Data, loader: Any, steps: int) -> list[Any]:
    """The callbacks that only watch: checkpoint, numbers, pictures, the terminal."""
    from reprise.tracking.callback import EpochMetrics
    from reprise.tracking.pictures import Predictions, write_inputs
    from reprise.training.checkpoint import Checkpoint
    from reprise.training.progress import Progress

    def waited() -> float:
        return loader.waited_s

    draw = data.dataset.picture
    write_inputs(run, *data.first("train", trainer.num_pictures), draw, "pictures/inputs.png")
    observers = [
        Checkpoint(run.folder / "checkpoints", trainer.keras_monitor, trainer.monitor_mode),
        EpochMetrics(run, waited),
        Progress(steps, waited, trainer.keras_monitor),
    ]
    if trainer.pictures_every is not None:
        x, y = data.first("valid", trainer.num_pictures)
        observers.append(Predictions(run, x, y, draw, trainer.pictures_every))
    return observers


def _score_best(run: Any, config: Mapping[str, Any], data: Data) -> dict[str, float]:
    """Score the best model and record it: metrics, model, checkpoints, pictures."""
    from reprise.evaluate import load_best, score_splits
    from reprise.tracking.curves import write_curves
    from reprise.tracking.model import save_model
    from reprise.tracking.pictures import write_predictions

    model = load_best(run.folder)
    save_model(run, model)  # before it is compiled: to load it then takes Keras alone
    splits = [split for split in ("valid", "test") if split in data.splits]
    result = score_splits(model, config, data, splits)
    # `valid/…` already has the last epoch's value, which need not be the best
    named = {name if name.startswith("test/") else f"best/{name}": result[name] for name in result}
    run.metrics(named, step=0)
    x, y = data.first(splits[-1], config["trainer"]["num_pictures"])
    name = f"pictures/best_{splits[-1]}.png"
    write_predictions(run, model, x, y, data.dataset.picture, name)
    write_curves(run, "pictures/curves.png")
    run.tags({"mlflow.note.content": _table(result)})  # the description in the UI
    if config["tracking"]["upload_checkpoints"]:
        run.artifact(run.folder / "checkpoints")
    return result


def _table(result: Mapping[str, float]) -> str:
    """Metrics of the best model by split, in Markdown that also reads well as it is."""
    splits = list(dict.fromkeys(name.partition("/")[0] for name in result))
    lines = ["| best model     | " + " | ".join(f"{split:>8}" for split in splits) + " |"]
    lines.append("|----------------|" + "---------:|" * len(splits))
    for metric in dict.fromkeys(name.partition("/")[2] for name in result):
        values = " | ".join(f"{result[f'{split}/{metric}']:8.4f}" for split in splits)
        lines.append(f"| {metric:<14} | {values} |")
    return "\n".join(lines)


def _say(folder: Path, result: Mapping[str, float]) -> None:
    """The end of a run on the terminal: what it reached, where it is, what to type next."""
    print(f"\nrun {folder.name} is finished: {relative(folder)}\n\n{_table(result)}\n")
    print("next:  make ui        to look at it, and to compare it with others")
    print(f"       make evaluate run={folder.name}        to have its test metrics again")


if __name__ == "__main__":
    command.run(main)
