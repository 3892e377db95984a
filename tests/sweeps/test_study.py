"""A search: which jobs it asks for, and that no restart asks for one too many."""

import json
import sqlite3
from dataclasses import replace

import optuna
import pytest
from sweeps.plans import make_plan

from reprise.errors import UserError
from reprise.runs.job import Job
from reprise.sweeps.ledger import Ledger
from reprise.sweeps.plan import Compositions
from reprise.sweeps.settings import STORAGE, Search
from reprise.sweeps.space import read_space
from reprise.sweeps.study import Study, refuse_full_study, refuse_other_study

SPACE = ["lr=tag(log,interval(1e-5,1e-1))", "+n=range(2,9,3)", "model=a,b", "k=int(interval(1,4))"]


def study(folder, n_trials=6, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    search = Search(n_trials=n_trials, **settings)
    return Study(Ledger(folder), make_plan(read_space(SPACE)[1], search=search))


def asked(searching) -> list[Job]:
    found = []
    while job := searching.next_job():
        found.append(job)
    return found


def trials(folder):
    return optuna.load_study(
        study_name=folder.name, storage=f"sqlite:///{folder}/study.db"
    ).get_trials()


def test_it_asks_for_as_many_jobs_as_there_are_to_be(tmp_path):
    jobs = asked(study(tmp_path / "s"))
    assert [job.number for job in jobs] == [1, 2, 3, 4, 5, 6]
    assert Ledger(tmp_path / "s").jobs() == jobs
    for job in jobs:
        lr, n, model, k = (word.partition("=")[2] for word in job.overrides)
        assert 1e-5 <= float(lr) <= 1e-1
        assert n in "258"
        assert model in "ab"
        assert int(k) in range(1, 5)
        assert job.overrides[1].startswith("+n=")
    assert len({tuple(job.overrides) for job in jobs}) == 6
    assert jobs[0].trial == {
        "study": "s", "is_local": True, "monitor": "val_iou",
        "n_startup_trials": 5, "n_warmup_epochs": 1,
    }  # fmt: skip


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_restart_changes_no_draw_and_repeats_none(tmp_path, sampler):
    whole = asked(study(tmp_path / "a/s", 5, sampler=sampler, prune=False))
    parts = asked(study(tmp_path / "b/s", 2, sampler=sampler, prune=False))
    parts += asked(study(tmp_path / "b/s", 5, sampler=sampler, prune=False))
    assert whole == parts
    assert len({tuple(job.overrides) for job in parts}) == 5
    other = asked(study(tmp_path / "c/s", 1, sampler=sampler, prune=False, seed=1))
    assert other[0].overrides != whole[0].overrides


def test_it_is_told_once_how_jobs_end(tmp_path):
    searching = study(tmp_path / "digits/s", 4)
    for number, value in ((1, 0.25), (4, float("nan"))):
        folder = tmp_path / f"digits/s-00{number}"
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps({"valid/iou": value}))
    ends = ("done", "pruned", "failed", "done")
    for job, state in zip(asked(searching), ends, strict=True):
        searching.tell(job, state)
        searching.tell(job, state)  # by another process, or after a restart
    found = trials(tmp_path / "digits/s")
    assert [trial.state.name for trial in found] == ["COMPLETE", "PRUNED", "FAIL", "FAIL"]
    assert found[0].value == 0.25


def test_a_trial_that_was_asked_for_and_not_written_down_is_no_lost_one(tmp_path):
    folder = tmp_path / "s"
    jobs = asked(study(folder, 3))
    Ledger(folder).file(3, "json").unlink()  # as if killed before it was written
    assert asked(study(folder, 3)) == [jobs[2]]
    assert len(trials(folder)) == 3


def test_two_sweeps_share_a_study_in_a_database(tmp_path, monkeypatch):
    monkeypatch.setenv(STORAGE, f"sqlite:///{tmp_path}/shared.db")
    one, two = (study(tmp_path / name, 5, study="ours") for name in "ab")
    jobs = [one.next_job(), two.next_job(), one.next_job()]
    assert [job.number for job in jobs] == [1, 2, 3]
    assert [job.sweep for job in jobs] == ["a", "b", "a"]
    assert len(asked(one)) == 2
    assert two.next_job() is None
    assert jobs[0].trial["is_local"] is False


@pytest.mark.parametrize(
    "url", ["sqlite:////no/such/folder/x.db", "nonsense", "other://user:secret@there/x"]
)
def test_a_database_that_cannot_be_used_is_refused(tmp_path, url):
    with pytest.raises(UserError, match="database cannot be used"):
        study(tmp_path / "s", storage=url)


def join(tmp_path, *words, **settings):
    """Join the study that `test_two_sweeps_share_a_study_in_a_database` has begun, or refuse to."""
    search = Search(storage=f"sqlite:///{tmp_path}/shared.db", study="ours", prune=False)
    plan = replace(make_plan(read_space(words or SPACE)[1], search=search), **settings)
    refuse_other_study(plan)
    (tmp_path / "s").mkdir(exist_ok=True)
    Study(Ledger(tmp_path / "s"), plan).next_job()


@pytest.mark.parametrize(
    ("words", "settings", "said"),
    [
        (SPACE, {"mode": "min"}, r"(?s)sweep.mode\n +expected  sweep.mode: maximize\n.*minimize"),
        (SPACE, {"metric": "valid/f1"}, r"(?s)sweep.metric\n.*valid/iou\n.*valid/f1"),
        (
            [*SPACE[:2], "model=a,b,c", SPACE[3]],
            {},
            r"(?s)model\n +expected  model: a, b\n.*a, b, c",
        ),
        (["lr=interval(1e-5,1e-1)", *SPACE[1:]], {}, r"lr: 1e-05 to 0.1, by its logarithm"),
        (SPACE[1:], {}, r"(?s)expected  lr: .*received  lr: one value"),
        ([*SPACE, "x=1,2"], {}, r"(?s)expected  x: one value\n.*x: 1, 2"),
        (SPACE, {"digest": "e"}, r"(?s)expected  data: d\n.*data: e"),
        (
            SPACE,
            {"compositions": Compositions({"trainer.epochs": 3}, {})},
            r"(?s)expected  trainer.epochs: none\n.*trainer.epochs: 3",
        ),
    ],
)
def test_a_shared_study_of_another_search_is_refused(tmp_path, words, settings, said):
    join(tmp_path)
    join(tmp_path)
    with pytest.raises(UserError, match=said):
        join(tmp_path, *words, **settings)


def test_a_range_in_fractions_keeps_its_last_value(tmp_path):
    axes = read_space(["a=range(0.0,1.0,0.3)"])[1]
    (tmp_path / "s").mkdir()
    plan = make_plan(axes, search=Search(n_trials=20, sampler="random", prune=False))
    drawn = {job.overrides[0] for job in asked(Study(Ledger(tmp_path / "s"), plan))}
    assert drawn == {f"a={value}" for value in axes[0].values}
    assert len(drawn) == 4


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("create table alembic_version (version_num text)")
        database.execute("insert into alembic_version values ('b1f2')")
    other = Search(storage=f"sqlite:///{tmp_path}/mlflow.db", study="ours")
    plan = make_plan(read_space(SPACE)[1], search=other)
    with pytest.raises(UserError, match="database cannot be used: it is one of something else"):
        refuse_other_study(plan)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        (tables,) = database.execute("select count(*) from sqlite_master").fetchone()
    assert tables == 1


def test_a_shared_study_without_a_trial_left_begins_no_sweep(tmp_path):
    join(tmp_path)
    for n_trials in (1, 2):
        search = Search(n_trials=n_trials, storage=f"sqlite:///{tmp_path}/shared.db", study="ours")
        plan = make_plan(read_space(SPACE)[1], search=search)
        if n_trials == 1:
            with pytest.raises(UserError, match=r"ours has 1 trials already(?s:.)*n_trials=2"):
                refuse_full_study(plan)
        else:
            refuse_full_study(plan)
