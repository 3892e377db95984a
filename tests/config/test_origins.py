from pathlib import Path

import pytest

from reprise.config.files import Conf
from reprise.config.origins import Origins, key_lines
from reprise.config.overrides import Setting

NESTED = """\
# a comment
defaults:
  - other
size: [1,
  2]
inner:
  deep: {x: 1}
  list:
    - a: 1
    - b: 2
"""


def test_lines_of_keys(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(NESTED)
    assert key_lines(path, "group") == {
        "group.size": 4,
        "group.size.0": 4,
        "group.size.1": 5,
        "group.inner": 6,
        "group.inner.deep": 7,
        "group.inner.deep.x": 7,
        "group.inner.list": 8,
        "group.inner.list.0": 9,
        "group.inner.list.0.a": 9,
        "group.inner.list.1": 10,
        "group.inner.list.1.b": 10,
    }


@pytest.fixture
def origins(conf: Path) -> Origins:
    for name, text in (
        ("model", "\nwidth: 1\nkind: a\n"),
        ("config", "seed: 0\n"),
        ("experiment", "model:\n  kind: b\n  new: 1\n"),
    ):
        (conf / f"{name}.yaml").write_text(text)
    files = [(conf / "model.yaml", "model"), (conf / "config.yaml", "")]
    typed = Setting("model.size.x=1", "model.size", "value", "++model.size={x: 1}")
    return Origins([*files, (conf / "experiment.yaml", "")], [typed], Conf(conf))


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("model.width", "conf/model.yaml, line 2"),
        ("model.kind", "conf/experiment.yaml, line 2"),
        ("model.size", "on the command line: model.size.x=1"),
        ("model.size.x", "on the command line: model.size.x=1"),
        ("model.sizes", "conf/experiment.yaml, line 1"),
        ("nowhere", "conf/config.yaml"),
    ],
)
def test_the_last_one_to_set_a_key_is_its_origin(origins, key, place):
    assert origins.place(key) == place


def test_an_experiment_invents_no_key(origins):
    assert origins.own == {"seed", "model.width", "model.kind"}
