from pathlib import Path

from reprise.config.files import Conf
from reprise.config.origins import find_origins, key_lines
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


def files(tmp_path: Path) -> list[tuple[Path, str]]:
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "config.yaml").write_text("seed: 0\n")
    (conf / "model.yaml").write_text("\nwidth: 1\nkind: a\n")
    (conf / "experiment.yaml").write_text("model:\n  kind: b\n  new: 1\n")
    return [
        (conf / "model.yaml", "model"),
        (conf / "config.yaml", ""),
        (conf / "experiment.yaml", ""),
    ]


def test_the_last_one_to_set_a_key_is_its_origin(tmp_path):
    typed = Setting("model.size.x=1", "model.size", "value", ("++model.size={x: 1}",))
    origins = find_origins(files(tmp_path), [typed], Conf(tmp_path / "conf"))
    assert origins.place("model.width") == "conf/model.yaml, line 2"
    assert origins.place("model.kind") == "conf/experiment.yaml, line 2"
    assert origins.place("model.size") == "on the command line: model.size.x=1"
    assert origins.place("model.size.x") == "on the command line: model.size.x=1"
    assert origins.place("model.sizes") == "conf/experiment.yaml, line 1"
    assert origins.place("nowhere") == "conf/config.yaml"


def test_an_experiment_invents_no_key(tmp_path):
    origins = find_origins(files(tmp_path), [], Conf(tmp_path / "conf"))
    assert origins.own == {"seed", "model.width", "model.kind"}
