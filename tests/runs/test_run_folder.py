import json

import pytest

from reprise.errors import UserError
from reprise.runs.folder import CONFIG, IDENTITY, SPECS, SPLITS, new_folder
from reprise.runs.load import find
from reprise.spec import Spec
from reprise.tracking.journal import Delivered, write_delivered

TARGET = Spec((), "int32", ("a", "b"), counts=(3, 4))


def record(folder, mlflow_id, **more):
    identity = {"id": folder.name, "choices": {"model": "cnn"}}
    write_delivered(folder, Delivered("sqlite:///x", mlflow_id, 0))
    (folder / IDENTITY).write_text(json.dumps(identity | more))
    specs = {"input": Spec((2, None), "uint8").as_json(), "target": TARGET.as_json()}
    (folder / SPECS).write_text(json.dumps(specs))
    (folder / CONFIG).write_text("seed: 3\n")
    (folder / SPLITS).write_text(json.dumps({"train": ["a"], "test": ["b"]}))
    return folder


def test_a_run_is_found_by_either_id_and_as_last(tmp_path):
    first = record(new_folder(tmp_path, "digits"), "f" * 32)
    second = record(new_folder(tmp_path, "digits"), "e" * 32, parent=first.name, old=0.5)
    assert first != second
    assert find(first.name, tmp_path).folder == first
    assert find("f" * 32, tmp_path).folder == first
    found = find("last", tmp_path)
    assert found.folder == second
    assert found.config == {"seed": 3}
    assert found.splits == {"train": ["a"], "test": ["b"]}
    assert found.specs == {"input": Spec((2, None), "uint8"), "target": TARGET}
    assert (found.choices, found.parent, found.old) == ({"model": "cnn"}, first.name, 0.5)
    assert find(first.name, tmp_path).parent is None
    with pytest.raises(UserError, match=f"(?s)no run 'nonsense'.*{first.name}"):
        find("nonsense", tmp_path)


def test_a_run_that_was_given_its_id_has_it_however_often_it_is_begun(tmp_path):
    for _ in range(2):
        folder = new_folder(tmp_path, "digits", "sweep-001")
        assert folder == tmp_path / "digits/sweep-001"
        assert (tmp_path / "last").resolve() == folder


def test_an_id_that_is_taken_is_not_taken_twice(tmp_path, monkeypatch):
    digits = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr("secrets.token_hex", lambda count: next(digits))
    monkeypatch.setattr("time.strftime", lambda form: "20260101-000000")
    first, second = new_folder(tmp_path, "e"), new_folder(tmp_path, "e")
    assert (first.name[-4:], second.name[-4:]) == ("aaaa", "bbbb")
