"""Calibrate a run's model: `reprise calibrate run=ID|last [precision=0.9]`.

Fits a temperature and a threshold for each class on the validation split: `by=f1`, the best F1, or
the least that reaches `precision`. They stand in the run's calibration.json, and predict uses them.
Prints the thresholds, and the scores of the test split before and after.
"""

from reprise.cli.main import options
from reprise.errors import UserError
from reprise.project import ROOT, relative
from reprise.runs.bring import find_or_bring
from reprise.runs.calibrate import PICTURE, calibrate
from reprise.runs.calibration import CALIBRATION, is_one
from reprise.runs.score import markdown_table

_CLASSES = 30  # that are listed


def main(argv: list[str]) -> None:
    """Calibrate, and print what came of it."""
    asked = options(argv, run=None, precision="", by="", runs="runs", uri="")
    wanted = _read(asked["precision"], asked["by"])
    saved = find_or_bring(asked["run"], ROOT / asked["runs"], asked["uri"])
    found = calibrate(saved, wanted)
    limits = list(found.thresholds.items())
    rows = []
    for name, limit in limits[:_CLASSES]:
        precision, recall, count = found.classes[name]
        said = "never" if limit is None else f"{limit:.4f}"
        rows.append((name, said, f"{precision:.4f}", f"{recall:.4f}", f"{count:.0f}"))
    rule = f"; one class of several: {found.rule}" if is_one(saved.specs["target"]) else ""
    print(f"temperature {found.temperature:.4g}{rule}\n")
    split = list(found.scores)[-1].partition("/")[0]
    head = ("class", f"threshold by {found.by}", "precision", "recall", f"in {split}")
    print(markdown_table([head, *rows], 1))
    if never := [name for name, one in limits if one is None]:
        print(f"\nno threshold reaches that precision for {', '.join(never)}")
    scores = [(n, f"{a:.4f}", f"{b:.4f}") for n, (a, b) in found.scores.items()]
    print(f"\n{markdown_table([('score', 'before', 'after'), *scores], 1)}\n")
    before, after = found.scores[f"{split}/nll"]
    if after > before:
        print(f"note: the probabilities of {split} are less honest with it: valid may be too small")
    print(f"picture  {relative(saved.folder / PICTURE)}")
    print(f"stored   {relative(saved.folder / CALIBRATION)}")
    print("predict uses it from now on; with calibrated=false it does not")


def _read(precision: str, by: str) -> float | None:
    """The precision that is wanted, or None for F1."""
    try:
        wanted = float(precision) if precision else None
    except ValueError:
        wanted = -1.0
    is_f1 = by in ("", "f1") and wanted is None
    is_precision = by in ("", "precision") and wanted is not None and 0 < wanted < 1
    if is_f1 or is_precision:
        return wanted
    raise UserError(
        "thresholds cannot be chosen by this",
        "by=f1, or precision=NUMBER with a number between 0 and 1",
        " ".join(f"{k}={v}" for k, v in (("by", by), ("precision", precision)) if v),
        "give one of them, or none for F1",
    )
