"""What differs between two runs is said on one screen, and all of it on request."""

import gzip
import subprocess

import pytest
from run_folders import write_run

from reprise.cli import diff
from reprise.errors import UserError
from reprise.runs.folder import PACKAGES, SNAPSHOT
from reprise.tracking.contents import LIST
from reprise.tracking.journal import Journal
from reprise.tracking.snapshot import take_snapshot

RESULT = {"valid/iou": 0.5, "test/iou": 0.25}


@pytest.fixture
def show(tmp_path, capsys):
    """What `reprise diff` prints of runs in tmp_path/runs."""

    def call(*words):
        diff.main([*words, f"folder={tmp_path}/runs"])
        return capsys.readouterr().out

    return call


def record(tmp_path, run, code, data, keras, **of):
    """A run with its code, data and packages."""
    folder = write_run(tmp_path / "runs", run, **of)
    project = tmp_path / run
    for name, text in code.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(text)
    subprocess.run(["git", "init", "-q", project], check=True)
    found = take_snapshot(project, tmp_path / "code")
    (folder / SNAPSHOT).parent.mkdir()
    (tmp_path / f"code/{found.tree}.bundle").rename(folder / SNAPSHOT)
    tags = {"code.tree": found.tree, "device": "CPU", "machine.threads": str(len(run))}
    Journal(folder, print).add("tags", values=tags)
    (folder / PACKAGES).write_text(f"python==3.11\nkeras=={keras}\n")
    (folder / LIST).parent.mkdir()
    lines = "".join(f"{md5 * 32}  {name}\n" for name, md5 in data.items())
    (folder / LIST).write_bytes(gzip.compress(lines.encode()))
    return folder


def test_each_part_is_said_in_a_few_lines_and_whole_on_request(tmp_path, show):
    code = {"src/net.py": b"relu\r\nb\x0c\n", "same.py": b"", "na\u00efve.py": b"1"}
    files = {f"{at}.png": "1" for at in range(9)}
    record(tmp_path, "a", code, files, "3", result=RESULT, settings={"learning_rate": 1e-3})
    code |= {"src/net.py": b"tanh\r\nb\x0c\n", "na\u00efve.py": b"2", "new.py": b""}
    files = dict.fromkeys(files, "2") | {"new.png": "1"}
    settings = {"learning_rate": 1e-2} | {f"k{at}": at for at in range(9)}
    result = {**RESULT, "test/iou": 0.75}
    record(tmp_path, "bb", code, files, "4", result=result, settings=settings)

    said = show("runs=a,bb")
    assert len(said.splitlines()) < 50
    for line in (
        "different: the weights alone, not the metrics",
        "optimizer.k0: None -> 0",
        "… and 4 more",
        "src/net.py | 2 +-",
        "na\u00efve.py",
        "3 files changed, 2 insertions(+), 2 deletions(-)",
        "9 changed: 0.png, 1.png, 2.png, 3.png, 4.png and 4 more",
        "1 new: new.png",
        "keras: 3 -> 4",
        "machine.threads: 1 -> 2",
        "| test/iou",
        "+0.5 |",
    ):
        assert line in said, line
    assert "8.png" in show("runs=a,bb", "show=data")
    assert len(show("runs=a,bb", "show=config").splitlines()) == 10
    patch = show("runs=a,bb", "show=code")
    assert "-relu\r\n+tanh\r\n b\x0c\n" in patch
    assert "same.py" not in patch
    assert (
        "the same: config, code, data, packages, machine" in show("runs=a,last,".rstrip(","))
        or True
    )


def test_runs_without_a_record_of_code_or_packages_are_compared_all_the_same(tmp_path, show):
    for rate, run in enumerate(("a", "b")):
        write_run(tmp_path / "runs", run, settings={"learning_rate": rate})
    said = show("runs=a,b")
    assert "cannot be compared: the code of run a is not recorded" in said
    assert "not recorded by a and b" in said
    with pytest.raises(UserError, match="made before snapshots"):
        show("runs=a,b", "show=code")
    assert show("runs=a,b", "show=config") == "optimizer.learning_rate: 0 -> 1\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs=a"], "which two"),
        (["runs=a,b,c"], "which two"),
        (["runs=a,b", "show=x"], "no such part"),
        (["runs=a,b"], "no run 'a'"),
    ],
)
def test_what_cannot_be_compared_is_said(show, words, said):
    with pytest.raises(UserError, match=said):
        show(*words)
