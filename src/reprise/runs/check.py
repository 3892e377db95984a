"""The verb check-data: examine, judge, report, and write the list of samples to leave out."""

from __future__ import annotations

import base64
import csv
import html
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reprise.config.compose import Composed
from reprise.datasets.base import BaseDataset, Dataset, Sample
from reprise.datasets.drawing import save_grid
from reprise.datasets.exclude import MAX_EXCLUDED, read_list, write_list
from reprise.datasets.judge import (
    LEVELS,
    OF_CLASSES,
    Finding,
    Sheet,
    by_kind,
    judge,
    label_counts,
    quantities,
)
from reprise.datasets.stream import Stream
from reprise.datasets.tracked import tracked
from reprise.errors import UserError
from reprise.files import write_text
from reprise.project import ROOT, relative, typed
from reprise.runs.examine import changes, examine, read_again
from reprise.runs.experiment import Data, build_dataset, open_data
from reprise.runs.external import External
from reprise.runs.record import make_record

_NAMES = 3  # on the screen, of each kind
_LINES = 200  # on the page, of each kind
_PICTURES = 12  # on the page, of each kind
_DISTRIBUTIONS = 24
_STYLE = """
body { font: 15px/1.5 sans-serif; color: #222; max-width: 62em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
table { border-collapse: collapse }
td, th { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: left }
td.number, th.number { text-align: right } img { max-width: 100% }
.error { color: #b00020 } .warning { color: #a05a00 } .note { color: #556 }
ul { max-height: 22em; overflow-y: auto; padding-left: 1.2em } li { overflow-wrap: anywhere }
"""


def check_data(composed: Composed, strict: str, quarantine: str, rare: str) -> None:
    """Read every sample of an experiment; print, and write, all that is found.

    Args:
        composed: Its configuration.
        strict: 'true': a warning is an error.
        quarantine: 'true': write the list of samples that `dataset.exclude` is to leave out.
        rare: Number of samples below which a class is rare.

    Raises:
        UserError: there are errors in the data; or a word is none of these.
    """
    is_strict, is_quarantine = _yes("strict", strict), _yes("quarantine", quarantine)
    data = open_data(composed.values, checked=False)
    if is_quarantine and isinstance(data.dataset, External):
        data.dataset.without({}, (), Path("FILE"))  # raises: its samples have no names
    sheet, found = examine(data, _count(rare))
    if isinstance(data.dataset, Stream) and not found:
        again = build_dataset(composed.values["dataset"])
        assert isinstance(again, Stream)
        found = [Finding("error", "changes", line) for line in data.dataset.changes(again)]
    if not any(one.level == "error" for one in found):
        found = [*found, *changes(data, composed.values)]
    notes = [Finding("note", "not read", note) for note in data.dataset.notes]
    findings = [*found, *judge(sheet), *notes]
    counts = ", ".join(f"{list(sheet.splits).count(split)} {split}" for split in data.splits)
    sound = "" if findings else ", all sound"
    print(f"{len(sheet.names)} samples read{sound}: {counts}")
    for line in lines(findings):
        print(line)

    folder = ROOT / "runs" / "check" / composed.experiment
    write_csv(folder / "check.csv", findings)

    def read(places: Sequence[int]) -> Mapping[int, Sample]:
        if not isinstance(data.dataset, Dataset):
            return read_again(data, sheet.splits.tolist(), places)
        return {at: data.dataset.read(int(sheet.indices[at]), None) for at in places}

    page = folder / "check.html"
    write_page(page, composed.experiment, data.dataset, sheet, findings, read)
    print(f"whole list  {relative(folder / 'check.csv')}\npage        {relative(page)}")
    if is_quarantine:
        _write_quarantine(data, composed.experiment, findings)
    remedy = "mend or remove these samples"
    if not is_quarantine:
        remedy += "; or have them left out: add quarantine=true"
    _refuse(findings, is_strict, remedy)
    make_record(composed, data)  # what a run begins with, and would end it


def _refuse(findings: Sequence[Finding], strict: bool, remedy: str) -> None:
    bad = [one for one in findings if one.level == "error" or (strict and one.level == "warning")]
    if bad:
        kinds = ", ".join(f"{kind}: {len(own)}" for kind, own in by_kind(bad).items())
        raise UserError(
            f"{len(bad)} problem(s) in the data",
            expected="no error" + (", and with strict=true no warning" if strict else ""),
            received=f"{kinds}\n{bad[0].message}",
            remedy=remedy,
        )


def _write_quarantine(data: Data, experiment: str, findings: Sequence[Finding]) -> None:
    """Write the list of samples to leave out, with those that were left out before."""
    path = data.exclude or _beside(data.dataset.sources, experiment)
    reasons = read_list(path) if path.exists() else {}
    before = len(reasons)
    for one in findings:
        for name in one.to_leave_out:
            reasons.setdefault(name, f"{one.kind}: {one.message}")
    if not reasons:
        print("quarantine  no sample is to be left out; no list is written")
        return
    write_list(path, reasons)
    new = len(reasons) - before
    print(f"quarantine  {relative(path)}: {len(reasons)} sample(s), {new} of them new")
    share = len(reasons) / (sum(size or 0 for size in data.sizes().values()) + data.num_excluded)
    most = f" dataset.max_excluded={share + 0.0005:.3f}" if share > MAX_EXCLUDED else ""
    words = f"dataset.exclude={relative(path)}{most}"
    by_make = (ROOT / "Makefile").exists()
    name = "exp" if by_make else "experiment"
    words = f'{name}={experiment} args="… {words}"' if by_make else f"{name}={experiment} … {words}"
    print(f"to leave them out: {typed('train')} {words}")


def _beside(sources: Sequence[Path], experiment: str) -> Path:
    """Beside the data: in no folder that DVC tracks, and none that samples come from.

    In the project's folder for data without files, and where nothing can be written beside them.
    """
    elsewhere = ROOT / f"{Path(experiment).name}.exclude.csv"
    if not sources:
        return elsewhere
    place = (ROOT / sources[0]).resolve()
    folders = [(ROOT / one).resolve() for one in sources]
    outs = [(ROOT / out).resolve() for out in tracked(ROOT, place)[0]]
    taken = [*outs, *(folder for folder in folders if folder.is_dir())]
    while any(place.parent.is_relative_to(folder) for folder in taken):
        place = place.parent
    is_writable = os.access(place.parent, os.W_OK)
    return place.with_name(f"{place.name}.exclude.csv") if is_writable else elsewhere


def _yes(word: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise UserError(f"{word} is wrong", "true or false", f"{word}={value}", f"set {word}=true")
    return value == "true"


def _count(text: str) -> int:
    if not text.isdigit():
        raise UserError(
            "rare is wrong",
            "the number of samples below which a class is rare, 0 or more",
            f"rare={text}",
            "for instance rare=5",
        )
    return int(text)


def lines(findings: Sequence[Finding]) -> list[str]:
    """What is found, a line for each kind: level, kind, how many, and the first few of them."""
    shown = []
    for kind, own in by_kind(findings).items():
        names = [name for one in own for name in one.samples[:2]]
        of_samples = bool(names) and kind not in OF_CLASSES
        if len(own) == 1 or not of_samples:
            said = own[0].message
        else:
            said = ", ".join(list(dict.fromkeys(names))[:_NAMES])
            said += ", …" if len(set(names)) > _NAMES else ""
        more = f" … and {len(own) - 1} more" if len(own) > 1 and not of_samples else ""
        shown.append(f"{own[0].level:<8} {kind:<16} {len(own):>6}  {said}{more}")
    return shown


def write_csv(path: Path, findings: Sequence[Finding]) -> None:
    """Write one row for each finding."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["level", "kind", "message", "samples"])
    for own in by_kind(findings).values():
        for one in own:
            writer.writerow([one.level, one.kind, one.message, " | ".join(one.samples)])
    write_text(path, text.getvalue())


def write_page(
    path: Path,
    title: str,
    dataset: BaseDataset[Any],
    sheet: Sheet,
    findings: Sequence[Finding],
    read: Callable[[Sequence[int]], Mapping[int, Sample]],
) -> None:
    """Write a page that needs no other file: summary, distributions, and findings with pictures.

    Args:
        path: The page.
        title: Its heading.
        dataset: Draws the samples.
        sheet: Measures of all samples.
        findings: What is found.
        read: Reads samples by their places in the sheet.
    """
    places = {name: at for at, name in enumerate(sheet.names)}
    good = set(sheet.good.tolist())
    parts = [f"<h1>{html.escape(title)}</h1>", _summary(sheet, findings)]
    for kind, own in by_kind(findings).items():
        level = own[0].level
        parts.append(f"<h2 class={level}>{level}: {html.escape(kind)} ({len(own)})</h2><ul>")
        parts += [f"<li>{html.escape(one.message)}</li>" for one in own[:_LINES]]
        more = f"<p>and {len(own) - _LINES} more, in check.csv</p>" if len(own) > _LINES else ""
        parts.append(f"</ul>{more}")
        named = dict.fromkeys(name for one in own for name in one.samples if name in places)
        drawn = [places[name] for name in named if places[name] in good][:_PICTURES]
        if drawn:
            parts.append(_picture(path.parent, dataset, sheet, drawn, read(sorted(set(drawn)))))
    parts += [_classes(sheet), _distributions(sheet)]
    head = f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title>"
    write_text(path, f"{head}<style>{_STYLE}</style>{''.join(parts)}\n")


def _summary(sheet: Sheet, findings: Sequence[Finding]) -> str:
    counts = [f"{np.count_nonzero(sheet.splits == name)} {name}" for name in _splits(sheet)]
    by_level = {level: sum(one.level == level for one in findings) for level in LEVELS}
    found = ", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in by_level.items())
    return f"<p>{len(sheet.names)} samples: {', '.join(counts)}. {found}.</p>"


def _splits(sheet: Sheet) -> list[str]:
    return [name for name in ("train", "valid", "test") if name in set(sheet.splits.tolist())]


def _classes(sheet: Sheet) -> str:
    if not sheet.target_spec.classes or not len(sheet.good):
        return ""
    counts = label_counts(sheet)
    head = "".join(f"<th class=number>{name}" for name in [*counts, "all"])
    rows = []
    for at, name in enumerate(sheet.target_spec.classes):
        own = [int(count[at]) for count in counts.values()]
        cells = "".join(f"<td class=number>{count}" for count in [*own, sum(own)])
        rows.append(f"<tr><td>{html.escape(name)}{cells}")
    return f"<h2>Samples with each class</h2><table><tr><th>{head}{''.join(rows)}</table>"


def _distributions(sheet: Sheet) -> str:
    from matplotlib.figure import Figure

    found = [(name, values) for name, (values, _) in quantities(sheet).items()][:_DISTRIBUTIONS]
    if not found:
        return ""
    rows = -(-len(found) // 4)
    figure = Figure(figsize=(11, 2.1 * rows), layout="constrained")
    cells = figure.subplots(rows, 4, squeeze=False).ravel()
    for axes, (name, values) in zip(cells, found, strict=False):
        shown = values[np.isfinite(values)]
        spread = np.ptp(shown) if len(shown) else 0.0
        is_one = spread <= 1e-6 * np.abs(shown).max(initial=0.0)  # but for rounding
        axes.hist(np.full(len(shown), shown[0]) if is_one and len(shown) else shown, bins=40)
        axes.set_title(name, fontsize=9)
        axes.set_yscale("symlog")
        axes.tick_params(labelsize=7)
    for axes in cells[len(found) :]:
        axes.set_axis_off()
    image = io.BytesIO()
    figure.savefig(image, dpi=100)
    return f"<h2>Distributions</h2>{_inline(image.getvalue())}"


def _picture(
    folder: Path,
    dataset: BaseDataset[Any],
    sheet: Sheet,
    places: Sequence[int],
    samples: Mapping[int, Sample],
) -> str:
    x, y = ([samples[at][part] for at in places] for part in (0, 1))
    names = [f"{sheet.names[at]} ({sheet.splits[at]})" for at in places]
    file = save_grid(folder / ".samples.png", dataset.draw, x, y, names=names, dpi=90)
    inline = _inline(file.read_bytes())
    file.unlink()
    return inline


def _inline(png: bytes) -> str:
    return f'<p><img src="data:image/png;base64,{base64.b64encode(png).decode()}">'
