"""What the measures of all samples say of a dataset: a list of findings, one line each."""

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from reprise.datasets.twins import Twins, are_same, candidates, equal_groups
from reprise.spec import Spec

SILENT_DB = -80.0  # of full scale; the noise of 16 bits is at -98
_FEW = 0.01  # share of samples, up to which they can be outliers
_FENCE = 3.0  # times as far from the median as 95 % of the values: an outlier
_UNEVEN = 10.0  # times that the most frequent class occurs more often than the rarest
_REPEATED = 0.05  # share of rows with a twin, from which repetition is the nature of a table
_COMPARED = 1000  # pairs of pictures that are read again and compared in full
_TOGETHER = 100  # of these pairs, in memory at a time
# What other programs write for a missing number: 99, -999, …, and fill values of float32 rasters.
_PLACEHOLDER = re.compile(r"99+|1e\+06|1e\+20|9\.96921e\+36|3\.40282e\+38")
_EMPTY = 0.5  # share of masks without foreground, from which they are the nature of the data

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")

# Kinds whose samples a quarantine leaves out: all of them, or of twins the first alone.
AT_FAULT = ("unreadable", "not finite", "constant", "silent", "empty mask", "contradiction")
TWINS = ("leakage",)
OF_CLASSES = ("rare label", "missing label", "group")  # whose samples are but examples


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the data, or worth knowing of them.

    Args:
        level: 'error' (training would fail, or learn from what is not there), 'warning' (a result
            may be worth less than it seems) or 'note'.
        kind: What it is, in a word or two; findings are counted and shown by it.
        message: One line.
        samples: Names of the samples it is about; of twins the one to leave out comes first.
    """

    level: Level
    kind: str
    message: str
    samples: tuple[str, ...] = ()

    @property
    def to_leave_out(self) -> tuple[str, ...]:
        """Names of the samples that a quarantine takes."""
        if self.kind in TWINS:
            return self.samples[:1]
        return self.samples if self.kind in AT_FAULT else ()


def by_kind(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Findings of each kind, errors first, then warnings, then notes."""
    ordered = sorted(findings, key=lambda one: LEVELS.index(one.level))
    kinds: dict[str, list[Finding]] = {}
    for one in ordered:
        kinds.setdefault(one.kind, []).append(one)
    return kinds


Span = tuple[Hashable, float, float]


@dataclass(frozen=True)
class Sheet:
    """All samples of a dataset, measured.

    Args:
        names: Of the samples.
        splits: Split of each sample.
        records: Measures of each sample, as `measures.measure` writes them.
        input_spec: Of the inputs.
        target_spec: Of the targets.
        read: Reads the inputs of samples again, by their places.
        groups: Group of each sample; None if samples are their own groups.
        spans: The stretch of a longer whole that each sample is; None where there is none.
        indices: Index of each sample in its dataset, if that has random access.
        rare: Number of samples below which a class is rare.
    """

    names: Sequence[str]
    splits: np.ndarray
    records: np.ndarray
    input_spec: Spec
    target_spec: Spec
    read: Callable[[Sequence[int]], Mapping[int, np.ndarray]]
    groups: Sequence[Hashable] | None = None
    spans: Sequence[Span] | None = None
    indices: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    rare: int = 5

    @cached_property
    def good(self) -> np.ndarray:
        """Places of the samples that could be read."""
        return np.flatnonzero(self.records["error"] == b"")

    @cached_property
    def plain(self) -> np.ndarray:
        """Places of the readable samples whose input is finite and not constant."""
        own = self.records[self.good]
        return self.good[(own["bad"] == 0) & (own["low"] < own["high"])]

    @property
    def what(self) -> str:
        """What a sample's input is called."""
        return "picture" if self.is_picture else "input"

    @cached_property
    def dark(self) -> np.ndarray:
        """Places of pictures without a value above a 255th of the dtype's largest."""
        if not self.is_picture:
            return self.plain[:0]
        highest = self.records["high"][self.plain]
        return self.plain[highest <= np.iinfo(self.input_spec.dtype).max // 255]

    @cached_property
    def present(self) -> np.ndarray:
        """Whether each readable sample has each class: shape (good, classes), bool."""
        bits = np.unpackbits(self.records["present"][self.good], axis=1, bitorder="little")
        return bits[:, : len(self.target_spec.classes)].astype(bool)

    @property
    def is_picture(self) -> bool:
        """Whether the inputs are pictures, which can be mirrored and turned."""
        shape = self.input_spec.shape
        return (
            self.input_spec.dtype in ("uint8", "uint16")
            and len(shape) == 3
            and shape[2] in (1, 3, 4)
        )

    def finding(self, level: Level, kind: str, at: int, text: str) -> Finding:
        """A finding on the sample at one place, which is named before `text`."""
        return Finding(level, kind, f"{self.names[at]}: {text}", self.named([at]))

    def column(self, at: int) -> str:
        """What the user calls a column of the input."""
        names = self.input_spec.names
        return f"column '{names[at]}'" if names else f"column {at}"

    def named(self, places: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """Names of the samples at these places."""
        return tuple(self.names[int(at)] for at in places)


def judge(sheet: Sheet) -> list[Finding]:
    """Everything that the measures of these samples show, in no particular order."""
    if not len(sheet.records):
        return []
    parts = (
        _unreadable, _constant, _ranges, _masks, _labels, _values, _placeholders, _outliers,
        _repetitions, _near_twins, _groups, _overlaps,
    )  # fmt: skip
    return [finding for part in parts for finding in part(sheet)]


def _unreadable(sheet: Sheet) -> Iterator[Finding]:
    for at in np.flatnonzero(sheet.records["error"] != b"").tolist():
        reason = sheet.records["error"][at].decode(errors="replace")
        yield Finding("error", "unreadable", reason, sheet.named([at]))
    for at in sheet.good[sheet.records["bad"][sheet.good] > 0].tolist():
        count = sheet.records["bad"][at]
        yield sheet.finding("error", "not finite", at, f"{count} value(s) are NaN or infinite")


def _constant(sheet: Sheet) -> Iterator[Finding]:
    own = sheet.records[sheet.good]
    is_silent = own["level"] <= SILENT_DB
    is_flat = (own["low"] == own["high"]) & (own["size"] > 1) & (own["bad"] == 0) & ~is_silent
    if sheet.input_spec.names:  # columns of a table, which may be equal by chance
        is_flat[:] = False
    for at in sheet.good[is_silent].tolist():
        level = sheet.records["level"][at]
        shown = f"{level:.0f} dB of full scale" if np.isfinite(level) else "digital silence"
        yield sheet.finding("warning", "silent", at, shown)
    for at in sheet.good[is_flat].tolist():
        value = f"every value of the input is {sheet.records['low'][at]:g}"
        yield sheet.finding("warning", "constant", at, value)
    if (columns := _columns(sheet)) is not None and len(columns) > 1:
        for at in np.flatnonzero((columns == columns[0]).all(axis=0)).tolist():
            message = f"{sheet.column(at)} of the input is {columns[0, at]:g} in every sample"
            yield Finding("note", "constant column", message)


def _ranges(sheet: Sheet) -> Iterator[Finding]:
    for place in sheet.dark.tolist():
        high, largest = sheet.records["high"][place], np.iinfo(sheet.input_spec.dtype).max
        dark = f"no value is above {high:g} of {largest}: all but black"
        yield sheet.finding("warning", "value range", place, dark)
    for place in sheet.good[sheet.records["peak"][sheet.good] > 1.0].tolist():
        loud = f"the sound reaches {sheet.records['peak'][place]:.4g}; full scale is 1"
        yield sheet.finding("warning", "value range", place, loud)


def _masks(sheet: Sheet) -> Iterator[Finding]:
    if sheet.target_spec.kind != "mask":
        return
    classes, has = sheet.target_spec.classes, sheet.present
    empty = sheet.good[~has.any(axis=1)]
    if len(classes) > 1:
        what, others = "no pixel of its mask counts: all are ignored", "all masks are ignored"
    else:
        what, others = f"its mask has no '{classes[0]}'", f"no mask has a '{classes[0]}'"
    if len(empty) == len(sheet.good) > 0:
        yield Finding("error", "empty mask", others)
    elif len(empty) > _EMPTY * len(sheet.good):
        yield Finding("note", "empty masks", f"{len(empty)} of {len(sheet.good)} samples: {what}")
    else:
        for at in empty.tolist():
            yield sheet.finding("warning", "empty mask", at, what)
    own = sheet.records[sheet.good]
    full = sheet.good[has.any(axis=1) & (own["y_low"] == own["y_high"])]
    if 0 < len(full) <= _EMPTY * len(sheet.good):
        for at in full.tolist():
            name = classes[int(sheet.records["y_low"][at]) if len(classes) > 1 else 0]
            yield sheet.finding("warning", "full mask", at, f"every pixel of its mask is '{name}'")


def _labels(sheet: Sheet) -> Iterator[Finding]:
    if not sheet.target_spec.classes or not len(sheet.good):
        return
    names = sheet.target_spec.classes
    if sheet.target_spec.kind == "mask" and len(names) == 1:
        return
    counts = label_counts(sheet)
    total = np.sum(list(counts.values()), axis=0)
    splits = list(counts)
    for at, name in enumerate(names):
        lacking = [split for split in splits if not counts[split][at]]
        if total[at] < sheet.rare:
            where = f", in {', '.join(s for s in splits if counts[s][at])}" if total[at] else ""
            message = f"'{name}' has {total[at]} sample(s){where}; fewer than rare={sheet.rare}"
            yield Finding("warning", "rare label", message, _examples(sheet, at))
        elif lacking:
            shown = ", ".join(f"{split} {counts[split][at]}" for split in splits)
            message = f"'{name}' is not in {' and '.join(lacking)} ({shown})"
            yield Finding("warning", "missing label", message, _examples(sheet, at))
    if np.count_nonzero(total) == 1 and sheet.target_spec.kind == "class":
        yield Finding("error", "one class", f"every sample is '{names[int(total.argmax())]}'")
    seen = total[total >= sheet.rare]
    if len(seen) > 1 and seen.max() >= _UNEVEN * seen.min():
        most = int(total.argmax())
        least = int(np.where(total >= sheet.rare, total, total.max()).argmin())
        message = (
            f"'{names[most]}' is in {total[most]} samples, '{names[least]}' in {total[least]}; "
            "accuracy says little then, f1 more"
        )
        yield Finding("note", "class balance", message)


def label_counts(sheet: Sheet) -> dict[str, np.ndarray]:
    """For each split the number of samples that have each class; shape (classes,)."""
    splits = sheet.splits[sheet.good]
    names = [name for name in ("train", "valid", "test") if name in set(splits)]
    return {name: sheet.present[splits == name].sum(axis=0) for name in names}


def _examples(sheet: Sheet, number: int) -> tuple[str, ...]:
    return sheet.named(sheet.good[sheet.present[:, number]][:12])


def _values(sheet: Sheet) -> Iterator[Finding]:
    own = sheet.records[sheet.good]
    if len(own) > 1 and not sheet.target_spec.classes:
        low, high = own["y_low"], own["y_high"]
        if np.ptp(low) == 0 and np.ptp(high) == 0 and low[0] == high[0]:
            yield Finding("error", "one value", f"the target of every sample is {low[0]:g}")
    if len(own) > 1 and (own["x"] == own["x"][0]).all():
        yield Finding("error", "one input", "the inputs of all samples are equal")


def _placeholders(sheet: Sheet) -> Iterator[Finding]:
    """Values such as -999, far from all others: in a column, the target, or the arrays.

    One of them alone is an outlier.
    """
    found = {name: own for name, own in quantities(sheet).items() if name == "target"}
    if (columns := _columns(sheet)) is not None:
        found |= {sheet.column(at): (own, sheet.plain) for at, own in enumerate(columns.T)}
    elif np.dtype(sheet.input_spec.dtype).kind in "fi":
        for name in ("low", "high"):
            found[f"the {name}est value of an input"] = (
                sheet.records[name][sheet.plain],
                sheet.plain,
            )
    for name, (values, places) in found.items():
        for value in (values.min(initial=0), values.max(initial=0)):
            is_it = values == value
            others, count = values[~is_it], np.count_nonzero(is_it)
            if count < 2 or not _PLACEHOLDER.fullmatch(f"{abs(value):.6g}") or not len(others):
                continue
            if np.abs(others - value).min() > max(np.ptp(others), np.abs(others).max() / 4):
                shown = f"{others.min():.4g} to {others.max():.4g}"
                message = (
                    f"{name}: {count} of {len(values)} samples have {value:g}, "
                    f"and the others {shown}; it may stand for what was not measured"
                )
                own = sheet.named(places[is_it])
                yield Finding("warning", "placeholder", message, own)


def quantities(sheet: Sheet) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What samples have a distribution of: values by name, and the places of their samples."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in ("height", "width"):
        values = sheet.records[name][sheet.good]
        if len(values) and np.isfinite(values).all():
            found[f"{name} in pixels"] = values, sheet.good
    if sheet.spans is not None:
        lengths = np.array([stop - start for _, start, stop in sheet.spans])
        found["duration in s"] = lengths[sheet.good], sheet.good
    level = sheet.records["level"][sheet.good]
    loud = level > SILENT_DB
    if loud.any():
        found["level in dB of full scale"] = level[loud], sheet.good[loud]
    if None in sheet.input_spec.shape:
        found["values in the input"] = sheet.records["size"][sheet.good], sheet.good
    if (columns := _columns(sheet)) is not None:
        for at in range(columns.shape[1]):
            found[f"input, {sheet.column(at)}"] = columns[:, at].astype(float), sheet.plain
    elif not loud.any():
        for name in ("mean", "deviation"):
            found[f"{name} of the input"] = sheet.records[name][sheet.plain], sheet.plain
    if not sheet.target_spec.classes:
        found["mean of the target" if sheet.target_spec.shape else "target"] = (
            sheet.records["y_mean"][sheet.good], sheet.good,
        )  # fmt: skip
    elif sheet.target_spec.kind == "mask" and len(sheet.target_spec.classes) == 1:
        found["share of foreground"] = sheet.records["y_mean"][sheet.good], sheet.good
    return {name: pair for name, pair in found.items() if len(pair[0])}


def _columns(sheet: Sheet) -> np.ndarray | None:
    if "columns" not in (sheet.records.dtype.names or ()):
        return None
    return sheet.records["columns"][sheet.plain]


def outliers(values: np.ndarray) -> np.ndarray:
    """Positions of values far outside of the others; none if more than a hundredth are.

    Far is three times as far from the median as 19 of 20 values are on that side, and away from
    the nearest value inside by as much again. Where these are equal, any other value is far.
    """
    if len(values) < 20:
        return np.empty(0, np.int64)
    low, middle, high = np.percentile(values, [2.5, 50, 97.5])
    far = np.zeros(len(values), bool)
    for side, reach in ((middle - values, middle - low), (values - middle, high - middle)):
        inside = side <= _FENCE * reach
        far |= side > max(_FENCE * reach, side[inside].max() + reach)
    found = np.flatnonzero(far)
    return found if len(found) <= max(1, _FEW * len(values)) else found[:0]


def _outliers(sheet: Sheet) -> Iterator[Finding]:
    reasons: dict[int, list[str]] = {}
    for name, (values, places) in quantities(sheet).items():
        if name == "share of foreground":
            continue
        what, _, unit = name.partition(" in ")
        shown = "{:.4g} " + unit if unit else "{:.4g}"
        middle = f"the median is {np.median(values):.4g}"
        for at in outliers(values).tolist():
            reason = f"{what} {shown.format(values[at])} ({middle})"
            reasons.setdefault(int(places[at]), []).append(reason)
    for at in sorted(reasons.keys() - set(sheet.dark.tolist())):
        yield sheet.finding("note", "outlier", at, ", ".join(reasons[at]))


def _repetitions(sheet: Sheet) -> Iterator[Finding]:
    groups = list(equal_groups(sheet.records["x"], sheet.plain))
    is_row = len(sheet.input_spec.shape) == 1
    if is_row and sum(map(len, groups)) > _REPEATED * len(sheet.plain):
        count = sum(map(len, groups))
        message = f"{count} of {len(sheet.plain)} samples have the same input as another one"
        yield Finding("note", "duplicates", message)
        return
    for group in groups:
        yield from _twins_of(sheet, group)


def _twins_of(sheet: Sheet, group: np.ndarray) -> Iterator[Finding]:
    """Lines on samples of equal content: for each that is in another split than the first one."""
    splits, targets = sheet.splits[group], sheet.records["y"][group]
    order = [at for name in ("train", "valid", "test") for at in group[splits == name].tolist()]
    first = order[0]
    own = [at for at in order if sheet.splits[at] == sheet.splits[first]]
    for at in order[len(own) :]:
        yield _leak(sheet, Twins(first, at), "the same content")
    if sheet.target_spec.classes and len(set(targets.tolist())) > 1:
        others = [at for at in order if sheet.records["y"][at] != sheet.records["y"][first]]
        message = f"the same content with different targets: {_shown(sheet, [first, *others])}"
        yield Finding("warning", "contradiction", message, sheet.named(group))
    elif len(own) > 1:
        split = sheet.splits[first]
        message = f"the same content, {len(own)} times in {split}: {_listed(sheet, own)}"
        yield Finding("note", "duplicate", message, sheet.named(own))


def _near_twins(sheet: Sheet) -> Iterator[Finding]:
    if "thumb" not in (sheet.records.dtype.names or ()):
        return
    _, firsts = np.unique(sheet.records["x"][sheet.plain], return_index=True)
    places = sheet.plain[np.sort(firsts)]  # of samples that differ
    pairs = [
        pair._replace(first=int(places[pair.first]), second=int(places[pair.second]))
        for pair in candidates(sheet.records["thumb"][places], sheet.is_picture)
    ]
    alike: list[set[int]] = []  # within a split
    for pair in _same_pictures(sheet, pairs[:_COMPARED]):
        turned = f", {pair.turn}" if pair.turn else ""
        targets = sheet.records["y"][list(pair[:2])]
        if sheet.splits[pair.first] != sheet.splits[pair.second]:
            yield _leak(sheet, pair, f"nearly the same {sheet.what}{turned}")
        elif sheet.target_spec.kind == "class" and not turned and targets[0] != targets[1]:
            message = f"nearly the same {sheet.what} with different targets: "
            shown = _shown(sheet, pair[:2])
            yield Finding("warning", "contradiction", message + shown, sheet.named(pair[:2]))
        else:
            joined = [one for one in alike if one & {*pair[:2]}]
            alike = [one for one in alike if one not in joined]
            alike.append({*pair[:2]}.union(*joined))
    for one in alike:
        own = sorted(one)
        message = f"nearly the same {sheet.what}, in {sheet.splits[own[0]]}: {_listed(sheet, own)}"
        yield Finding("note", "near duplicate", message, sheet.named(own))
    if len(pairs) > _COMPARED:
        message = "further pairs look alike, and were not compared in full"
        yield Finding("note", "near duplicates", f"{len(pairs) - _COMPARED} {message}")


def _same_pictures(sheet: Sheet, pairs: Sequence[Twins]) -> Iterator[Twins]:
    """Those of the pairs that are the same when all of their pixels are compared."""
    for start in range(0, len(pairs), _TOGETHER):
        some = pairs[start : start + _TOGETHER]
        inputs = sheet.read(sorted({at for pair in some for at in pair[:2]}))
        for pair in some:
            if are_same(inputs[pair.first], inputs[pair.second], pair.turn, pair.detail):
                yield pair


def _leak(sheet: Sheet, pair: Twins, how: str) -> Finding:
    order = ("train", "valid", "test")
    places = sorted(pair[:2], key=lambda at: order.index(sheet.splits[at]))
    return Finding("warning", "leakage", f"{how}: {_shown(sheet, places)}", sheet.named(places))


def _shown(sheet: Sheet, places: Sequence[int] | np.ndarray) -> str:
    """Names with split and, where it is one class, target."""
    return " and ".join(
        f"{sheet.names[at]} ({', '.join(filter(None, [sheet.splits[at], _class_of(sheet, at)]))})"
        for at in list(places)[:4]
    )


def _class_of(sheet: Sheet, at: int) -> str:
    if sheet.target_spec.kind != "class":
        return ""
    return f"'{sheet.target_spec.classes[int(sheet.records['y_low'][at])]}'"


def _listed(sheet: Sheet, places: Sequence[int]) -> str:
    more = f" and {len(places) - 4} more" if len(places) > 4 else ""
    return ", ".join(sheet.named(places[:4])) + more


def _groups(sheet: Sheet) -> Iterator[Finding]:
    if sheet.groups is None:
        return
    members: dict[Hashable, dict[str, list[int]]] = {}
    for at, group in enumerate(sheet.groups):
        members.setdefault(group, {}).setdefault(str(sheet.splits[at]), []).append(at)
    for group, by_split in members.items():
        if len(by_split) > 1:
            shown = ", ".join(f"{split} {len(own)}" for split, own in by_split.items())
            some = [own[0] for own in by_split.values()]
            message = f"the group '{group}' is in several splits: {shown}"
            yield Finding("warning", "group", message, sheet.named(some))


def _overlaps(sheet: Sheet) -> Iterator[Finding]:
    """Stretches of one recording that share time: of different classes, or in different splits."""
    if sheet.spans is None or sheet.target_spec.kind != "class":
        return
    by_whole: dict[Hashable, list[tuple[float, float, int]]] = {}
    for at, (whole, start, stop) in enumerate(sheet.spans):
        by_whole.setdefault(whole, []).append((start, stop, at))
    for own in by_whole.values():
        own.sort()
        last = own[0]
        for one in own[1:]:
            if one[0] < last[1] - 1e-6:
                common = min(one[1], last[1]) - one[0]
                shown = _shown(sheet, [last[2], one[2]])
                message = f"annotations overlap by {common:.3g} s: {shown}"
                yield Finding("warning", "overlap", message, sheet.named([last[2], one[2]]))
            last = max(last, one, key=lambda span: span[1])
