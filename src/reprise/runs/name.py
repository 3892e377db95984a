"""What a run is called in the UI, so that one can tell it from the others there."""

import re

from reprise.config.compose import Composed
from reprise.config.secrets import redact
from reprise.runs.parent import Parent

LETTERS = 100
VALUE_LETTERS = 24
UNSAID = re.compile(r"(experiment|model|debug)$|tracking[.@]|loader\.workers$|.*pictures")


def run_name(composed: Composed, run: str, parent: Parent | None = None) -> str:
    """The model, the end of the id, and what was asked for: `cnn a766 learning_rate=0.01`.

    The UI shows some twenty letters in its list, so what always differs comes early.

    Args:
        composed: Its configuration.
        run: Its id.
        parent: The run it starts from.
    """
    if parent:  # the overrides are the parent's whole configuration
        what = f"update of {_end(parent.recorded.folder.name)}"
    else:
        what = _asked(composed.overrides)
    name = f"{composed.choices['model']} {_end(run)} {what}".strip()
    return _cut(name, LETTERS)


def _asked(overrides: list[str]) -> str:
    """The overrides as typed, each by the last word of its key; of a path its last part."""
    said = []
    for word in overrides:
        key, equals, value = redact(word).lstrip("+").partition("=")
        if not UNSAID.match(key):
            short = key.rpartition(".")[2]
            last = value if "," in value else value.rstrip("/").rpartition("/")[2]
            said.append(f"{short}{equals}{_cut(last, VALUE_LETTERS)}")
    return " ".join(said)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _end(run: str) -> str:
    return run.rpartition("-")[2]
