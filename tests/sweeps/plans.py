"""The plan of a sweep, without composing anything."""

from collections.abc import Sequence
from typing import Any

from reprise.config.compose import Composed
from reprise.sweeps.launcher import Launcher, Local
from reprise.sweeps.plan import Compositions, Plan
from reprise.sweeps.settings import Sweep
from reprise.sweeps.space import Axis

NO_LAUNCHER = Local()


def make_plan(
    axes: Sequence[Axis] = (),
    launcher: Launcher = NO_LAUNCHER,
    uri: str | None = None,
    **settings: Any,
) -> Plan:
    """Return a plan that aims at a large `valid/iou`; `settings` are those of `Sweep`."""
    tracking = {"_target_": "reprise.tracking.settings.Tracking", "uri": uri}
    tracking |= {"runs": "runs", "experiment": "digits"}
    first, same = Composed({"tracking": tracking}, {}, []), Compositions({}, {})
    sweep = Sweep(**settings)
    return Plan([], [], [*axes], first, sweep, launcher, "valid/iou", "max", same, "d")
