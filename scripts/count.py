"""Count what docs/house.md states of src/reprise: files, lines, and files that a training imports.

.venv/bin/python -m scripts.count
"""

import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "reprise"
TRAIN = r"""
import sys
from pathlib import Path
from reprise.cli.main import main

out = sys.argv[1]
sys.argv = ["reprise", "train", "experiment=segmentation", "debug=smoke", f"tracking.runs={out}"]
sys.argv += [f"tracking.uri=sqlite:///{out}/mlflow.db"]
main()
modules = [module for name, module in sys.modules.items() if name.startswith("reprise")]
Path(out, "files").write_text("\n".join(m.__file__ for m in modules if m.__file__))
"""


def imported_files() -> list[Path]:
    """Files of src/reprise, not counting empty ones, that training on segmentation imports."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([sys.executable, "-c", TRAIN, out], check=True, stdout=subprocess.DEVNULL)
        files = map(Path, Path(out, "files").read_text().splitlines())
        return [file for file in files if file.stat().st_size]


def lines_of(files: list[Path]) -> int:
    """Number of lines in all of these files."""
    return sum(len(file.read_text().splitlines()) for file in files)


def main() -> None:
    """Print one line per figure."""
    files = [file for file in PACKAGE.rglob("*.py") if file.stat().st_size]
    loose = [file for file in files if file.parent == PACKAGE]
    print(f"src/reprise      {len(files)} files that are not empty, {lines_of(files)} lines")
    for room in sorted(path for path in PACKAGE.iterdir() if path.is_dir()):
        own = [file for file in files if file.is_relative_to(room)]
        if own:
            print(f"  {room.name:<14} {len(own)} files, {lines_of(own)} lines")
    print(f"outside a folder {len(loose)} files: {', '.join(sorted(f.name for f in loose))}")
    imported = imported_files()
    print(f"one training     {len(imported)} files imported, {lines_of(imported)} lines")


if __name__ == "__main__":
    main()
