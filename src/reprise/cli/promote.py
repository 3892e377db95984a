"""Register a run's model: `reprise promote run=ID name=NAME [alias=champion force=true]`.

It is scored first, and so is the model that has the alias, on the same samples; one that is not
better is refused, exit code 2, unless `force=true`. `model=NAME@alias` then names it to predict.
"""

import shlex

from reprise.cli.main import options
from reprise.errors import UserError
from reprise.project import ROOT, typed
from reprise.runs.promote import promote


def main(argv: list[str]) -> None:
    """Print the version, and what it was compared with."""
    asked = options(argv, run=None, name=None, alias="champion", force="false", runs="runs")
    if asked["force"] not in ("true", "false"):
        raise UserError("force is wrong", "true or false", f"force={asked['force']}", "choose one")
    force, name, alias = asked["force"] == "true", asked["name"], asked["alias"]
    done = promote(asked["run"], ROOT / asked["runs"], name, alias, force=force)
    now = f"{done.metric} {done.value:.4g}"
    before = f", {done.before:.4g} of run {done.holder} before" if done.before is not None else ""
    print(f"{name} version {done.version} is {name}@{alias}: {now}{before}")
    model = shlex.quote(f"model={name}@{alias}")
    print(f"next:  {typed('predict')} {model} input=PATH        to use it")
