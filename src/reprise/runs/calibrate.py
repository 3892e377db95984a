"""Calibrate: a temperature and thresholds for a run's model, fitted on its validation split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import f1_score, precision_recall_curve

from reprise.config.build import build
from reprise.datasets.drawing import plain_text
from reprise.errors import UserError
from reprise.files import replacing, write_text
from reprise.project import typed
from reprise.runs.calibration import (
    CALIBRATION,
    Calibration,
    Rule,
    decide,
    is_one,
    model_hash,
    soften,
)
from reprise.runs.experiment import Data
from reprise.runs.folder import held
from reprise.runs.load import SavedRun, open_saved_data, require_best
from reprise.runs.predictor import Predictor, open_predictor
from reprise.runs.sync import add_to_record

if TYPE_CHECKING:
    from reprise.spec import Spec

PICTURE = "pictures/calibration.png"
MOST = 10_000_000  # probabilities of a split that are kept: of larger masks, pixels are drawn
BINS = 15  # of confidence, as Guo et al. (2017)
HOTTEST = 20.0  # temperature; the coldest is 1 / 20
_SHOWN = 10  # classes whose curves are drawn

Answers = tuple[np.ndarray, np.ndarray]  # probabilities, (n, classes); truth: ids, or (n, classes)


def calibrate(saved: SavedRun, precision: float | None = None) -> Calibration:
    """Fit a temperature and thresholds on the validation split, and record them with the run.

    The temperature minimizes the negative log-likelihood (Guo et al. 2017), and is 1 where none is
    better. A threshold has the best F1 of its class, or is the least that reaches a precision.
    One class of several stays the most probable one; if F1 is asked for, it is the one with the
    largest probability for its threshold, where thresholds of one half of the validation split
    have a better mean F1 and accuracy in the other half; if a precision, none below its threshold.

    Args:
        saved: The run.
        precision: Wanted of each class, 0 to 1; None: the best F1.

    Returns:
        The calibration, with scores before and after.

    Raises:
        UserError: the run has no classes, no model, or no validation split.
    """
    name, spec = saved.folder.name, saved.specs["target"]
    if spec.kind == "values":
        raise UserError(
            f"run {name} has nothing to calibrate",
            "a model of classes: one of several, labels, or masks",
            f"a model of values of the shape {spec.shape}, which are no probabilities",
            f"use its answers as they are; {typed('evaluate')} run={name} says how good they are",
        )
    if precision is not None and spec.kind == "mask" and is_one(spec):
        raise UserError(
            f"run {name} answers every pixel with one of {len(spec.classes)} classes",
            "precision=… for a model that can leave an answer open: of one class, of labels, of "
            "masks of yes and no",
            f"precision={precision:g}",
            "leave precision out: thresholds are then chosen by F1",
        )
    model = model_hash(require_best(saved.folder))
    data = open_saved_data(saved)
    if "valid" not in data.splits:
        raise UserError(
            f"run {name} has no validation split",
            "samples that the model was not trained on, beside those of the test",
            f"the splits {', '.join(data.splits)}",
            "train a run with dataset.split.valid",
        )
    with held(saved.folder):
        found = _fitted(open_predictor(saved, calibrated=False), data, model, precision)
        write_text(saved.folder / CALIBRATION, json.dumps(asdict(found), indent=1))
    add_to_record(
        saved.folder, files=[CALIBRATION, PICTURE], tags={"calibration": str(found)[:250]}
    )
    return found


def _fitted(predictor: Predictor, data: Data, model: str, precision: float | None) -> Calibration:
    spec = predictor.target_spec
    p, truth = seen = _seen(predictor, data, "valid")
    temperature = fit_temperature(p, truth, is_one=is_one(spec))
    p = soften(p, temperature, is_one=is_one(spec))
    thresholds = _thresholds(p, truth, spec, predictor.threshold, precision)
    by = "f1" if precision is None else f"precision {precision:g}"
    rule: Rule = "most probable" if precision is None else "certain"
    found = Calibration(temperature, thresholds, rule, by, "valid", model)
    if is_one(spec) and precision is None and _pays(p, truth, spec, data.seed):
        found = replace(found, rule="over threshold")
    scores = _probability_scores("valid", seen, found, spec)
    split, later = "valid", seen
    if "test" in data.splits:
        split, metrics = "test", [_Metrics(predictor, data, None), _Metrics(predictor, data, found)]
        later = _seen(predictor, data, split, metrics)
        scores |= _probability_scores(split, later, found, spec)
        raw, new = (one.result(split) for one in metrics)
        scores |= {name: (raw[name], new[name]) for name in raw}
        if found.rule == "certain":
            ids = decide(found.softened(later[0], spec), spec, found.limits(spec), "certain")
            before, answered = (later[0].argmax(-1) == later[1]).mean(), ids >= 0
            after = (ids == later[1]).sum() / max(answered.sum(), 1)
            scores[f"{split}/answered"] = 1.0, float(answered.mean())
            scores[f"{split}/accuracy_of_answered"] = float(before), float(after)
    _draw(predictor.saved.folder / PICTURE, (p, _each(truth, spec)), later, split, found, spec)
    return replace(found, scores=scores, classes=_by_class(later, found, spec))


class _Metrics:
    """The metrics of a run's objective, of answers with a calibration, or without one."""

    def __init__(self, predictor: Predictor, data: Data, calibration: Calibration | None) -> None:
        node = predictor.saved.config["objective"]
        self._metrics = build(node, data.dataset.target_spec, key="objective")[1]
        self._calibration, self._spec = calibration, predictor.target_spec

    def add(self, p: np.ndarray, y: np.ndarray) -> None:
        """Add a batch."""
        decided = p
        if own := self._calibration:
            p = decided = own.softened(p, self._spec)
            if not is_one(self._spec):  # the metrics have a threshold of their own
                decided = decide(p, self._spec, own.limits(self._spec)).astype(np.float32)
            elif own.rule == "over threshold":
                decided = p / np.maximum(own.limits(self._spec), 1e-6)
        for metric in self._metrics:
            is_own = type(metric).__module__.startswith("reprise.")
            metric.update_state(y, decided if is_own else p)

    def result(self, split: str) -> dict[str, float]:
        """`{'<split>/<metric>': value}`."""
        return {f"{split}/{metric.name}": float(metric.result()) for metric in self._metrics}


def _seen(
    predictor: Predictor, data: Data, split: str, metrics: Sequence[_Metrics] = ()
) -> Answers:
    """Answers to a split, and the truth; of masks those pixels that count, or some of them."""
    spec, rng = predictor.target_spec, np.random.default_rng(data.seed)
    kept: list[Answers] = []
    with data.loader(split) as loader:
        steps = loader.steps_per_pass
        for x, y in loader.batches(0, steps):
            answers, y = predictor(x), np.array(y)
            for one in metrics:
                one.add(answers, y)
            p, truth = answers.reshape(-1, answers.shape[-1]), y
            _require_probabilities(predictor, p)
            if spec.kind == "mask" or is_one(spec):
                truth = y.reshape(-1) if is_one(spec) else y.reshape(-1, 1)
                most = max(1, MOST // (steps * p.shape[1]))
                if spec.ignore is not None:
                    good = truth.ravel() != spec.ignore
                    p, truth = p[good], truth[good]
                if len(p) > most:
                    drawn = rng.choice(len(p), most, replace=False)
                    p, truth = p[drawn], truth[drawn]
            kept.append((p, truth.astype(np.int64)))
    ps, truths = zip(*kept, strict=True)
    if not sum(map(len, truths)):
        raise UserError(
            f"the {split} split of run {predictor.saved.folder.name} has no pixel that counts",
            "pixels of a class in its masks",
            f"the value {spec.ignore}, to be ignored, in all of them",
            "add masks to it, and train again",
        )
    return np.concatenate(ps), np.concatenate(truths)


def _require_probabilities(predictor: Predictor, p: np.ndarray) -> None:
    low, high, total = (float(value) for value in (p.min(), p.max(), p.sum(-1).mean()))
    if low >= 0 and high <= 1.001 and (not is_one(predictor.target_spec) or abs(total - 1) < 0.01):
        return
    raise UserError(
        f"the model of run {predictor.saved.folder.name} does not answer with probabilities",
        "numbers from 0 to 1, whose sum is 1 for one class of several",
        f"numbers from {low:.4g} to {high:.4g}, with a mean sum of {total:.4g}",
        "end the model with a softmax, or of labels with a sigmoid",
    )


def fit_temperature(p: np.ndarray, truth: np.ndarray, *, is_one: bool) -> float:
    """The temperature with the least negative log-likelihood; 1 where none is better."""

    def at(log: float) -> float:
        return likelihood(soften(p, float(np.exp(log)), is_one=is_one), truth, is_one=is_one)

    ends = -np.log(HOTTEST), np.log(HOTTEST)
    best = minimize_scalar(at, bounds=ends, method="bounded", options={"xatol": 1e-3})
    return float(np.exp(best.x)) if best.fun < at(0.0) else 1.0


def likelihood(p: np.ndarray, truth: np.ndarray, *, is_one: bool) -> float:
    """Mean negative log-likelihood; of labels over all of them."""
    own = p[np.arange(len(p)), truth] if is_one else np.where(truth, p, 1 - p)
    return float(-np.log(np.maximum(own, 1e-12), dtype=np.float64).mean())


def reliability(p: np.ndarray, truth: np.ndarray, *, is_one: bool) -> np.ndarray:
    """Samples, mean confidence and share that is right, by bin of confidence; shape (3, 15).

    The confidence is that of the most probable class; of labels that of a yes.
    """
    sure, right = (p.max(-1), p.argmax(-1) == truth) if is_one else (p.ravel(), truth.ravel() > 0)
    at = np.clip((sure * BINS).astype(int), 0, BINS - 1)
    counts, sums, hits = (np.bincount(at, w, BINS) for w in (None, sure, right))
    return np.stack([counts, sums / np.maximum(counts, 1), hits / np.maximum(counts, 1)])


def calibration_error(p: np.ndarray, truth: np.ndarray, *, is_one: bool) -> float:
    """Expected calibration error: mean distance of confidence and truth (Naeini et al. 2015)."""
    counts, sure, right = reliability(p, truth, is_one=is_one)
    return float((counts * np.abs(sure - right)).sum() / counts.sum())


def fit_threshold(
    p: np.ndarray, yes: np.ndarray, usual: float, precision: float | None
) -> float | None:
    """The threshold of a class: in the middle between two probabilities that occur.

    Args:
        p: Probability of the class, shape (n,).
        yes: Whether it is the truth, shape (n,).
        usual: For a class that does not occur.
        precision: The least threshold that reaches it; None: the best F1.

    Returns:
        The threshold; None where none reaches the precision.
    """
    if not yes.any():
        return usual
    precisions, recalls, cuts = precision_recall_curve(yes, p)
    precisions, recalls = precisions[:-1], recalls[:-1]
    if precision is None:
        at = int((precisions * recalls / np.maximum(precisions + recalls, 1e-12)).argmax())
    else:
        reached = np.flatnonzero((precisions >= precision) & (recalls > 0))
        if not len(reached):
            return None
        at = int(reached[0])
    return float((cuts[at] + (cuts[at - 1] if at else 0)) / 2)


def _thresholds(
    p: np.ndarray, truth: np.ndarray, spec: Spec, usual: float, precision: float | None
) -> dict[str, float | None]:
    yes = _each(truth, spec)
    return {
        name: fit_threshold(p[:, at], yes[:, at], usual, precision)
        for at, name in enumerate(spec.classes)
    }


def _pays(p: np.ndarray, truth: np.ndarray, spec: Spec, seed: int) -> bool:
    """Whether thresholds of one half choose better classes in the other half, and the reverse.

    More samples become right than wrong, by two standard deviations of chance (McNemar 1947).
    """
    order = np.arange(len(p))  # whole pictures, whose pixels are alike, are in one half
    if spec.kind != "mask":
        order = np.random.default_rng(seed).permutation(len(p))
    halves, ids = (order[: len(p) // 2], order[len(p) // 2 :]), np.zeros(len(p), np.int64)
    for one, other in (halves, halves[::-1]):
        limits = np.array([*_thresholds(p[one], truth[one], spec, 0.5, None).values()], np.float32)
        ids[other] = decide(p[other], spec, limits, "over threshold")
    usual = p.argmax(-1)
    right, right_now = ids == truth, usual == truth
    gained, lost = np.sum(right & ~right_now), np.sum(right_now & ~right)
    is_sure = gained - lost > 2 * np.sqrt(gained + lost)
    return bool(is_sure and _mean_f1(truth, ids) > _mean_f1(truth, usual))


def _mean_f1(truth: np.ndarray, ids: np.ndarray) -> float:
    return f1_score(truth, ids, labels=np.unique(truth), average="macro", zero_division=0)


def _each(truth: np.ndarray, spec: Spec) -> np.ndarray:
    """Yes or no of each class, shape (n, classes), bool."""
    return truth[:, None] == np.arange(len(spec.classes)) if is_one(spec) else truth > 0


def _by_class(seen: Answers, found: Calibration, spec: Spec) -> dict[str, tuple[float, ...]]:
    """Precision, recall and number of each class at its threshold."""
    yes, said = _each(seen[1], spec), found.softened(seen[0], spec) > found.limits(spec)
    hits, answers, truths = (of.sum(0) for of in (yes & said, said, yes))
    rows = np.stack([hits / np.maximum(answers, 1), hits / np.maximum(truths, 1), truths], 1)
    return {name: tuple(row) for name, row in zip(spec.classes, rows.tolist(), strict=True)}


def _probability_scores(
    split: str, seen: Answers, found: Calibration, spec: Spec
) -> dict[str, tuple[float, float]]:
    p, truth = seen
    both = p, found.softened(p, spec)
    measures: dict[str, Any] = {"nll": likelihood, "ece": calibration_error}
    return {
        f"{split}/{name}": tuple(of(one, truth, is_one=is_one(spec)) for one in both)
        for name, of in measures.items()
    }


def _draw(
    path: Path, fitted: Answers, seen: Answers, split: str, found: Calibration, spec: Spec
) -> None:
    """Draw reliability before and after, and precision over recall of each class."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    for name, p in (("before", seen[0]), ("after", found.softened(seen[0], spec))):
        counts, sure, hits = reliability(p, seen[1], is_one=is_one(spec))
        error = calibration_error(p, seen[1], is_one=is_one(spec))
        there = counts > 0
        (line,) = left.plot(sure[there], hits[there], "o-", markersize=4)
        line.set_label(f"{name}, ECE {error:.4f}")
        left.bar(
            (np.arange(BINS) + 0.5) / BINS, 0.25 * counts / counts.max(), 1 / BINS,
            color=line.get_color(), alpha=0.2,
        )  # fmt: skip
    left.set(xlabel="confidence", ylabel="share that is right", title=f"reliability, {split}")
    left.legend(loc="upper left", fontsize=8)
    p, yes = fitted
    for at, name in list(enumerate(spec.classes))[:_SHOWN]:
        if not yes[:, at].any():
            continue
        precisions, recalls, _ = precision_recall_curve(yes[:, at], p[:, at])
        keep = np.unique(np.linspace(0, len(recalls) - 1, 1000).astype(int))
        (line,) = right.plot(recalls[keep], precisions[keep], label=plain_text(name, 20))
        limit = found.thresholds[name]
        said = p[:, at] > (np.inf if limit is None else limit)
        if said.any():
            hit = (said & yes[:, at]).sum()
            right.plot(hit / yes[:, at].sum(), hit / said.sum(), "o", color=line.get_color())
    more = f", {_SHOWN} of {len(spec.classes)} classes" if len(spec.classes) > _SHOWN else ""
    right.set(xlabel="recall", ylabel="precision", title=f"thresholds by {found.by}, valid{more}")
    right.legend(fontsize=7, loc="lower left")
    for axes in (left, right):
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        axes.grid(alpha=0.3)
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=110)
