"""Pack a run into one file: `reprise export-run run=ID|last [to=FILE.zip] [data=true]`.

The file holds the run's record, code, packages, metrics, pictures and best model, and the runs that
an update started from; with `data=true` its input files, too. `reproduce`, `clone`, `evaluate` and
`predict` take it as `run=FILE.zip` in any project. `runs=FOLDER` looks elsewhere than in runs/; a
run that is only in MLflow is brought from there, from `uri=ADDRESS` if that is another store.
"""

from reprise.cli.main import options, undone_when_stopped
from reprise.errors import UserError
from reprise.project import ROOT, relative, typed
from reprise.runs.archive import export
from reprise.runs.bring import ancestors, find_or_bring


@undone_when_stopped()
def main(argv: list[str]) -> None:
    """Print where the file is."""
    asked = options(argv, run=None, to="", data="false", runs="runs", uri="")
    if asked["data"] not in ("true", "false"):
        raise UserError("data is wrong", "data=true or data=false", asked["data"], "choose one")
    runs = ROOT / asked["runs"]
    saved = find_or_bring(asked["run"], runs, asked["uri"])
    file = ROOT / (asked["to"] or f"{runs}/exported/{saved.folder.name}.zip")
    export(saved, [*ancestors(saved, asked["uri"])], file, data=asked["data"] == "true")
    print(f"run {saved.folder.name} is exported: {relative(file)}, {file.stat().st_size:,} bytes")
    print(f"next:  {typed('reproduce')} run={file.name}        in a project on another machine")
