"""Train an experiment for several values of some keys."""

import json
from pathlib import Path

from reprise.config.secrets import MASK
from reprise.errors import UserError
from reprise.project import ROOT, relative
from reprise.sweeps.ledger import locked
from reprise.sweeps.plan import OWN, Plan, make_plan
from reprise.sweeps.run import SWEEP, begin, run


def sweep(argv: list[str]) -> None:
    """Begin a sweep, or go on with the one that the same command began."""
    plan = make_plan(argv)
    settings = plan.first.values["tracking"]
    home = ROOT / settings["runs"] / (settings["experiment"] or plan.first.experiment)
    with locked(home / ".sweeps.lock"):
        folder = None if plan.sweep.fresh else _begun_by(plan, home)
        folder = folder or begin(plan, home)
    run(folder, plan)


def resume(argv: list[str]) -> None:
    """Go on with a sweep by its id: `sweep=ID|last`, and settings of `sweep` and `launcher`."""
    given = {word.partition("=")[0]: word for word in argv}
    wanted = given.pop("sweep").partition("=")[2]
    runs = ROOT / (given.pop("runs", "runs=runs").partition("=")[2])
    folders = sorted(path.parent for path in runs.glob(f"*/*/{SWEEP}"))
    found = [f for f in folders if wanted in (f.name, "last")]
    if not found:
        raise UserError(
            f"no sweep '{wanted}'",
            expected=f"the id of a sweep under {relative(runs)}/, or 'last'",
            received=f"sweep={wanted}; there are: {', '.join(f.name for f in folders) or 'none'}",
            remedy="give one of these ids, or begin one: make sweep exp=NAME",
        )
    folder = max(found, key=lambda folder: folder.name)
    words = json.loads((folder / SWEEP).read_text())["words"]
    masked = {word.partition("=")[0] for word in words if MASK in word}
    odd = [word for key, word in given.items() if not OWN.match(key) and key not in masked]
    if odd:
        raise UserError(
            "a sweep goes on with the jobs that it began with",
            expected="keys of sweep and launcher, and values with a password, which are not kept",
            received=" ".join(odd),
            remedy="leave them out, or begin a new sweep: make sweep",
        )
    kept = [word for word in words if word.partition("=")[0] not in given]
    run(folder, make_plan([*kept, *given.values()]))


def _begun_by(plan: Plan, home: Path) -> Path | None:
    """The newest sweep that this command has begun."""
    sweeps = sorted(home.glob(f"*/{SWEEP}"), reverse=True)
    keys = ((path.parent, json.loads(path.read_text())["key"]) for path in sweeps)
    return next((folder for folder, key in keys if key == plan.key), None)
