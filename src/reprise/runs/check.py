"""The verb check-data: examine, judge, report, and write the list of samples to leave out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from reprise.config.compose import Composed
from reprise.datasets.base import Dataset, Sample
from reprise.datasets.exclude import MAX_EXCLUDED, read_list, write_list
from reprise.datasets.judge import Finding, by_kind, judge
from reprise.datasets.stream import Stream
from reprise.errors import UserError
from reprise.project import ROOT, relative, typed
from reprise.runs import check_report
from reprise.runs.examine import examine, read_again
from reprise.runs.experiment import Data, open_data
from reprise.runs.external import External, build_dataset
from reprise.runs.record import make_record
from reprise.tracking.provenance import tracked


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
        found = [Finding("error", "unreadable", line) for line in data.dataset.changes(again)]
    notes = [Finding("note", "not read", note) for note in data.dataset.notes]
    findings = [*found, *judge(sheet), *notes]
    counts = ", ".join(f"{list(sheet.splits).count(split)} {split}" for split in data.splits)
    sound = "" if findings else ", all sound"
    print(f"{len(sheet.names)} samples read{sound}: {counts}")
    for line in check_report.lines(findings):
        print(line)

    folder = ROOT / "runs" / "check" / composed.experiment
    check_report.write_csv(folder / "check.csv", findings)

    def read(places: Sequence[int]) -> Mapping[int, Sample]:
        if not isinstance(data.dataset, Dataset):
            return read_again(data, sheet.splits.tolist(), places)
        return {at: data.dataset.read(int(sheet.indices[at]), None) for at in places}

    page = folder / "check.html"
    check_report.write_page(page, composed.experiment, data.dataset, sheet, findings, read)
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
