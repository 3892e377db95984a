"""Export a model: `reprise export run=ID|model=NAME@alias format=saved_model|onnx|litert`.

`int8=true` (litert) stores 8 bits a number. `output=PATH` is the file, or the folder of a
SavedModel; without it below exports/. Both models then answer the run's test split, and the
differences and metrics are printed and recorded with the run; `check=false` leaves that out. Exit
code 1: they differ by more than the tolerance. `runs=FOLDER`, `uri=ADDRESS` as for predict.
"""

import sys
from typing import get_args

from reprise.cli.main import options
from reprise.errors import UserError
from reprise.project import ROOT, relative
from reprise.runs.export import Format, Parity, export
from reprise.runs.registered import find_asked
from reprise.tracking.journal import of_all_classes


def main(argv: list[str]) -> None:
    """Print where the model is, and the comparison."""
    own = {"run": "", "model": "", "uri": "", "runs": "runs", "format": None, "output": ""}
    asked = options(argv, **own, int8="false", check="true")
    for key, expected in (
        ("format", get_args(Format)),
        ("int8", ("true", "false")),
        ("check", ("true", "false")),
    ):
        if asked[key] not in expected:
            received = f"{key}={asked[key]}"
            raise UserError(f"{key} is wrong", " or ".join(expected), received, "choose one")
    saved = find_asked(asked["run"], asked["model"], ROOT / asked["runs"], asked["uri"])
    kind: Format = asked["format"]  # type: ignore[assignment]
    int8, check = asked["int8"] == "true", asked["check"] == "true"
    path, parity = export(saved, kind, asked["output"], int8=int8, check=check)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    print(f"run {saved.folder.name} as {kind}: {relative(path)}, {size:,} bytes")
    if parity:
        _say(parity)


def _say(parity: Parity) -> None:
    print(f"on the {parity.samples} samples of {parity.split}:")
    print(f"  largest difference of an answer   {parity.largest:.3g}")
    print(f"  mean difference                   {parity.mean:.3g}")
    print(f"  tolerance of the {parity.limited + ' one':<16}  {parity.tolerance:.3g}")
    for name in of_all_classes([*parity.before]):
        before, after = parity.before[name], parity.after[name]
        print(f"  {name:<32}  {before:.4f} before, {after:.4f} after")
    if not parity.is_within:
        print("error: it differs by more than the tolerance", file=sys.stderr)
        sys.exit(1)
