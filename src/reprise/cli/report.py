"""Write a page about a run and its model: `reprise report run=ID|model=NAME@alias`.

One HTML file with everything in it, `report.html` in the run's folder, and an artifact in MLflow;
`output=FILE.html` elsewhere. `runs=FOLDER`, `uri=ADDRESS` as for predict.
"""

from reprise.cli.main import options
from reprise.errors import UserError
from reprise.project import ROOT, relative
from reprise.runs.registered import find_asked
from reprise.runs.report import report


def main(argv: list[str]) -> None:
    """Write the page, and print where it is."""
    asked = options(argv, run="", model="", output="", runs="runs", uri="")
    output = ROOT / asked["output"] if asked["output"] else None
    if output and (output.is_dir() or output.suffix.lower() not in (".html", ".htm")):
        raise UserError(
            f"output={asked['output']} is no page",
            "a file whose name ends in .html",
            "a folder" if output.is_dir() else f"the ending '{output.suffix}'",
            "name a file: output=page.html",
        )
    saved = find_asked(asked["run"], asked["model"], ROOT / asked["runs"], asked["uri"])
    print(f"the page of run {saved.folder.name}: {relative(report(saved, output))}")
