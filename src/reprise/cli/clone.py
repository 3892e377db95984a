"""Make a folder to take a run further in: `reprise clone run=ID|last|FILE.zip [to=FOLDER]`.

It holds the code as it was, in a git repository of one commit; the run's config as an experiment;
its data, linked; and the run itself. The last line printed trains the same run there. `data=here`
and `packages=here` take that part as it is today. `runs=FOLDER` looks elsewhere than in runs/; a
run that is only in MLflow is brought from there, from `uri=ADDRESS` if that is another store.
"""

import shlex

from reprise.cli.main import options, undone_when_stopped
from reprise.errors import UserError
from reprise.project import ROOT
from reprise.runs.bring import ancestors, find_or_bring
from reprise.runs.clone import clone

PARTS = ("data", "packages")


@undone_when_stopped()
def main(argv: list[str]) -> None:
    """Print the folder, and what trains the run there."""
    parts = dict.fromkeys(PARTS, "recorded")
    asked = options(argv, run=None, to="", runs="runs", uri="", **parts)
    for part in PARTS:
        if asked[part] not in ("here", "recorded"):
            expected = f"{part}=here or {part}=recorded"
            raise UserError("that is no way to clone a run", expected, asked[part], "choose one")
    saved = find_or_bring(asked["run"], ROOT / asked["runs"], asked["uri"])
    folder = ROOT / (asked["to"] or f"../{saved.experiment.replace('/', '_')}-{saved.folder.name}")
    here = [part for part in PARTS if asked[part] == "here"]
    chain = [*ancestors(saved, asked["uri"])]
    project, command = clone(saved, chain, folder.resolve(), here=here)
    print(f"run {saved.folder.name} is cloned: {project}")
    print("its runs are recorded there, in runs/ and mlflow.db, unless its config names a server")
    print(f"next:  cd {shlex.quote(str(project))}")
    print(f"       {command}")
