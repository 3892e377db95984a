"""Put data of one's own in place: `reprise add-data path=PATH name=NAME [how=copy|link|move]`.

`kind=` says what the data are, where that is not seen: masks, folder, table, recordings, rows,
arrays, csv, stream; with `kind=none` they are neither looked at nor checked.
"""

from pathlib import Path

from reprise.cli.main import options, undone_when_stopped
from reprise.scaffold.add import add_data


@undone_when_stopped()
def main(argv: list[str]) -> None:
    """Copy, record and check the data; print what was guessed, and the command that trains."""
    asked = options(argv, path=None, name=None, how="copy", kind="")
    source = Path(asked["path"]).expanduser()
    for line in add_data(source, asked["name"], asked["how"], asked["kind"]):
        print(line)
