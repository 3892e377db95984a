"""List the runs and their status: `reprise runs [runs=FOLDER]`."""

from reprise.cli.main import options
from reprise.project import ROOT
from reprise.runs.folder import IDENTITY, describe


def main(argv: list[str]) -> None:
    """Print one line per run, the newest last, with its status and how to resume it."""
    runs = ROOT / options(argv, runs="runs")["runs"]
    folders = [path.parent for path in runs.glob(f"*/*/{IDENTITY}")]
    for folder in sorted(folders, key=lambda folder: folder.name):
        print(f"{folder.name}  {folder.parent.name:<14} {describe(folder)}")
    if not folders:
        print(f"no run in {runs.name}/ yet: make train exp=NAME")
