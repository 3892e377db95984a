"""Runs to compare, as they would be read from their folders."""

from typing import Any

from reprise.runs.compare_seen import Seen


def seen(end: str, **changes: Any) -> Seen:
    """A finished run whose id ends in `end`, and which is as all others but for `changes`."""
    facts: dict[str, Any] = {
        "id": f"20261121-1200{len(end):02d}-{end}",
        "status": "finished",
        "choices": {"experiment": "digits", "model": "cnn"},
        "params": {"optimizer.learning_rate": "0.001", "model.units": "[128]", "seed": "0"},
        "metrics": {"valid/accuracy": 0.5, "test/accuracy": 0.25, "valid/loss": 1.5},
        "history": {},
        "data": "d" * 32,
        "code": "c" * 40,
        "monitor": "valid/accuracy",
        "mode": "max",
    }
    return Seen(**facts | changes)
