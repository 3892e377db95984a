"""Where the project stands: relative paths in configs, and all that is written, start here."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def relative(path: Path) -> str:
    """`path` as one would type it in the project's folder."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
