"""Give a project another engine: `reprise update-engine to=WHEEL|VERSION`, and `back=true`.

Prints what that changes for the project's experiments, and runs its tests.
"""

import os
import subprocess

from reprise.cli.main import options, undone_when_stopped
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.scaffold.engine import back, update_engine


@undone_when_stopped()
def main(argv: list[str]) -> None:
    """Print what changed, and how to go back."""
    asked = options(argv, to="", back="")
    if bool(asked["to"]) == (asked["back"] == "true"):
        expected = "to=WHEEL, to=VERSION or back=true"
        raise UserError("which engine?", expected, " ".join(argv) or "nothing", "choose one")
    print(*(update_engine(asked["to"]) if asked["to"] else back()), sep="\n", flush=True)
    if asked["to"]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        failed = subprocess.run(["make", "test"], cwd=ROOT, env=clean).returncode
        print("back:  make update-engine back=true")
        if failed:
            remedy = "mend them as they say, or go back: make update-engine back=true"
            raise UserError("the project's tests fail", "tests that pass", "see above", remedy)
