"""Mistakes inside the files of conf/, each with its file and line."""

import pytest
from config.conftest import FILES

from reprise.config.check import check

GOOD = "experiment=pictures"
PLACE = "conf/experiment/pictures.yaml, line"


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        ("seeed: 3", ["seeed: no such key", f"{PLACE} 7", "did you mean seed?"]),
        ("loader:\n  batchsize: 9", ["loader.batchsize: no such key", f"{PLACE} 8"]),
        ("loader:\n  batch_size: x", ["cannot be 'x'", f"{PLACE} 8", "a whole number >= 1"]),
        ("model:\n  kind: [1]", ["model.kind: cannot be [1]", f"{PLACE} 8"]),
        ("trainer.epochs: 3", ["trainer.epochs: no such key", "a file has no dotted keys"]),
        ("optimiser:\n  rate: 3\n  b: 2", ["optimiser: no such key", f"{PLACE} 7"]),
        ("model: 3", ["model: cannot be 3", "the keys of a group", f"{PLACE} 7"]),
        ("model:\n  _target_: reprise.sample_parts.nett",
         ["there is no reprise.sample_parts.nett", "mean reprise.sample_parts.net?"]),
        ("model:\n  _target_: reprise.no_such.net", ["is no reprise.no_such.net", f"{PLACE} 8"]),
        ("trainer:\n  callbacks:\n    - _target_: reprise.sample_parts.augment\n      flipp: true",
         ["trainer.callbacks.0.flipp: no such key", f"{PLACE} 10", "callbacks.0.flip?"]),
        ("trainer: [1\nseed: 3",
         ["pictures.yaml, line 8: cannot be read", "expected ',' or ']'"]),
        ("seed: 1\nseed: 2\n", ["pictures.yaml, line 8: cannot be read"]),
    ],
)  # fmt: skip
def test_mistakes_in_an_experiment(message, experiment, lines, parts):
    experiment(lines)
    text = message(GOOD)
    assert "mistakes in the configuration" not in text
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("/model: net", "/model: nett", ["model: there is no 'nett'", f"{PLACE} 4", "mean net?"]),
        ("/model: net", "/model: xyz", ["model: there is no 'xyz'", f"{PLACE} 4"]),
        ("/model: net", "/modle: net", ["there is no group 'modle'", f"{PLACE} 4", "mean model?"]),
        ("override /model", "model", ["there is no group 'experiment/model'"]),
        ("override /model", "/model", ["the chosen files do not fit together"]),
        ("override /dataset: pictures", "pictures",
         ["the chosen files do not fit together",
          "received  files that choose each other in a circle"]),
    ],
)  # fmt: skip
def test_choices_in_an_experiment(message, conf, old, new, parts):
    path = conf / "experiment" / "pictures.yaml"
    path.write_text(path.read_text().replace(old, new))
    text = message(GOOD)
    assert "mistakes in the configuration" not in text
    assert [part for part in parts if part not in text] == []


def test_a_choice_and_a_key_are_both_named(message, conf, experiment):
    path = conf / "experiment" / "pictures.yaml"
    path.write_text(path.read_text().replace("/model: net", "/model: xyz"))
    experiment("seeed: 3")
    assert message(GOOD, "loader.batchsize=3").startswith("3 mistakes")


def test_mistakes_in_other_files_and_on_the_command_line(message, conf, experiment):
    experiment("seed: -3")
    assert f"({PLACE} 7)" in message(GOOD)
    assert "(on the command line: seed=-4)" in message(GOOD, "seed=-4")
    path = conf / "model" / "net.yaml"
    path.write_text(path.read_text() + "widht: 3\n")
    assert "model.widht: no such key (conf/model/net.yaml, line 6)" in message(GOOD, "seed=1")
    path.write_text("- 1\n")
    assert "net.yaml: holds no keys" in message(GOOD)


def test_an_experiment_may_build_on_another(conf):
    (conf / "experiment" / "more.yaml").write_text(
        "# @package _global_\ndefaults:\n  - pictures\n  - _self_\nseed: 7\n"
    )
    composed = check(["experiment=more"], conf)
    assert composed.values["seed"] == 7
    assert composed.values["dataset"]["folder"] == "data"


def test_a_target_outside_reprise_is_not_imported_and_takes_anything(conf, message, experiment):
    experiment("\ntrainer:\n  _target_: no_such.package\n  odd: 3")
    assert "trainer.odd: has no value" in message(GOOD, "trainer.odd=???")
    assert check([GOOD], conf).values["trainer"]["odd"] == 3


EXPERIMENT = FILES["experiment/pictures.yaml"].replace("\n        ", "\n").lstrip()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["its keys belong to no group", "the first line # @package _global_"]),
        (b"- a\n- b\n", ["holds no keys"]),
        (bytes(range(1, 256)), ["cannot be read", "YAML in UTF-8", "save it as a text"]),
        (EXPERIMENT.encode("utf-16"), ["cannot be read", "YAML in UTF-8"]),
        (EXPERIMENT.encode() + b"# \xe9\n", ["cannot be read", "YAML in UTF-8"]),
        (EXPERIMENT.encode() + b"\0", ["cannot be read", "YAML in UTF-8"]),
        (EXPERIMENT.encode("utf-8-sig"), ["a byte order mark", "save it as UTF-8 without BOM"]),
        (EXPERIMENT[EXPERIMENT.index("\n") :].encode(), ["received  defaults:", "at the top of"]),
        (b"# mine\n" + EXPERIMENT.encode(), ["received  # mine", "at the top of the file"]),
        (b"# @package _global_\ndefaults: net\n", ["line 2: defaults is no list", "a dash"]),
        (b"# @package _global_\ndefaults:\n  model: net\n", ["defaults is no list"]),
        (EXPERIMENT.encode() + b"seed: 010\n", ["line 7: 010 would not be read", "of base 8"]),
        (EXPERIMENT.encode() + b"seed: 1:30\n", ["1:30 would not be read", "of base 60"]),
        (EXPERIMENT.encode() + b"model:\n\twidth: 3\n", ["line 8: cannot be read", "spaces"]),
        (EXPERIMENT.encode() + b"seed: 1\nseed: 2\n", ["line 8: cannot be read", "key once"]),
        (EXPERIMENT.encode() + b"model:\n  width: ${seed\n", ["${ that is not closed"]),
        (EXPERIMENT.replace("/dataset", "dataset").encode(), ["did you mean /dataset?"]),
    ],
)
def test_a_file_that_is_no_experiment_is_refused(conf, message, content, parts):
    (conf / "experiment/odd.yaml").write_bytes(content)
    text = message("experiment=odd")
    assert [part for part in parts if part not in text] == []


def test_line_ends_of_windows_are_no_fault_and_another_ending_of_the_name_is_named(conf, message):
    (conf / "experiment/odd.yaml").write_bytes(EXPERIMENT.replace("\n", "\r\n").encode())
    assert check(["experiment=odd"], conf).choices["model"] == "net"
    (conf / "experiment/other.yml").write_text(EXPERIMENT)
    assert "rename conf/experiment/other.yml" in message("experiment=other")
