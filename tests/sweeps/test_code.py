"""A sweep whose code or packages have changed says so, and which of its jobs had others."""

import shutil
import subprocess

import pytest
from run_folders import write_run
from sweeps.plans import make_plan

from reprise.runs import difference
from reprise.runs.folder import PACKAGES, SNAPSHOT
from reprise.sweeps.code import other_jobs, say_changes
from reprise.sweeps.summary import rows_of, table
from reprise.tracking.journal import Journal
from reprise.tracking.provenance import packages
from reprise.tracking.snapshot import take_snapshot


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = tmp_path / "project"
    root.mkdir()
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / "net.py").write_text("relu\n")
    monkeypatch.setattr(difference, "ROOT", root)
    return root


@pytest.fixture
def begin(ledger, project, tmp_path):
    """Leave what a job leaves that has begun with the code of now."""

    def write(job, installed=packages(), **tags):  # noqa: B008
        folder = write_run(tmp_path / "of", job.run)
        found = take_snapshot(project, tmp_path / "code")
        (folder / SNAPSHOT).parent.mkdir()
        shutil.copy(tmp_path / f"code/{found.tree}.bundle", folder / SNAPSHOT)
        (folder / PACKAGES).write_text(installed)
        Journal(folder, print).add("tags", values={"code.tree": found.tree, **tags})
        folder.rename(ledger.folder.with_name(job.run))

    return write


def test_what_has_changed_since_the_first_job_began_is_said(add, begin, ledger, project, capsys):
    plan = make_plan()
    say_changes(ledger, plan)
    jobs = add("one", "two", "three", "four", "five")
    begin(jobs[0])
    say_changes(ledger, plan)
    assert not capsys.readouterr().out

    (project / "net.py").write_text("tanh\n")
    say_changes(ledger, plan)
    said = capsys.readouterr().out
    assert said.startswith("note: since the sweep began this has changed")
    assert "net.py | 2 +-" in said
    begin(jobs[1])
    (project / "net.py").write_text("relu\n")
    begin(jobs[2], installed=packages() + "odd-package==1\n")
    begin(jobs[3], **{"code.resumed": "at step 7:\nnet.py | 2 +-"})
    begin(jobs[4])

    others = other_jobs(ledger)
    assert {number: text.splitlines()[0].split("|")[0] for number, text in others.items()} == {
        2: "net.py ", 3: "odd-package: None -> 1", 4: "at step 7:"
    }  # fmt: skip
    text = table(rows_of(ledger, plan), [], "valid/iou")
    assert text.count("waiting, other code") == 3
    assert "job 2\n\n    net.py | 2 +-\n    1 file changed" in text


def test_code_that_cannot_be_compared_is_named(add, begin, ledger, project):
    jobs = add("one", "two")
    begin(jobs[0])
    (project / "net.py").write_text("tanh\n")
    begin(jobs[1])
    (ledger.folder.with_name(jobs[1].run) / SNAPSHOT).unlink()
    assert "is not recorded" in other_jobs(ledger)[2]
