"""What MLflow takes of a run, in one place: how long, how many, and which letters."""

import re

AT_ONCE = 100  # params or tags in one call
TEXT_LENGTH = (
    6000  # of a param; longer ones are refused or cut, and the whole config is an artifact
)
DIGEST_LENGTH = 36  # of a dataset
_FOREIGN = re.compile(r"[^\w\-./ :]")


def allowed(name: str) -> str:
    """A name as MLflow takes it, with `_` for what it does not: class names may hold anything."""
    return _FOREIGN.sub("_", name)
