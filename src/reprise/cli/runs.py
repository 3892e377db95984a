"""List the runs and their status: `reprise runs [runs=FOLDER]`."""

from reprise.cli.main import options
from reprise.project import ROOT, relative
from reprise.runs.folder import IDENTITY, describe
from reprise.tracking.folders import DEBUG, is_debug, name_in, run_folders


def main(argv: list[str]) -> None:
    """Print one line per run, the newest last, with its status and how to resume it."""
    runs = ROOT / options(argv, runs="runs")["runs"]
    every = run_folders(runs, IDENTITY)
    folders = [folder for folder in every if not is_debug(folder, runs)]
    for folder in folders:
        status = describe(folder)
        if folder.exists():  # else it was deleted meanwhile
            print(f"{folder.name}  {name_in(folder, runs):<14} {status}")
    if not folders:
        print(f"no run in {relative(runs)}/ yet: make train exp=NAME")
    if debug := len(every) - len(folders):
        print(f'{debug} more with debug=…: make runs args="runs={relative(runs / DEBUG)}"')
