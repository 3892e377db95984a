"""Report: one HTML page that says what a run's model is, how good it is, and how to use it."""

from __future__ import annotations

import base64
import heapq
import io
import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from tqdm import tqdm

from reprise.config.build import build
from reprise.config.compose import flatten
from reprise.config.secrets import redact
from reprise.datasets.drawing import save_grid
from reprise.errors import UserError, in_one_line
from reprise.files import write_text
from reprise.project import ROOT
from reprise.runs.calibration import is_one, model_hash, read_calibration
from reprise.runs.difference import PLACE
from reprise.runs.experiment import Data, compose_and_check
from reprise.runs.folder import CHECKPOINTS, RESULT, require_ended, state_of, to_type
from reprise.runs.load import SavedRun, open_saved_data
from reprise.runs.predictor import Predictor, open_predictor
from reprise.runs.sync import add_to_record
from reprise.tracking.journal import entries, metric_history, of_all_classes, params_of, tags_of
from reprise.training.quiet import import_keras
from reprise.training.state import BEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"
WORST = 8  # samples that are drawn
_POINTS = 5000  # values that are drawn
_CLASSES = 100  # that are listed
_LOSSLESS = 150_000  # bytes of a picture; larger ones lose some
_QUALITY = 82  # of 100, of these
_TIME = "%-d %B %Y, %H:%M"

Rows = list[tuple[Any, ...]]


def report(saved: SavedRun, output: Path | None = None) -> Path:
    """Write the page of a run into its folder, record it, and return its path.

    The best model answers the test split once more (or valid, or train where there is no other).
    What cannot be had any more, the data or the model, is said in the page.

    Args:
        saved: The run.
        output: Another file that it is written to as well.
    """
    require_ended(saved.folder)
    import_keras()
    from reprise.tracking.pictures import draw_confusion, draw_curves

    folder, spec, tags = saved.folder, saved.specs["target"], tags_of(saved.folder)
    history, calibration = metric_history(folder), read_calibration(folder)
    best = folder / CHECKPOINTS / BEST
    if calibration and not (best.exists() and calibration.model == model_hash(best)):
        calibration = None
    pictures: dict[str, Any] = {"inputs": folder / "pictures/inputs.png"}
    if calibration:
        pictures["calibration"] = folder / "pictures/calibration.png"
    if any(name.startswith("train/") for name in history):
        pictures["curves"] = draw_curves(history)
    files, seen, missing = [PAGE], None, ""
    try:
        predictor = open_predictor(saved, calibrated=False)
        seen = _Seen(predictor, open_saved_data(saved))
    except UserError as error:
        missing = f"Not known, because the model could not be tried: {in_one_line(error)}."
    if seen:
        files.append(f"pictures/worst_{seen.split}.png")
        pictures["worst"] = seen.draw(folder / files[-1])
        if seen.confusion is not None:
            names = spec.classes if len(spec.classes) > 1 else ("no", *spec.classes)
            pictures["confusion"] = draw_confusion(seen.confusion, names)
        if seen.pairs:
            pictures["scatter"] = _scatter(np.concatenate(seen.pairs, axis=1))
    changed = _changed(saved)
    start = next(entries(folder, "start"), {"at": 0})["at"] / 1000
    content = {
        "title": f"{saved.experiment}: {saved.choices.get('model', 'a model')}",
        "run": folder.name,
        "status": state_of(folder),
        "began": time.strftime(_TIME, time.localtime(start)) if start else "at an unknown time",
        "made": time.strftime(_TIME),
        "purpose": _purpose(saved, changed["changed"]),
        "pictures": {name: _embedded(of) for name, of in pictures.items()},
        "missing": missing,
        "seen": seen,
        "calibration": calibration,
        "several": is_one(spec),
        "data": _data(saved, tags),
        "splits": [(k[9:], int(v)) for k, v in tags.items() if k.startswith("data.num_")],
        "counts": list(zip(spec.classes, spec.counts, strict=False))[:_CLASSES],
        "parts": [(k, v) for k, v in saved.choices.items() if k not in ("experiment", "tracking")],
        **_results(saved),
        **changed,
        "speed": _speed(saved, seen, history, tags),
        "commands": _commands(saved),
        "python": f'import reprise\n\nrun = reprise.load("{folder.name}")\n'
        "answers = run.predict(inputs)  # an array of raw inputs, or files as in input=\n"
        "model = run.model()            # the same as a Keras model",
        "record": _record(saved, tags),
    }
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    page = redact(environment.get_template(PAGE).render(content))
    for path in (folder / PAGE, *([output] if output else [])):
        write_text(path, page)
    add_to_record(folder, files=files)
    return output or folder / PAGE


class _Seen:
    """What a split shows of a model: losses of samples, counts of classes, time.

    Args:
        predictor: The model.
        data: Its data.
    """

    def __init__(self, predictor: Predictor, data: Data) -> None:
        self.split = next(one for one in ("test", "valid", "train") if one in data.splits)
        self._dataset, self.spec = data.dataset, predictor.target_spec
        self._names = data.dataset.names(data.splits[self.split])
        self._heap: list[tuple[float, int, Any]] = []
        self.losses: list[float] = []
        self.confusion: np.ndarray | None = None
        self.counts: Any = 0  # hits, answers and truths of each class
        self.pairs: list[np.ndarray] = []
        times: list[float] = []
        loss = build(predictor.saved.config["objective"], self.spec, key="objective")[0]
        with data.loader(self.split) as loader:
            steps = loader.steps_per_pass
            batches = loader.batches(0, steps)
            for x, y in tqdm(batches, "trying the model", steps, leave=False, disable=None):
                began = time.perf_counter()
                p = predictor(x)
                times.append((time.perf_counter() - began) / len(x))
                self._keep(x, y, p, _losses(loss, y, p))
                if self.spec.kind == "values":
                    pairs = np.stack([np.ravel(y), np.ravel(p)]).astype(float)
                    self.pairs.append(pairs[:, :: max(1, pairs.shape[1] * steps // _POINTS)])
                else:
                    self._count(y, predictor.decide(p))
        self.ms = 1000 * statistics.median(times[1:] or times)
        worst = sorted(self._heap, key=lambda one: one[:2], reverse=True)
        self.worst = [
            (str(rank), self._name(-at), self.losses[-at])
            for rank, (_, at, _) in enumerate(worst, 1)
        ]
        self._samples = [sample for *_, sample in worst]

    def _name(self, at: int) -> str:
        return self._names[at] if self._names else f"sample {at + 1}"

    def _keep(self, x: np.ndarray, y: np.ndarray, p: np.ndarray, losses: np.ndarray) -> None:
        for at, loss in enumerate(losses.tolist()):
            rank = loss if np.isfinite(loss) else np.inf
            if len(self._heap) < WORST or rank > self._heap[0][0]:
                put = heapq.heappush if len(self._heap) < WORST else heapq.heapreplace
                put(
                    self._heap, (rank, -len(self.losses), (np.array(x[at]), np.array(y[at]), p[at]))
                )
            self.losses.append(loss)

    def _count(self, y: np.ndarray, said: np.ndarray) -> None:
        if self.spec.kind == "labels":
            yes, said = y > 0, said > 0
            self.counts = self.counts + np.stack([yes & said, said, yes]).sum(1)
            return
        size = max(2, len(self.spec.classes))
        truth, said = np.ravel(y).astype(int), np.ravel(said).astype(int)
        good = truth != self.spec.ignore
        cells = np.bincount(truth[good] * size + said[good], minlength=size * size)
        before = 0 if self.confusion is None else self.confusion
        self.confusion = before + cells.reshape(size, size)
        sums = [self.confusion.diagonal(), self.confusion.sum(0), self.confusion.sum(1)]
        self.counts = np.stack(sums)[:, size - len(self.spec.classes) :]

    @property
    def by_class(self) -> Rows:
        """Name, samples, count here, precision, recall and F1 of each class; of masks also IoU."""
        rows = []
        for at, name in enumerate(self.spec.classes[:_CLASSES]):
            hits, said, truths = (int(of[at]) for of in self.counts)
            scores = [hits / max(said, 1), hits / max(truths, 1), 2 * hits / max(said + truths, 1)]
            if self.spec.kind == "mask":
                scores.append(hits / max(said + truths - hits, 1))
            own = [of[at] for of in [self.spec.counts] if of]  # in the train split
            rows.append((name, *own, truths, *scores))
        return rows

    @property
    def weakest(self) -> str:
        """A line about the classes that are found worst."""
        hits, said, truths = self.counts
        scores = 2 * hits / np.maximum(said + truths, 1)
        there = [at for at in np.argsort(scores) if truths[at]]
        lacking = [name for at, name in enumerate(self.spec.classes) if not truths[at]][:_CLASSES]
        names = [f"{self.spec.classes[at]} (F1 {scores[at]:.2f})" for at in there]
        low = [name for name, at in zip(names, there, strict=True) if scores[at] < 0.9][:3]
        lines = [f"Found worst: {', '.join(low)}."] if low and len(there) > 1 else []
        return " ".join(lines + ([f"Not in this split: {', '.join(lacking)}."] if lacking else []))

    def draw(self, path: Path) -> Path:
        """Draw the worst samples."""
        xs, ys, ps = zip(*self._samples, strict=True)
        lines = [f"{rank}: loss {loss:.3g}" for rank, _, loss in self.worst]
        return save_grid(path, self._dataset.draw, xs, ys, ps, names=lines)


def _losses(loss: Any, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The loss of each sample of a batch; of a loss of whole batches, that of it alone."""
    values = np.asarray(loss.call(np.asarray(y), p))
    if values.ndim:
        return values.reshape(len(y), -1).mean(1)
    each = [loss.call(np.asarray(y[at : at + 1]), p[at : at + 1]) for at in range(len(y))]
    return np.array([float(value) for value in each])


def _embedded(given: Path | Figure) -> str:
    """A picture as the address of its own content, as WebP; '' if there is none."""
    buffer = io.BytesIO()
    if not isinstance(given, Path):
        given.savefig(buffer, dpi=110)
    elif given.exists():
        buffer.write(given.read_bytes())
    else:
        return ""
    picture, found = Image.open(buffer).convert("RGB"), io.BytesIO()
    picture.save(found, "webp", lossless=True)
    if found.tell() > _LOSSLESS:
        found = io.BytesIO()
        picture.save(found, "webp", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(found.getvalue()).decode()}"


def _scatter(pairs: np.ndarray) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 4.2), layout="constrained")
    axes = figure.subplots()
    ends = [pairs[0].min(), pairs[0].max()]
    axes.plot(ends, ends, color="grey", linewidth=0.8)
    axes.plot(*pairs, ".", markersize=2, alpha=0.4)
    axes.set(xlabel="truth", ylabel="answer")
    axes.grid(alpha=0.3)
    return figure


def _purpose(saved: SavedRun, changed: Rows) -> str:
    """What the model is for: the question that the experiment's file asks, and what it answers.

    Args:
        saved: The run.
        changed: Settings that differ from that file; of other data the question may be another.
    """
    spec, taken = saved.specs["target"], saved.specs["input"]
    file = ROOT / "conf/experiment" / f"{saved.choices.get('experiment', '')}.yaml"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    said = [line[1:].strip() for line in lines[:3] if line.startswith("# ") and "@" not in line]
    is_own = said and not any(key.startswith("dataset.") for key, *_ in changed)
    question = said[0] if is_own and ":" not in said[0].partition(" ")[0] else ""
    names = ", ".join(spec.classes[:20]) + (", …" if len(spec.classes) > 20 else "")
    many = len(spec.classes)
    answer = {
        "class": f"which of {many} classes a sample is: {names}",
        "labels": f"which of {many} labels a sample has: {names}",
        "mask": f"which of {many} classes each pixel is: {names}"
        if many > 1
        else f"where there is {names or 'something'}",
        "values": f"values of the shape {spec.shape}"
        + (f": {', '.join(spec.names[:20])}" if spec.names else ""),
    }[spec.kind]
    return f"{question} Given {taken.dtype} of the shape {taken.shape}, it says {answer}.".strip()


def _data(saved: SavedRun, tags: Mapping[str, str]) -> Rows:
    names = {
        "data.digest": "hash",
        "data.dvc": "DVC",
        "data.files": "files",
        "data.md5": "hash of their contents",
        "data.excluded": "left out",
        "data.exclude": "listed in",
        "data.notes": "read with",
        "data.findings": "noticed",
    }
    own = next(entries(saved.folder, "dataset"), {})
    source = str(own.get("source", "")).strip("[]").replace("'", "")
    rows: Rows = [("dataset", own.get("name")), ("from", source)]
    return [row for row in rows if row[1]] + [(n, tags[k]) for k, n in names.items() if k in tags]


def _results(saved: SavedRun) -> dict[str, Any]:
    """Metrics of the best model by split, and the most important ones as tiles."""
    file = saved.folder / RESULT
    result = json.loads(file.read_text()) if file.exists() else {}
    splits = list(dict.fromkeys(name.partition("/")[0] for name in result))
    monitored = saved.config["trainer"]["monitor"].partition("/")[2]
    names = list(dict.fromkeys(name.partition("/")[2] for name in of_all_classes([*result])))
    rows = [(name, *(result.get(f"{split}/{name}") for split in splits)) for name in names]
    tiles = [(f"{s}/{monitored}", f"{result[f'{s}/{monitored}']:.4g}") for s in splits[::-1]
             if f"{s}/{monitored}" in result]  # fmt: skip
    if count := params_of(saved.folder).get("model.num_parameters"):
        tiles.append(("parameters", f"{int(count):,}"))
    return {"result": rows, "scored": splits, "tiles": tiles[:5]}


def _changed(saved: SavedRun) -> dict[str, Any]:
    """Settings that differ from the experiment's file, as it is today."""
    name = saved.choices.get("experiment", "")
    try:
        usual = flatten(compose_and_check([f"experiment={name}"] if name else []).values)
    except UserError as error:
        why = f"The defaults of experiment={name} are not known here: {in_one_line(error)}."
        return {"changed": [], "unchanged": why, "experiment": name}
    now = flatten(dict(saved.config))
    keys = [key for key in {**usual, **now} if usual.get(key) != now.get(key) and key not in PLACE]
    rows = [(key, _shown(usual.get(key, "")), _shown(now.get(key, ""))) for key in keys]
    unchanged = f"All are those of experiment={name}."
    return {"changed": rows, "unchanged": unchanged, "experiment": name}


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _speed(
    saved: SavedRun, seen: _Seen | None, history: Mapping[str, Any], tags: Mapping[str, str]
) -> Rows:
    rows: Rows = []
    if count := params_of(saved.folder).get("model.num_parameters"):
        rows.append(("parameters", f"{int(count):,}"))
    best = saved.folder / CHECKPOINTS / BEST
    if best.exists():
        rows.append(("model file", f"{best.stat().st_size / 1e6:.2f} MB"))
    size = int(saved.config["loader"]["batch_size"])
    seconds = list(history.get("time/epoch_s", {}).values())
    steps = saved.config["trainer"].get("steps_per_epoch")
    samples = steps * size if steps else int(tags.get("data.num_train", 0))
    if seconds:
        each = statistics.median(seconds[1:] or seconds)
        rate = f", {samples / each:,.0f} samples a second" if samples else ""
        where = tags.get("device", "an unknown device")
        text = f"{len(seconds)} epochs of {each:.1f} s{rate}, with validation; {where}"
        rows.append(("training", text))
    if seen:
        text = f"{seen.ms:.2f} ms a sample in batches of {size}, where this page was made"
        rows.append(("prediction", text))
    return rows


def _commands(saved: SavedRun) -> str:
    name = f"run={saved.folder.name}"
    verbs = ["predict", "evaluate", "calibrate", "reproduce"]
    if saved.specs["target"].kind == "values":
        verbs.remove("calibrate")
    lines = [to_type(verb, name, saved.runs) for verb in verbs]
    return "\n".join([lines[0].replace(name, f"{name} input=PATH"), *lines[1:]])


def _record(saved: SavedRun, tags: Mapping[str, str]) -> Rows:
    """Verdict of reproducibility, and what the run was made of."""
    again = to_type("reproduce", f"run={saved.folder.name}", saved.runs)
    code = f"recorded, tree {tags['code.tree'][:12]}" if "code.tree" in tags else "not recorded"
    dirty = ", with changes that were not committed" if tags.get("git.dirty") == "true" else ""
    versions = {k[8:]: v for k, v in tags.items() if k.startswith("version.")}
    keys = ("device", "precision", "machine.cpu", "machine.gpu", "platform")
    rows = [
        ("verdict", tags.get("reproduced") or f"not tried yet: {again}"),
        ("compared with", tags.get("reproduced.run")),
        ("code", tags.get("code.problem") or code),
        ("commit", f"{tags['git.commit']}{dirty}" if "git.commit" in tags else None),
        ("engine", tags.get("engine.sha256")),
        ("weights", tags.get("weights_sha256")),
        ("seed", saved.config.get("seed")),
        ("trained on", ", ".join(tags[key] for key in keys if key in tags)),
        ("versions", ", ".join(f"{name} {value}" for name, value in versions.items())),
        (
            "started from",
            saved.parent and f"run {saved.parent}, {saved.old:g} of its data mixed in",
        ),
        ("command", tags.get("command")),
    ]
    return [row for row in rows if row[1] not in (None, "")]
