"""Build the site of the documentation: `make docs`, or `make docs args=serve`.

The pages are those of docs/, the README, and what is made of the code: verbs from the docstrings of
`reprise.cli`, keys from conf/ and the signatures that it names, the API from docstrings.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from reprise.config.parameters import describe, find_target, parameters_of
from reprise.config.sections import RESERVED
from reprise.project import PACKAGE

ROOT = Path(__file__).parents[1]
DOCS, CONF, PAGES = ROOT / "docs", ROOT / "conf", ROOT / "build/docs"
ROOMS = "datasets transforms loading models objectives training tracking runs sweeps config"
GROUPS = "dataset model objective optimizer loader trainer tracking sweep launcher debug experiment"


def write_pages() -> None:
    """Write all pages to build/docs."""
    for folder in ("api", "reference"):
        (PAGES / folder).mkdir(parents=True, exist_ok=True)
    for file in DOCS.iterdir():
        if file.suffix == ".md":
            (PAGES / file.name).write_text(linked(file.read_text()))
        elif file.suffix in {".png", ".svg", ".ipynb"}:
            shutil.copy(file, PAGES)
    start = (ROOT / "README.md").read_text().replace("docs/", "")
    (PAGES / "index.md").write_text(linked(start))
    (PAGES / "reference/verbs.md").write_text("\n".join(verbs()))
    (PAGES / "reference/config.md").write_text("\n".join(keys()))
    (PAGES / "api/reprise.md").write_text("\n".join(api("reprise", PACKAGE.glob("*.py"))))
    for room in ROOMS.split():
        files = (PACKAGE / room).rglob("*.py")
        (PAGES / f"api/{room}.md").write_text("\n".join(api(f"reprise.{room}", files)))


def linked(text: str) -> str:
    """Turn links to files of the repository into their names: the site has no such files."""
    return re.sub(
        r"\[([^\]]*)\]\((?:\.\./)?((?:src|conf|tests|pyproject|Dockerfile)[^)]*)\)", r"`\2`", text
    )


def verbs() -> Iterator[str]:
    """The page of the verbs: each line of `make help`, and the docstring of its module."""
    yield "# Verbs\n\nEach is `make VERB …`, or without make `reprise VERB …`.\n"
    lines = re.findall(r"^([a-z-]+):.*?  ## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for verb, says in lines:
        what, _, words = says.partition(": ") if ": " in says else says.partition(" [")
        yield f"## {verb}\n\n{escaped(what)}.\n"
        if words:
            yield f"`make {verb} {words if ': ' in says else '[' + words}`\n"
        module = PACKAGE / f"cli/{verb.replace('-', '_')}.py"
        if module.exists():
            docstring = module.read_text().split('"""')[1]
            yield f"{escaped(docstring)}\n"


def keys() -> Iterator[str]:
    """The page of the configuration: a table of each file of conf/."""
    yield "# Configuration\n"
    yield "Each key can be set on the command line: `optimizer.learning_rate=3e-4`.\n"
    for group in GROUPS.split():
        yield f"## {group}\n"
        for file in sorted((CONF / group).glob("*.yaml")):
            text = file.read_text()
            head = re.match(r"(#[^\n]*\n)*", text)
            comment = re.sub(r"^# ?", "", head[0] if head else "", flags=re.MULTILINE)
            yield f"### {group}={file.stem}\n"
            if group in {"debug", "experiment"}:
                yield f"```yaml\n{text}```\n"
                continue
            yield escaped(comment.replace("@package _global_", "")) + "\n"
            yield "| key | default | takes | |\n|---|---|---|---|"
            yield from rows(yaml.compose(text), text.splitlines(), group, {})
            yield ""


def rows(node: Any, lines: list[str], prefix: str, takes: dict[str, Any]) -> Iterator[str]:
    """A row of the table for each key of a YAML node, with the comment behind its value."""
    plain = {key.value: value for key, value in node.value}
    if "_target_" in plain:
        takes = parameters_of(find_target(plain["_target_"].value)).annotations
    for key, value in node.value:
        if key.value in RESERVED or key.value == "defaults":
            continue
        name, line = f"{prefix}.{key.value}", lines[key.end_mark.line]
        is_block = isinstance(value, yaml.MappingNode) and not value.flow_style
        rest = line[key.end_mark.column + 1 :] if is_block else line[value.end_mark.column :]
        comment = rest.strip().removeprefix("#").strip()
        default = "" if is_block else line[value.start_mark.column : value.end_mark.column]
        kind = describe(takes[key.value]) if key.value in takes and not is_block else ""
        default = "must be given" if default == "???" else default and f"`{cell(default)}`"
        yield f"| `{name}` | {default} | {cell(kind)} | {cell(comment)} |"
        if is_block:
            yield from rows(value, lines, name, {})


def api(title: str, files: Iterable[Path]) -> Iterator[str]:
    """A page of modules: mkdocstrings puts what they say of themselves in the place of a line."""
    yield f"# {title}\n"
    for file in sorted(files):
        if not file.stem.startswith("__"):
            yield f"::: {'.'.join(file.relative_to(PACKAGE.parent).with_suffix('').parts)}\n"


def escaped(text: str) -> str:
    """Text for Markdown, where `<` and `|` would mean something else."""
    return text.replace("<", "&lt;")


def cell(text: str) -> str:
    return escaped(text).replace("|", "\\|")


def main(words: list[str]) -> int:
    """Build the site; with the word `serve` show it, and write its pages anew as they change."""
    shutil.rmtree(PAGES, ignore_errors=True)
    write_pages()
    command = ["build/zensical/bin/zensical", *(words or ["build", "--clean", "--strict"])]
    with subprocess.Popen([*command, "--config-file", "mkdocs.yml"], cwd=ROOT) as site:
        while words and site.poll() is None:
            written = time.time()
            time.sleep(1)
            if any(
                file.stat().st_mtime > written for file in [*DOCS.iterdir(), ROOT / "README.md"]
            ):
                write_pages()
        return site.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
