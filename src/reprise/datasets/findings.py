"""What a check of the data finds, as one line of its report each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
