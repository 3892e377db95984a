"""Mistakes in a configuration: found one by one, shown all at once."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from textwrap import indent, shorten

from reprise.config.secrets import redact
from reprise.errors import UserError

SHOWN_CHARACTERS = 150


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Args:
        what: Key or override, and what is wrong with it.
        place: Where it was written: a file and its line, or the override as typed.
        expected: What would be right.
        received: What is there instead.
        remedy: What to do about it.
    """

    what: str
    place: str
    expected: str
    received: str
    remedy: str


def as_error(mistakes: Iterable[Mistake], overrides: list[str]) -> UserError:
    """Combine mistakes into one error, in their order, without duplicates."""
    found = list(dict.fromkeys(mistakes))
    if len(found) == 1:
        (one,) = found
        parts = (f"{one.what} ({one.place})", one.expected, one.received, one.remedy)
        return UserError(*(redact(part) for part in parts))
    listed = "\n".join(_entry(number, mistake) for number, mistake in enumerate(found, 1))
    return UserError(
        redact(f"{len(found)} mistakes in the configuration\n{listed}"),
        "keys and values that the files in conf/ and the code they name have room for",
        redact(" ".join(overrides)) or "no override",
        f"mend all {len(found)}; nothing has been started",
    )


def _entry(number: int, mistake: Mistake) -> str:
    details = f"expected {mistake.expected}; received {mistake.received}"
    lines = (f"{mistake.what} ({mistake.place})", details, mistake.remedy)
    text = indent("\n".join(lines), " " * 6)
    return f"{number:>4}. {text.lstrip()}"


def nearest_key(key: str, known: Collection[str]) -> str | None:
    """Return the known dotted key that is most similar to `key`, or None.

    The last name counts most: the same name in another section wins over a similar one in this.
    """

    parent, _, leaf = key.rpartition(".")

    def score(other: str) -> float:
        parts = zip((parent, leaf), other.rpartition(".")[::2], (1, 4), strict=True)
        return sum(weight * difflib.SequenceMatcher(None, a, b).ratio() for a, b, weight in parts)

    best = max(known, key=score, default="")
    return best if score(best) > 3.3 else None


def nearest_name(name: str, names: Collection[str]) -> str | None:
    """Return the one of `names` that is most similar to `name`, or None."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return close[0] if close else None


def suggest(name: str | None, otherwise: str) -> str:
    """Ask whether `name` was meant; if it is None, return another remedy."""
    return f"did you mean {name}?" if name else otherwise


def listing(names: Iterable[str]) -> str:
    """Join names for a message, and shorten a long list."""
    return shorten(", ".join(names), SHOWN_CHARACTERS, placeholder=" …") or "none"


def shown(value: object) -> str:
    """Write a value as in a YAML file, shortened if it is long."""
    plain = {None: "null", True: "true", False: "false"}
    text = plain[value] if value is None or isinstance(value, bool) else repr(value)
    return shorten(text, SHOWN_CHARACTERS, placeholder=" …")
