"""What a part of the configuration is held against."""

from dataclasses import dataclass

from reprise.config.origins import Origins
from reprise.config.paths import Surroundings


@dataclass(frozen=True)
class Context:
    """What is known of the whole while one section is looked at.

    Args:
        origins: Where each key was written.
        known: Every dotted key that some section takes.
        groups: Groups that conf/config.yaml names.
        unset: Dotted keys without a value, with the reason.
        surroundings: Decides whether paths exist.
    """

    origins: Origins
    known: list[str]
    groups: frozenset[str]
    unset: dict[str, str]
    surroundings: Surroundings
