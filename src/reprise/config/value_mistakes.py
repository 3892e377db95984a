"""The words for a value that its key cannot take."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from reprise.config.annotations import Refusal, refusals
from reprise.config.context import Context
from reprise.config.mistakes import Mistake, meant, shown
from reprise.config.wording import words


def of_value(
    key: str, value: Any, annotation: Any, context: Context
) -> Iterator[tuple[str, Mistake]]:
    """Find what is wrong with the value of one key, each with the dotted key it is about."""
    for refusal in refusals(value, annotation, context.surroundings):
        dotted = ".".join([key, *refusal.within])
        if refusal.path is None:
            likely = meant(value, _texts(annotation)) if isinstance(value, str) else None
            remedy = f"did you mean {likely}?" if likely else _advice(key, value)
            yield key, wrong(key, value, words(annotation), remedy, context)
        else:
            yield dotted, _no_path(dotted, refusal, words(annotation), context)


def wrong(key: str, value: Any, expected: str, remedy: str, context: Context) -> Mistake:
    """A value of the wrong type, or out of range."""
    place = context.origins.place(key)
    return Mistake(f"{key}: cannot be {shown(value)}", place, expected, shown(value), remedy)


def _advice(key: str, value: Any) -> str:
    if value is None:
        return f"give {key} a value; null is none here"
    if isinstance(value, str) and value.replace(".", "", 1).lstrip("+-").isdigit():
        return "write the number without quotes"
    return f"change {key}"


def _texts(annotation: Any) -> list[str]:
    """The texts that an annotation lists."""
    if get_origin(annotation) is Literal:
        return [one for one in get_args(annotation) if isinstance(one, str)]
    return [text for one in get_args(annotation) for text in _texts(one)]


def _no_path(key: str, refusal: Refusal, expected: str, context: Context) -> Mistake:
    given = Path(str(refusal.path))
    path = context.surroundings.root / given
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    likely = None if path.exists() else meant(path.name, beside)
    start = "" if given.is_absolute() else f" (it starts from {context.surroundings.root})"
    return Mistake(
        f"{key}: no such {refusal.kind}: {given}",
        context.origins.place(key),
        expected,
        f"{'something else' if path.exists() else 'nothing'} of that name{start}",
        f"did you mean {given.with_name(likely)}?"
        if likely
        else f"give the path of a {refusal.kind} that exists",
    )
