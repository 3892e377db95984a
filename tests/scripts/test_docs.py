"""The site of the documentation."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from tiny import ROOT

from scripts import docs


def pages_of(node: object) -> list[str]:
    """Every page of a navigation."""
    if isinstance(node, str):
        return [node]
    return [
        page
        for item in (node if isinstance(node, list) else node.values())
        for page in pages_of(item)
    ]


def test_each_page_stands_in_the_navigation_once(tmp_path, monkeypatch):
    monkeypatch.setattr(docs, "PAGES", tmp_path / "docs")
    docs.write_pages()
    written = {str(file.relative_to(docs.PAGES)) for file in docs.PAGES.rglob("*.md")}
    assert len(written) >= 40
    nav = pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(nav) == sorted(written)


def test_keys_come_with_their_default_type_and_comment():
    page = "\n".join(docs.keys())
    assert len(re.findall(r"^\| `", page, re.MULTILINE)) >= 200
    assert "| `trainer.overfit` | `null` | a whole number >= 1 or null | train and validate" in page
    assert "| `dataset.augment` |  |  | training only, names and units" in page
    assert "| `dataset.augment.rotation_range` | `0` | a number" in page


@pytest.mark.slow
def test_it_builds_without_a_broken_link_and_loads_nothing_from_elsewhere():
    """Zensical is installed by the first call, into build/."""
    done = subprocess.run(["make", "docs"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = [*Path(ROOT, "build/site").rglob("*.html")]
    assert len(pages) >= 40
    for page in pages:
        tags = re.findall(r"<(?:script|img|iframe|link)\b[^>]*>", page.read_text())
        assert [tag for tag in tags if re.search(r"(src|href)=.?(https?:)?//", tag)] == [], page
    assert "reprise.datasets.base.Dataset" in Path(ROOT, "build/site/api/datasets.html").read_text()
