"""The report of a check of the data: lines on the screen, a CSV file, and a page with pictures."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reprise.datasets.base import BaseDataset, Sample
from reprise.datasets.drawing import save_grid
from reprise.datasets.judge import (
    LEVELS,
    OF_CLASSES,
    Finding,
    Sheet,
    by_kind,
    label_counts,
    quantities,
)
from reprise.files import write_text

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
