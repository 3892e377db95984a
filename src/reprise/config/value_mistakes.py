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
    root = context.surroundings.root
    path = root / str(refusal.path)
    likely = None
    if path.parent.is_dir():
        likely = meant(path.name, [other.name for other in path.parent.iterdir()])
    is_other = "there is something else in its place" if path.exists() else None
    return Mistake(
        f"{key}: no such {refusal.kind}: {refusal.path}",
        context.origins.place(key),
        expected,
        is_other or f"a path that does not exist (it starts from {root})",
        f"did you mean {Path(str(refusal.path)).with_name(likely)}?"
        if likely and likely != path.name
        else f"give the path of a {refusal.kind} that exists",
    )
