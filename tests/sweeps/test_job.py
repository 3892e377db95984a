"""A job's file and what its run says of it."""

import json

from reprise.runs.job import Job, read_job, write_whole

JOB = Job("s", 3, "s-003", "k", ["optimizer.learning_rate=0.001", "+model=unet", "seed=1"])


class Noted:
    """In the place of a record: what it is told."""

    def __init__(self):
        self.said = {}

    def __getattr__(self, name):
        return lambda *what: self.said.setdefault(name, []).extend(what)


def test_a_job_is_read_as_it_was_written(tmp_path):
    JOB.write(tmp_path / "jobs/003.json")
    assert read_job(tmp_path / "jobs/003.json") == JOB
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["003.json"]


def test_its_title_is_short_and_tells_it_from_the_others():
    assert JOB.title == "03 learning_rate=0.001 model=unet seed=1"


def test_its_run_says_which_job_it_is():
    run = Noted()
    JOB.record(run)
    assert run.said["child_of"] == ["s"]
    assert run.said["params"] == [{"model": "unet", "seed": "1"}]
    assert run.said["tags"] == [
        {"sweep.id": "s", "sweep.job": 3, "sweep.key": "k"},
        {"sweep.optimizer.learning_rate": "0.001", "sweep.model": "unet", "sweep.seed": "1"},
    ]
    name, text = run.said["text"]
    assert (name, json.loads(text)["run"]) == ("job.json", "s-003")


def test_a_file_is_replaced_as_a_whole(tmp_path):
    for text in ("one", "two"):
        write_whole(tmp_path / "f", text)
        assert (tmp_path / "f").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
