"""The keys of conf/config.yaml that belong to no group."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every experiment has beside its groups.

    Args:
        seed: Initial weights, batch order and random transforms follow from it; 32 bits.
    """

    seed: Annotated[int, Interval(ge=0, lt=4294967296)] = 0
