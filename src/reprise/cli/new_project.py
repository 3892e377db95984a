"""Write a project of one's own: `reprise new-project path=FOLDER kind=KIND [data=PATH_OR_URL]`.

`kind` is masks, folder, table, recordings, rows, arrays, csv or stream. Without data= it has sample
data of that kind. `engine=` is what pip takes for the engine, instead of a wheel in vendor/. Words
`dataset.KEY=VALUE` stand for what would be guessed.
"""

import shlex
from pathlib import Path

from reprise.cli.main import split_options, undone_when_stopped
from reprise.scaffold.new import new_project


@undone_when_stopped()
def main(argv: list[str]) -> None:
    """Print what was guessed, and the two commands that follow."""
    asked, words = split_options(argv, path=None, kind=None, data="", engine="")
    place = Path(asked["path"]).expanduser().absolute()
    for line in new_project(place, asked["kind"], asked["data"], asked["engine"], words):
        print(line)
    print(f"next:  cd {shlex.quote(asked['path'])} && make train")
