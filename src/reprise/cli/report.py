"""Write a page about a run and its model: `reprise report run=ID|last [output=FILE]`.

One HTML file with everything in it, `report.html` in the run's folder, and an artifact in MLflow.
"""

from reprise.cli.main import options
from reprise.errors import UserError
from reprise.project import ROOT, relative
from reprise.runs.bring import find_or_bring
from reprise.runs.report import report


def main(argv: list[str]) -> None:
    """Write the page, and print where it is."""
    asked = options(argv, run=None, output="", runs="runs", uri="")
    output = ROOT / asked["output"] if asked["output"] else None
    if output and (output.is_dir() or output.suffix.lower() not in (".html", ".htm")):
        raise UserError(
            f"output={asked['output']} is no page",
            "a file whose name ends in .html",
            "a folder" if output.is_dir() else f"the ending '{output.suffix}'",
            "name a file: output=page.html",
        )
    saved = find_or_bring(asked["run"], ROOT / asked["runs"], asked["uri"])
    print(f"the page of run {saved.folder.name}: {relative(report(saved, output))}")
