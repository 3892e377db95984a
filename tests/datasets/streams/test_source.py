"""docs/your_generator.md, run as written."""

import re
from pathlib import Path

from tiny import ROOT

from reprise.config.check import check

PAGE = (ROOT / "docs/your_generator.md").read_text()
CODE = dict(re.findall(r"```(python).*?\n(.*?)```", PAGE, re.DOTALL))["python"]
YAML = re.findall(r"```yaml.*?\n(.*?)```", PAGE, re.DOTALL)


def write_flowers(folder: Path) -> str:
    names = ("setosa", "versicolor", "virginica")
    rows = [f"{i % 3}.5,{i % 7},1.5,{i % 5},{names[i % 3]}" for i in range(60)]
    (folder / "iris.csv").write_text("\n".join(["a,b,c,d,species", *rows]) + "\n")
    return str(folder / "iris.csv")


def test_the_pages_class_gives_the_tables_numbers(tmp_path):
    space: dict = {}
    exec(CODE, space)
    source = space["Flowers"](write_flowers(tmp_path))
    samples = list(source.samples(0))
    assert len(samples) == 60
    assert samples[4] == ([1.5, 4.0, 1.5, 4.0], 1)
    assert source.shard_name(0) == "Flowers"


def test_every_key_the_page_names_is_there():
    named = set(re.findall(r"`((?:dataset|loader|trainer)\.\w+)[`=]", PAGE))
    assert len(named) >= 6
    values = check(["experiment=iris"], providable=lambda path: True).values
    for key in named:
        group, name = key.split(".")
        assert name in values[group], key
