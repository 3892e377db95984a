"""The calibration of a run's model, as its folder holds it: a temperature, and thresholds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from reprise.errors import UserError
from reprise.project import relative
from reprise.spec import Spec

CALIBRATION = "calibration.json"
_LEAST_YES, _LEAST = 1e-7, 1e-12  # probabilities whose logarithm is still taken

Rule = Literal["most probable", "over threshold", "certain"]


@dataclass(frozen=True)
class Calibration:
    """How a model's probabilities become honest, and answers.

    Args:
        temperature: Divides the logits (Guo et al. 2017); 1: as the model has them.
        thresholds: For each class the least probability, after that, of a yes; None: never a yes.
        rule: How one class of several is chosen. `most probable`; `over threshold`: the largest
            probability divided by its class's threshold; `certain`: the most probable, and none
            where its probability is below its threshold.
        by: How the thresholds were chosen, 'f1' or 'precision 0.9'.
        split: The split it was fitted on.
        model: SHA-256 of the model's file.
        scores: Before and after, `{'test/ece': (0.1, 0.02)}`.
        classes: Of each class precision and recall at its threshold, and how often it occurs; on
            the test split, or the fitted one where there is no test.
    """

    temperature: float
    thresholds: Mapping[str, float | None]
    rule: Rule
    by: str
    split: str
    model: str
    scores: Mapping[str, Sequence[float]] = field(default_factory=dict)
    classes: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = [f"{name} {_said(value)}" for name, value in self.thresholds.items()]
        more = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
        return f"temperature {self.temperature:.3g}, thresholds {', '.join(shown[:6])}{more}"

    def softened(self, p: np.ndarray, spec: Spec) -> np.ndarray:
        """Probabilities at this temperature; float32, of the same shape."""
        return soften(p, self.temperature, is_one=is_one(spec))

    def limits(self, spec: Spec) -> np.ndarray:
        """Threshold of each class, shape (classes,), float32; infinite for never."""
        own = [self.thresholds.get(name, 0.5) for name in spec.classes]
        return np.array([np.inf if one is None else one for one in own], np.float32)


def is_one(spec: Spec) -> bool:
    """Whether a target is one class of several, whose probabilities sum to 1, and no yes or no."""
    return spec.kind == "class" or (spec.kind == "mask" and len(spec.classes) > 1)


def soften(p: np.ndarray, temperature: float, *, is_one: bool) -> np.ndarray:
    """Divide the logits of probabilities by a temperature.

    Args:
        p: Probabilities, classes on the last axis.
        temperature: Above 0; above 1 the probabilities become less sure.
        is_one: Whether they sum to 1 (softmax), or each stands by itself (sigmoid).

    Returns:
        float32, of the shape of `p`; `p` itself where the temperature is 1.
    """
    if temperature == 1:
        return p
    p = p.astype(np.float32, copy=False)
    if is_one:
        logits = np.log(np.maximum(p, _LEAST)) / np.float32(temperature)
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)
    kept = np.clip(p, _LEAST_YES, 1 - _LEAST_YES)
    return 1 / (1 + ((1 - kept) / kept) ** np.float32(1 / temperature))


def decide(
    p: np.ndarray, spec: Spec, limits: np.ndarray, rule: Rule = "most probable"
) -> np.ndarray:
    """The answers that probabilities stand for.

    Args:
        p: Shape (…, classes).
        spec: Of the target.
        limits: Threshold of each class, exclusive, shape (classes,).
        rule: See `Calibration`; of no account for labels and masks of yes and no.

    Returns:
        One class of several: ids, shape (…), int64, -1 where none is certain. Else 0 or 1, uint8,
        of the shape of `p`.
    """
    if not is_one(spec):
        return (p > limits).astype(np.uint8)
    if rule == "over threshold":
        return (p / np.maximum(limits, 1e-6)).argmax(-1)
    ids = p.argmax(-1)
    if rule == "certain":
        ids = np.where(p.max(-1) > limits[ids], ids, -1)
    return ids


def read_calibration(folder: Path) -> Calibration | None:
    """The calibration of the run in `folder`; None where it has none.

    Raises:
        UserError: its file was spoilt by hand.
    """
    file = folder / CALIBRATION
    if not file.exists():
        return None
    try:
        return TypeAdapter(Calibration).validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"the calibration of run {folder.name} cannot be read",
            f"{relative(file)} as make calibrate writes it",
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}".lstrip(": "),
            "correct it, or calibrate again; predict does without it: calibrated=false",
        ) from None


def model_hash(file: Path) -> str:
    """SHA-256 of a model's file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _said(value: Any) -> str:
    return "never" if value is None else f"{value:.3g}"
