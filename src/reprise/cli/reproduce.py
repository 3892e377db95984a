"""Train a run again from its record: `reprise reproduce run=ID|last [epochs=N] [key=value …]`.

Its code, packages and data are rebuilt in a folder of their own, and every metric and the weights
are compared. Exit code 0: identical, or equal but for what other hardware explains; 1: different.
`epochs=N` compares that many. `code=here`, `packages=here`, `data=here` take that part as it is
today; `verify=full` reads every input file again, instead of those whose size or times have
changed; further words change the run's configuration. `runs=FOLDER` looks elsewhere than in runs/.
A run that is only in MLflow is brought from there, from `uri=ADDRESS` if that is another store.
"""

import sys

from reprise.cli.main import split_options, undone_when_stopped
from reprise.errors import UserError
from reprise.project import ROOT, typed
from reprise.runs.reproduce import reproduce

PARTS = ("code", "packages", "data")


@undone_when_stopped()
def main(argv: list[str]) -> None:
    """Print the verdict."""
    parts = dict.fromkeys(PARTS, "recorded")
    own = {"run": None, "epochs": "all", "runs": "runs", "verify": "times", "uri": "", **parts}
    asked, changes = split_options(argv, **own)
    for part in PARTS:
        if asked[part] not in ("here", "recorded"):
            raise _odd(f"{part}={asked[part]}", f"{part}=here or {part}=recorded")
    if asked["verify"] not in ("times", "full"):
        raise _odd(f"verify={asked['verify']}", "verify=times or verify=full")
    number = asked["epochs"]
    if number != "all" and (not number.isascii() or not number.isdecimal() or not int(number)):
        raise _odd(f"epochs={number}", "a whole number of at least 1, or all")
    verdict = reproduce(
        asked["run"],
        ROOT / asked["runs"],
        epochs=None if number == "all" else int(number),
        here=[part for part in PARTS if asked[part] == "here"],
        changes=changes,
        full=asked["verify"] == "full",
        uri=asked["uri"],
    )
    print(f"\n{verdict.text}")
    for line in verdict.details:
        print(f"  {line}")
    print(f"next:  {typed('ui')}        to see both runs; the tag `reproduced` says it")
    if verdict.kind == "different":
        sys.exit(1)


def _odd(received: str, expected: str) -> UserError:
    return UserError("that is no way to reproduce a run", expected, received, f"use {expected}")
