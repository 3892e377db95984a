"""Predict: the answers of a run's model to inputs that have no labels, in files."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from annotated_types import Ge, Gt
from pyarrow import csv
from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from reprise.datasets.base import Dataset
from reprise.datasets.images.unlabelled import Pictures
from reprise.datasets.sound.unlabelled import SoundWindows
from reprise.datasets.sql.unlabelled import SqlMatrices
from reprise.datasets.tracked import require_pulled
from reprise.datasets.unlabelled import Tolerant, Unlabelled
from reprise.errors import UserError
from reprise.files import lock, replacing, write_text
from reprise.project import ROOT, relative
from reprise.runs.calibration import model_hash
from reprise.runs.folder import is_held
from reprise.runs.load import SavedRun, require_best
from reprise.runs.predict_masks import (
    FOLDERS,
    Batch,
    Masks,
    Probabilities,
    areas,
    file_names,
    tile_of,
)
from reprise.runs.predict_parts import Parts, fingerprint
from reprise.runs.predict_sound import (
    detections,
    read_thresholds,
    write_labels,
    write_spectrograms,
)
from reprise.runs.predict_sql import cells, require_new_table, write_table
from reprise.runs.predictor import SPLITS, open_predictor
from reprise.transforms.place import Fit

if TYPE_CHECKING:
    from reprise.runs.predictor import Predictor

_TABLES = (".csv", ".parquet", ".pq")
_BATCHES = 32  # of a part
_ROWS = 1024  # of tables and arrays that are answered at once

Answer = Callable[[Iterable[Batch]], Iterable[Batch]]


@dataclass(frozen=True)
class Options:
    """What a prediction can be asked for, beside run, inputs and output.

    Args:
        batch: Inputs, or tiles, answered at once; None: that of the run, and of rows 1024.
        flips: Answer with the mean over the flips that training used.
        calibrated: Use the run's calibration, if `make calibrate` has made one.
        fit: Of pictures: 'resize' scales each to the model's size, 'crop' answers tiles of it in
            its own size; None: as the run was trained.
        tile: Height and width of a tile, or one number for both; '': the model's size.
        probabilities: Of masks; see `Masks`.
        overlay: Of masks; see `Masks`.
        hop_s: Of recordings: seconds from window to window; None: a window's length.
        threshold: Of detections; see `read_thresholds`.
        merge_s: Of detections; see `detections`.
        format: Of detections, beside the table: `raven`, `audacity` or both.
        spectrograms: Also draw the recordings with their detections.
        to: Also write the table of answers to a new table of a database: `URL#table`.
    """

    batch: Annotated[int, Ge(1)] | None = None
    flips: bool = False
    calibrated: bool = True
    fit: Fit | None = None
    tile: str = ""
    probabilities: Probabilities | None = None
    overlay: bool = False
    hop_s: Annotated[float, Gt(0)] | None = None
    threshold: str = ""
    merge_s: Annotated[float, Ge(0)] | None = 0.0
    format: Literal["raven", "audacity", "raven,audacity"] | None = None
    spectrograms: bool = False
    to: str = ""


def read_options(given: Mapping[str, Any]) -> Options:
    """Read options, each a text or a value.

    Raises:
        UserError: there is no such option, or it has no such value.
    """
    names = [field.name for field in fields(Options)]
    if more := given.keys() - set(names):
        raise UserError(
            f"there is no option '{min(more)}'", ", ".join(names), min(more), "choose one of these"
        )
    try:
        return TypeAdapter(Options).validate_python(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise UserError(
            f"{name}={given[name]} cannot be used",
            first["msg"].removeprefix("Input should be ").partition(", unable")[0],
            str(given[name]),
            f"correct {name}; docs/use_a_model.md says what it means",
        ) from None


@dataclass(frozen=True)
class Prediction:
    """What came of it.

    Args:
        table: The table of answers.
        folder: Of further files.
        count: Number of inputs.
        unit: What they are.
        problems: Of inputs that could not be read, the reason of each by its name.
        unreadable: Table of these, or None.
    """

    table: Path
    folder: Path
    count: int
    unit: str
    problems: Mapping[str, str]
    unreadable: Path | None


def predict(saved: SavedRun, given: Sequence[str], output: str, options: Options) -> Prediction:
    """Answer inputs, and write the answers.

    A prediction that was killed goes on where it was, when the same is asked for again.

    Args:
        saved: The run.
        given: Files, folders, patterns; or one of the run's splits.
        output: Folder, or CSV or Parquet file; '': `predictions/<run>`.
        options: Further wishes.

    Raises:
        UserError: the run has no model, there is no such input, or none of the inputs can be read.
    """
    for one in given:
        require_pulled(Path(one))
    if is_held(saved.folder):
        print("note: the run is being trained: its best model so far answers", file=sys.stderr)
    predictor = open_predictor(saved, flips=options.flips, calibrated=options.calibrated)
    if predictor.calibration:
        print(f"calibrated: {predictor.calibration}; calibrated=false: without", file=sys.stderr)
    spec = predictor.target_spec
    if options.to:
        require_new_table(options.to, saved.config["dataset"])
    inputs = predictor.inputs(given, **_changes(options, predictor))
    _require_of_use(options, spec.kind, is_sound=isinstance(inputs, SoundWindows))
    place = ROOT / (output or f"predictions/{saved.folder.name}")
    if not output and not (ROOT / "predictions/.gitignore").exists():
        write_text(ROOT / "predictions/.gitignore", "*\n")  # no part of the code that runs record
    is_table = place.suffix.lower() in _TABLES
    folder = place.with_suffix("") if is_table else place
    if place.exists() and place.is_dir() == is_table:
        raise UserError(
            f"output={output} cannot be written",
            "a folder, or the name of a table, which ends in .csv or .parquet",
            f"a {'folder' if is_table else 'file'} of that name",
            "choose another output=…",
        )
    if isinstance(inputs, Pictures) and spec.kind == "mask":
        inputs.leave_out([folder / name for name in FOLDERS])
    for note in inputs.notes if isinstance(inputs, Unlabelled) else ():
        print(f"note: {note}", file=sys.stderr)
    if not len(inputs):
        raise UserError(
            "there is nothing to answer", "one input at least", ", ".join(given), "correct input=…"
        )
    named = {"mask": "areas"}.get(spec.kind, "predictions")
    table = place if is_table else folder / f"{named}.csv"
    unreadable = table.with_name(f"{table.stem}.unreadable.csv")
    if isinstance(inputs, SoundWindows) and spec.classes:
        read_thresholds(options.threshold, spec.classes, predictor.limits.tolist())
    else:
        _require_new_columns(inputs, predictor)
    table.parent.mkdir(parents=True, exist_ok=True)
    parts_folder = table.with_name(f".{table.name}.parts")
    parts_folder.mkdir(exist_ok=True)
    mark = table.with_name(f".{table.name}.lock")
    with mark.open("a") as file:
        if not lock(file, wait=False):
            raise UserError(
                f"{relative(table)} is being written by another process",
                "an output that nothing else works on",
                f"the lock {relative(mark)}",
                "wait for it, or choose another output=…",
            )
        answers, problems = _answered(predictor, inputs, given, folder, parts_folder, options)
        names = {inputs.name(at): text for at, text in problems.items()}
        if len(problems) == len(inputs):
            raise UserError(
                f"none of the {len(inputs)} inputs can be answered",
                f"inputs as run {predictor.saved.folder.name} was trained on",
                "\n".join(list(problems.values())[:8]),
                "correct input=…, or predict with another run",
            )
        frame = _write(predictor, inputs, answers, problems, table, folder, options)
        if options.to:
            write_table(frame, options.to, saved.config["dataset"])
        unreadable.unlink(missing_ok=True)
        if problems:
            _save(pd.DataFrame({"name": names.keys(), "problem": names.values()}), unreadable)
        if not isinstance(inputs, SoundWindows):  # whose scores are thresholded anew another time
            shutil.rmtree(parts_folder)
    mark.unlink(missing_ok=True)
    unit = "inputs"
    if isinstance(inputs, SoundWindows):
        unit = f"windows of {len(inputs.files)} recordings"
    return Prediction(table, folder, len(inputs), unit, names, unreadable if problems else None)


def _require_of_use(options: Options, kind: str, *, is_sound: bool) -> None:
    """Refuse what was asked for in vain: words for masks or recordings, of another model."""
    for words, what, is_there in (
        (("tile", "probabilities", "overlay"), "masks", kind == "mask"),
        (
            ("hop_s", "threshold", "merge_s", "format", "spectrograms"),
            "detections in recordings",
            is_sound,
        ),
    ):
        for word in words:
            if not is_there and getattr(options, word) != getattr(Options, word):
                raise UserError(
                    f"{word} is of no use here",
                    f"a model of {what}",
                    f"one of a {kind}" if kind in ("class", "mask") else f"one of {kind}",
                    f"leave {word} out",
                )


def _changes(options: Options, predictor: Predictor) -> dict[str, Any]:
    """Settings of the run's dataset that the options replace."""
    found = {"fit": options.fit, "hop_s": options.hop_s}
    return {key: value for key, value in found.items() if value is not None}


def _answered(
    predictor: Predictor,
    inputs: Dataset,
    given: Sequence[str],
    folder: Path,
    parts_folder: Path,
    options: Options,
) -> tuple[np.ndarray, dict[int, str]]:
    """Raw answers to all inputs, from parts that are there and those that are made now."""
    settings: dict[str, Any] = {}
    batch_size = options.batch or int(predictor.saved.config["loader"]["batch_size"])
    if inputs.in_memory and len(inputs.input_spec.shape) < 2 and not options.batch:
        batch_size = max(batch_size, _ROWS)
    masks = None
    answer: Answer = lambda batches: ((some, predictor(x)) for some, x in batches)  # noqa: E731
    if predictor.target_spec.kind == "mask":
        answer = masks = Masks(
            predictor,
            inputs,
            file_names([inputs.name(at) for at in range(len(inputs))]),
            folder,
            tile=tile_of(predictor, options.tile),
            batch_size=batch_size,
            probabilities=options.probabilities,
            overlay=options.overlay,
        )
        if masks.is_tiled:  # pictures of any size: threads, which need not copy them
            ahead = masks.ahead(2 * batch_size)
            workers = min(ahead, len(os.sched_getaffinity(0)))
            settings = {"use_multiprocessing": False, "workers": workers, "max_queue_size": ahead}
            batch_size = 1
    paths = [Path(one) for one in given] + [
        path for name in ("paths", "files") for path in getattr(inputs, name, ())
    ]
    are_files = all(Path(one).is_file() for one in given)  # which tell their rows
    names = [] if are_files else [inputs.name(at) for at in range(len(inputs))]
    about = {
        "run": predictor.saved.folder.name,
        "model": model_hash(require_best(predictor.saved.folder)),
        "inputs": fingerprint(paths, names),
        **{key: value for key, value in asdict(options).items() if key not in ("to", "calibrated")},
    }
    if own := predictor.calibration:
        about["calibration"] = [own.temperature, dict(own.thresholds), own.rule]
    if isinstance(inputs, SoundWindows):
        later = ("threshold", "merge_s", "format", "spectrograms")  # of scores that are stored
        about = {key: value for key, value in about.items() if key not in later}
        about |= {"calibration": own.temperature} if own else {}
    parts = Parts(parts_folder, about, len(inputs), batch_size * _BATCHES)
    missing, tolerant = parts.missing(), Tolerant(inputs)
    try:
        if missing:
            _fill(predictor, tolerant, parts, missing, batch_size, answer, settings)
    finally:
        if masks:
            masks.close()
    return parts.read()


def _fill(
    predictor: Predictor,
    inputs: Tolerant,
    parts: Parts,
    missing: Sequence[int],
    batch_size: int,
    answer: Answer,
    settings: Mapping[str, Any],
) -> None:
    """Make the parts that are missing."""
    own = [parts.indices(part) for part in missing]
    batches = predictor.batches(inputs, np.concatenate(own), batch_size, settings)
    done = len(inputs) - sum(map(len, own))
    with tqdm(total=len(inputs), initial=done, disable=None, unit="input", leave=False) as bar:

        def readable(count: int, problems: dict[int, str]) -> Iterator[Batch]:
            for some, x, flags in islice(batches, count):
                good = flags.astype(bool)
                problems |= {int(at): inputs.problem(int(at)) for at in some[~good]}
                if good.any():
                    yield some[good], x if good.all() else x[good]
                bar.update(len(some))

        for part, indices in zip(missing, own, strict=True):
            problems: dict[int, str] = {}
            answers = np.zeros((len(indices), 0), np.float32)
            for some, rows in answer(readable(-(-len(indices) // batch_size), problems)):
                if not answers.size:
                    nothing = np.nan if rows.dtype.kind == "f" else 0
                    answers = np.full((len(indices), *rows.shape[1:]), nothing, rows.dtype)
                answers[some - indices[0]] = rows
                if not np.isfinite(rows).all():
                    is_whole = np.isfinite(rows.reshape(len(rows), -1)).all(-1)
                    problems |= {
                        int(at): f"{inputs.name(int(at))}: the model's answer is no finite number"
                        for at in some[~is_whole]
                    }
            parts.write(part, answers, problems)


def _write(
    predictor: Predictor,
    inputs: Dataset,
    answers: np.ndarray,
    problems: Mapping[int, str],
    table: Path,
    folder: Path,
    options: Options,
) -> pd.DataFrame:
    """Write what was asked for from raw answers: a table, and what belongs beside it.

    Returns:
        The table; where the answers are matrices of a database, their cells.
    """
    spec = predictor.target_spec
    if isinstance(inputs, SoundWindows) and spec.classes:
        thresholds = read_thresholds(options.threshold, spec.classes, predictor.limits.tolist())
        found = detections(inputs, answers, spec.classes, thresholds, options.merge_s)
        _save(found, table)
        files = list(dict.fromkeys(inputs.came_in()["file"]))
        for kind in options.format.split(",") if options.format else ():
            write_labels(found, files, folder, kind)
        if options.spectrograms:
            write_spectrograms(inputs, found, spec.classes, folder)
        return found
    good = np.ones(len(inputs), bool)
    good[list(problems)] = False
    came_in = _came_in(inputs)
    columns = _columns(predictor, answers[good])
    if "array" in columns:
        path = table.with_name(f"{table.stem}.npy")
        with replacing(path) as partial, partial.open("wb") as file:
            np.save(file, answers[good])
    frame = pd.DataFrame({name: pd.Series(cells)[good] for name, cells in came_in.items()})
    frame = pd.concat([frame.reset_index(drop=True), pd.DataFrame(columns)], axis=1)
    _save(frame, table)
    if isinstance(inputs, SqlMatrices) and answers.ndim == 4:
        names = predictor.saved.config["dataset"]["columns"]
        return cells(frame.iloc[:, 0].to_numpy(), answers[good], names, spec.names)
    return frame


def _came_in(inputs: Dataset) -> Mapping[str, Any]:
    own = getattr(inputs, "came_in", None)
    return own() if own else {"name": [inputs.name(at) for at in range(len(inputs))]}


def _require_new_columns(inputs: Dataset, predictor: Predictor) -> None:
    """Refuse a table that has a column of an answer's name."""
    spec, came_in = predictor.target_spec, _came_in(inputs)
    count = max(2, len(spec.classes))
    shape = {"mask": (2 + count,), "values": spec.shape}.get(spec.kind, (len(spec.classes),))
    columns = _columns(predictor, np.zeros((0, *shape), np.float32))
    if both := [name for name in columns if name in came_in]:
        raise UserError(
            f"the inputs have a column '{both[0]}' already",
            "another name: the answer stands in a column of this one",
            ", ".join(map(str, came_in)),
            "rename that column",
        )


def _columns(predictor: Predictor, answers: np.ndarray) -> dict[str, Any]:
    """The answer, and for classes the probability of each; '' where no class is certain."""
    spec = predictor.target_spec
    if spec.kind == "mask":
        named = spec.classes if len(spec.classes) > 1 else ("background", *spec.classes)
        return dict(areas(named, answers))
    if answers.ndim > 2:
        return {"array": np.arange(len(answers))}
    if not spec.classes:
        rows = answers.reshape(len(answers), math.prod(answers.shape[1:]))  # of no rows, too
        if rows.shape[1] == 1 and len(spec.names) < 2:
            return {"prediction": rows[:, 0]}
        names = spec.names or tuple(map(str, range(rows.shape[1])))
        return {f"prediction_{name}": rows[:, at] for at, name in enumerate(names)}
    found = predictor.decide(answers)
    classes = np.array([*spec.classes, ""], object)  # the last one for -1
    said: Any = classes[found] if spec.kind == "class" else None
    if said is None:
        said = ["|".join(classes[:-1][row > 0]) for row in found]
    return {"prediction": said} | {
        f"probability_{name}": answers[:, at] for at, name in enumerate(spec.classes)
    }


def _save(frame: pd.DataFrame, path: Path) -> None:
    """Write a table; CSV of texts and numbers by Arrow, which takes an eighth of pandas's time."""
    with replacing(path) as partial:
        if path.suffix.lower() != ".csv":
            frame.to_parquet(partial, index=False)
            return
        kinds = {pd.api.types.infer_dtype(frame[name], skipna=False) for name in frame}
        if kinds <= {"string", "floating", "integer"}:
            with suppress(pa.ArrowInvalid), partial.open("wb") as file:  # a cell needs quotes
                file.write(frame.iloc[:0].to_csv(index=False).encode())
                rows = pa.Table.from_pandas(frame, preserve_index=False)
                form = csv.WriteOptions(include_header=False, quoting_style="none")
                csv.write_csv(rows, file, form)
                return
        frame.to_csv(partial, index=False)


def given_inputs(text: str) -> list[str]:
    """What `input=` names: one path as it is, or several with commas between them."""
    if text in SPLITS or Path(text).exists() or text.lower().startswith(("select ", "with ")):
        return [text]
    return [part for part in text.split(",") if part]
