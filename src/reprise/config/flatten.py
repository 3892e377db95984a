"""Nested configuration to a flat dict of parameters."""

import json
from typing import Any

Scalar = str | int | float | bool | None


def flatten(values: dict[str, Any]) -> dict[str, Scalar]:
    """Turn nested dicts into dotted leaves; nothing is left out.

    Args:
        values: Plain values, as `compose` gives them.

    Returns:
        One entry per leaf. Lists and empty dicts become compact JSON text.
    """
    leaves: dict[str, Scalar] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            leaves.update({f"{name}.{key}": leaf for key, leaf in flatten(value).items()})
        elif isinstance(value, dict | list):
            leaves[str(name)] = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        else:
            leaves[str(name)] = value
    return leaves
