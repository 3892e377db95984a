"""What is refused before the first job of a sweep, and what makes a sweep another one."""

from pathlib import Path

import pytest
from tiny import array_words, refused, write_arrays

from reprise.config.check import check
from reprise.errors import UserError
from reprise.sweeps.plan import Compositions, make_plan, require_measured


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    out = tmp_path_factory.mktemp("plan")
    return array_words(write_arrays(out / "digits.npz"), out)


def said(words, *more) -> str:
    with pytest.raises(UserError) as refusal:
        make_plan([*words, *more])
    return str(refusal.value)


def test_every_mistake_in_every_job_is_listed_before_any_begins(words):
    out = Path(words[1].partition("=")[2]).parent
    text = refused(
        "-m", *words, "optimizer.learning_rate=0.1,fast", "model.dropout=0.5,2.0",
        "sweep.retries=-1", "sweep.max_failure=2", "launcher=slrum", out=out,
    )  # fmt: skip
    assert "5 mistakes in the configuration" in text
    for wrong in ("'fast'", "2.0", "sweep.retries: cannot be -1", "slurm", "sweep.max_failures?"):
        assert wrong in text


def test_values_that_only_together_are_wrong_are_found(words):
    text = said(words, "optimizer.schedule=cosine,constant", "optimizer.warmup_steps=0,5")
    assert "a constant learning rate ignores" in text


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["seed=1"], "nothing to sweep over"),
        (
            ["sweep=tpe", "seed=interval(1,3)"],
            "an interval of whole numbers is seed=int(interval(1,3))",
        ),
        (["seed=1,2", "sweep.retries=1,2"], "several values for the sweep itself"),
        (["tracking.uri=mysql://u:pw@h/a,mysql://u:pw@h/b"], "a sweep over passwords"),
        (["tracking.runs=a,b"], "a sweep over folders of runs"),
        (["seed=range(1,2),range(4,5)"], "seed: no list of values"),
        (["seed=1,2", "sweep.metric=valid/f1"], "is a larger valid/f1 better"),
        (["seed=1,2", "sweep.search.n_trials=3"], "sweep.search"),
        (["dataset.x=x,nothing"], "nothing"),
        (["seed=1,2", "launcher.command=[srn,-n1]"], "there is no program 'srn'"),
    ],
)
def test_what_makes_no_sweep_is_refused(words, more, text):
    answer = said(words, *more)
    assert text in answer
    assert "pw" not in answer.split("received")[1]


@pytest.mark.slow
def test_a_metric_that_is_not_measured_is_refused_with_those_that_are(words):
    plan = make_plan([*words, "seed=1,2", "sweep.metric=valid/iou", "sweep.mode=max"])
    with pytest.raises(UserError, match=r"(?s)valid/iou is not measured.*valid/loss, valid/accur"):
        require_measured(plan.metric, plan.first)


def test_values_that_mean_the_same_are_one_job(words, capsys):
    plan = make_plan(
        [*words, "optimizer.learning_rate=0.001,1e-3", "optimizer.clipnorm=1,1.0,null"]
    )
    assert [axis.values for axis in plan.axes] == [("0.001",), ("1", "null")]
    said = capsys.readouterr().out
    assert "note: optimizer.learning_rate: 0.001 means the same as 0.001, and is one job" in said
    assert "note: optimizer.clipnorm: 1.0 means the same as 1, and is one job" in said
    plan = make_plan([*words, "sweep=tpe", "trainer.deterministic=true,True,null"])
    assert [axis.values for axis in plan.axes] == [("True", "null")]


def test_a_plan_knows_what_it_aims_at(words):
    plan = make_plan([*words, "seed=1,2", "optimizer.learning_rate=1e-3,1e-4"])
    assert (plan.metric, plan.mode) == ("valid/accuracy", "max")
    assert plan.compositions.first["optimizer.learning_rate"] == 0.001
    assert plan.compositions.others == {
        "seed=1 optimizer.learning_rate=0.0001": {"optimizer.learning_rate": 0.0001},
        "seed=2 optimizer.learning_rate=0.001": {"seed": 2},
        "seed=2 optimizer.learning_rate=0.0001": {"seed": 2, "optimizer.learning_rate": 0.0001},
    }
    searched = make_plan([*words, "sweep=tpe", "seed=1,2", "optimizer.clipnorm=interval(0.5,1)"])
    labels = ["seed=2 optimizer.clipnorm=0.5", "seed=1 optimizer.clipnorm=1.0"]
    assert list(searched.compositions.others) == labels


def test_the_same_command_is_the_same_sweep_however_its_jobs_are_launched(words):
    plan = make_plan([*words, "seed=1,2"])
    same = ["launcher.n_jobs=2", "sweep.retries=2", "sweep.retry_failed=true"]
    assert make_plan([*words, "seed=1,2", *same]).key == plan.key
    searches = [make_plan([*words, "seed=1,2", f"sweep={kind}"]) for kind in ("random", "tpe")]
    more = make_plan([*words, "seed=1,2", "sweep=tpe", "sweep.search.n_trials=99"])
    assert searches[1].key == more.key
    assert len({plan.key, *(search.key for search in searches)}) == 3


def test_a_jobs_key_follows_from_overrides_configuration_and_data(words, tmp_path):
    plan = make_plan([*words, "seed=1,2"])
    write_arrays(tmp_path / "digits.npz", count=90)
    other = [f"dataset.file={tmp_path}/digits.npz" if "file" in word else word for word in words]
    jobs = [plan.job("s", 1, ["seed=1"]), plan.job("s", 2, ["seed=2"])]
    jobs.append(make_plan([*other, "seed=1,2"]).job("s", 1, ["seed=1"]))
    assert plan.job("t", 3, ["seed=1"]).key == jobs[0].key
    assert len({job.key for job in jobs}) == 3
    assert jobs[1].run == "s-002"


def test_a_job_sees_that_files_were_edited_since_its_sweep_began(words):
    began = make_plan([*words, "seed=1,2"]).compositions
    job = check([*words, "seed=2"])
    assert began.changes_in_common(job) == []
    first = dict(began.first) | {"model.dropout": 0.75}
    del first["trainer.epochs"]
    assert Compositions(first, began.others).changes_in_common(job) == [
        f"model.dropout: 0.75 -> {job.values['model']['dropout']}", "trainer.epochs: None -> 2",
    ]  # fmt: skip


def test_what_has_changed_is_told_key_by_key():
    before = Compositions.from_json({"": {"a": 1, "b": 2}, "m=2": {"c": 1}})
    now = Compositions({"a": 1, "b": 3, "d": 4}, {"m=2": {"c": 2}})
    assert before.changes(now) == ["b: 2 -> 3", "d: None -> 4", "m=2: c: 1 -> 2"]
    assert now.changes(Compositions.from_json(now.as_json())) == []
