"""The taste of the house, as tests: each one says how much it looked at."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "reprise"
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = {
    "config", "datasets", "transforms", "loading", "models", "objectives", "training", "tracking",
    "sweeping", "comparing",
}  # fmt: skip
ALLOWED = {"loading": {"datasets"}, "datasets": {"transforms"}}
HEAVY = {"keras", "tensorflow", "mlflow"}
BANNED = {"utils", "helpers", "common", "misc", "manager", "handler", "tmp"}


def room(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 and parts[-1] != "__main__.py" else "entry"


def imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_room_is_there_and_looked_at():
    assert len(FILES) >= 50
    assert {room(path) for path in FILES} == ROOMS | {"entry"}


def test_no_file_is_over_150_lines():
    long = {str(f): n for f in FILES if (n := len(f.read_text().splitlines())) > 150}
    assert long == {}


def test_no_function_is_over_40_lines():
    lengths = {
        f"{path}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) >= 150
    assert {name: n for name, n in lengths.items() if n > 40} == {}


def test_imports_go_one_way():
    seen = 0
    for path in FILES:
        here = room(path)
        for module in imports(path):
            parts = module.split(".")
            if parts[0] != "reprise" or len(parts) < 2 or here == "entry":
                continue
            seen += 1
            target = parts[1]
            allowed = {here, "errors", "project", "spec"} | ALLOWED.get(here, set())
            assert target in allowed, f"{path.relative_to(ROOT)} imports {module}"
    assert seen >= 40


@pytest.mark.parametrize("name", ["datasets", "transforms", "config"])
def test_light_rooms_import_nothing_heavy(name):
    files = [path for path in FILES if room(path) == name]
    assert len(files) >= 3
    for path in files:
        assert not {module.split(".")[0] for module in imports(path)} & HEAVY, path


def test_only_tracking_imports_mlflow():
    users = {
        room(path) for path in FILES if any(m.split(".")[0] == "mlflow" for m in imports(path))
    }
    assert users == {"tracking"}


def test_tensorflow_stands_only_where_it_must():
    users = {
        str(path.relative_to(SOURCE))
        for path in FILES
        if any(module.split(".")[0] == "tensorflow" for module in imports(path))
    }
    assert users == {"loading/feed.py", "training/device.py"}


def test_entry_files_import_heavy_rooms_only_in_functions():
    entries = [path for path in FILES if room(path) == "entry" and path.name != "__init__.py"]
    assert len(entries) >= 9
    for path in entries:
        top = {
            name
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [a.name for a in node.names]
            )
        }
        heavy = {m for m in top if m.split(".")[0] in HEAVY}
        heavy |= {m for m in top if m.startswith(("reprise.training", "reprise.models"))}
        assert not heavy, f"{path.name} imports {heavy} at its top"


def test_names_say_what_a_file_is():
    assert not {path.stem for path in FILES} & BANNED
    assert all(path.read_text() == "" for path in FILES if path.name == "__init__.py")


def test_every_module_and_public_function_says_what_it_is_for():
    seen = 0
    for path in FILES:
        if path.name == "__init__.py":
            continue
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                seen += 1
                assert ast.get_docstring(node), f"{path.name}: {node.name}"
    assert seen >= 100


@pytest.mark.parametrize(
    ("group", "folder", "at_least"),
    [("dataset", "datasets", 1), ("model", "models", 4), ("objective", "objectives", 1)],
)
def test_triplets_are_complete(group, folder, at_least):
    stems = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")}
    assert len(stems) >= at_least
    for stem in stems:
        source = SOURCE / folder / f"{stem}.py"
        assert source.exists()
        assert (ROOT / "tests" / folder / f"test_{stem}.py").exists()
        text = (ROOT / "conf" / group / f"{stem}.yaml").read_text()
        assert f"_target_: reprise.{folder}.{stem}." in text
