"""The source file behind a dotted path, found without importing what stands on the way."""

import ast
import importlib.util
from pathlib import Path


class NoSuchTarget(Exception):
    """The dotted path leads nowhere.

    Args:
        expected: What the path's last part that was found has in it.
        names: Names to choose from.
    """

    def __init__(self, expected: str, names: list[str]) -> None:
        super().__init__(expected)
        self.expected = expected
        self.names = names


def find_source(target: str) -> tuple[Path | None, list[str]]:
    """Find the file of a target's module, and the names that lead on inside of it."""
    top, *rest = target.split(".")
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    if spec is None:
        raise NoSuchTarget("the full path of a function or class of an installed package", [])
    if not spec.submodule_search_locations:
        is_source = spec.origin is not None and spec.origin.endswith(".py")
        return (Path(spec.origin), rest) if is_source and spec.origin else (None, rest)
    folder = Path(next(iter(spec.submodule_search_locations)))
    while rest:
        name = rest[0]
        if (folder / f"{name}.py").is_file():
            return folder / f"{name}.py", rest[1:]
        if not (folder / name).is_dir():
            break
        folder, rest = folder / name, rest[1:]
    package = folder / "__init__.py"
    if not package.is_file() or any(folder.glob(f"{rest[0] if rest else ''}.*so")):
        return None, rest
    if rest and not bound_names(ast.parse(package.read_text(encoding="utf-8"))):
        inside = sorted({path.stem for path in folder.iterdir() if not path.name.startswith("_")})
        done = target.removesuffix("." + ".".join(rest))
        raise NoSuchTarget(f"a module of {done}", [".".join([done, n, *rest[1:]]) for n in inside])
    return package, rest


def bound_names(tree: ast.Module) -> set[str]:
    """Names that a module binds by import or assignment; '*' and '__getattr__' may bind any."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            found.add(node.name)
    return found


def definition(name: str, tree: ast.Module, top: str) -> ast.ClassDef | ast.expr | None:
    """Find what a name in a module stands for, there or one import away within package `top`.

    Returns:
        The class, or the value it is assigned (of an alias: the annotation); None if neither.
    """
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [name]:
            return node.value
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == top:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    path, inner = find_source(f"{node.module}.{alias.name}")
                    text = path.read_text(encoding="utf-8") if path and inner else ""
                    return definition(alias.name, ast.parse(text), top="")
    return None
