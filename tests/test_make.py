"""The Makefile, with a recorder in the place of Python: what would each verb run, and when?"""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
RECORDER = '#!/bin/bash\nprintf "<%s>" "$@"\necho\n'
VERBS = [
    "help", "setup", "doctor", "train", "sweep", "resume", "data", "add-data", "check-data",
    "preview", "config", "hash-batches", "profile", "evaluate", "predict", "calibrate", "report",
    "export",
    "serve", "promote", "models", "reproduce", "clone", "export-run", "runs", "sync", "compare",
    "diff", "update", "ui", "new-project", "new-dataset", "new-model", "new-objective", "updates",
    "test", "test-slow", "check", "format", "bench", "docs",
    "lock",
]  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A set-up checkout whose path has a space, where `python` prints its words."""
    root = tmp_path / "a checkout"
    for folder in (".venv/bin", "scripts", "conf/experiment"):
        (root / folder).mkdir(parents=True)
    shutil.copy(PROJECT / "Makefile", root)
    (root / "conf/experiment/segmentation.yaml").touch()
    (root / "pyproject.toml").touch()
    (root / "requirements.lock").touch()
    write_program(root / "scripts/setup.sh", '#!/bin/bash\nprintf %s "$PWD" > .venv/.ready\n')
    with (root / "scripts/setup.sh").open("a") as script:
        script.write("echo set up >&2\n")
    write_program(root / ".venv/bin/python", RECORDER)
    (root / ".venv/.ready").write_text(str(root))
    return root


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def make(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "MLFLOW"))}
    return subprocess.run(
        ["make", *words], cwd=root, env=clean | environment, text=True, capture_output=True
    )


def test_help_lists_every_verb(checkout):
    done = make(checkout)
    assert [line.split()[1] for line in done.stdout.splitlines()] == VERBS
    phony = re.findall(r"^\.PHONY: (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert [verb for verb in phony if verb in VERBS] == VERBS


@pytest.mark.parametrize(
    ("typed", "run"),
    [
        (["train", "exp=e"], "<-m><reprise><train><experiment=e>"),
        (["train"], "<-m><reprise><train>"),  # which asks
        (
            ["config", "exp=e", "seed=3", "a.b=it's $x"],
            "<-m><reprise><config><a.b=it's $x><seed=3><experiment=e>",
        ),
        (["config", "exp=e"], "<-m><reprise><config><experiment=e>"),
        (["check-data", "exp=e", "args=a=1"], "<-m><reprise><check-data><experiment=e><a=1>"),
        (["hash-batches", "exp=e"], "<-m><reprise><hash-batches><experiment=e>"),
        (["profile", "exp=e", "args=a=1"], "<-m><reprise><profile><experiment=e><a=1>"),
        (["preview", "exp=e"], "<-m><reprise><preview><experiment=e>"),
        (["data"], "<-m><reprise><data>"),
        (["data", "args=tiny accept=true"], "<-m><reprise><data><tiny><accept=true>"),
        (["evaluate", "run=1-a"], "<-m><reprise><evaluate><run=1-a>"),
        (["evaluate", "run=1", "split=valid"], "<-m><reprise><evaluate><run=1><split=valid>"),
        (["resume", "run=last"], "<-m><reprise><resume><run=last>"),
        (["resume", "sweep=1-a"], "<-m><reprise><resume><sweep=1-a>"),
        (["sweep", "exp=e", "args=a=1,2"], "<-m><reprise><sweep><experiment=e><a=1,2>"),
        (["runs"], "<-m><reprise><runs>"),
        (["compare"], "<-m><reprise><compare>"),
        (
            ["compare", "exp=e", "sort=test/iou", "top=3", "args=folder=x"],
            "<-m><reprise><compare><experiment=e><sort=test/iou><top=3><folder=x>",
        ),
        (["compare", "sweep=1-a"], "<-m><reprise><compare><sweep=1-a>"),
        (["compare", "runs=1-a,2-b"], "<-m><reprise><compare><runs=1-a,2-b>"),
        (["update", "run=1", "args=dataset.a=b"], "<-m><reprise><update><run=1><dataset.a=b>"),
        (["test", "args=-k 'a or b'"], "<-m><pytest><-n><auto><--dist><loadfile><-k><a or b>"),
        (["test-slow"], "<-m><pytest><-m><slow>"),
        (["bench"], "<-m><scripts.bench>"),
        (["ui"], "<-m><reprise><ui>"),
        (["ui", "port=5001"], "<-m><reprise><ui><port=5001>"),
        (["bench", "args=quick=true"], "<-m><scripts.bench><quick=true>"),
    ],
)
def test_a_verb_runs_its_module(checkout, typed, run):
    done = make(checkout, *typed)
    assert (done.stdout, done.stderr, done.returncode) == (run + "\n", "", 0)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("a=1 b=2", ["a=1", "b=2"]),
        ("  a=[0.5,1.5]   b={c:1,d:2}", ["a=[0.5,1.5]", "b={c:1,d:2}"]),
        ("a='x y' \"b=it's\"", ["a=x y", "b=it's"]),
        ("'a=\"x,y\"'", ['a="x,y"']),
        ("a=${seed} b=$HOME c=$(seed) d=`ls`", ["a=${seed}", "b=$HOME", "c=$(seed)", "d=`ls`"]),
        (
            "a=choice(1,2) b=x;ls c=<d> e=a|b f=&",
            ["a=choice(1,2)", "b=x;ls", "c=<d>", "e=a|b", "f=&"],
        ),
        ("a=* b=~ c=# ~d !e", ["a=*", "b=~", "c=#", "~d", "!e"]),
        ("++a=1 +b=2 -c", ["++a=1", "+b=2", "-c"]),
        (r"a=x\,y", ["a=x,y"]),
    ],
)
def test_args_reach_the_verb_as_typed(checkout, typed, words):
    done = make(checkout, "train", "exp=e", f"args={typed}")
    expected = "".join(f"<{word}>" for word in words)
    assert done.stdout == f"<-m><reprise><train><experiment=e>{expected}\n"


def test_a_quote_without_its_other_is_refused(checkout):
    done = make(checkout, "train", "exp=e", "args=a='x y")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "unmatched single quote" in done.stderr


def test_what_is_missing_is_asked_for(checkout):
    assert make(checkout, "evaluate").stderr.startswith("Which run? Type run=ID")


def test_a_verb_sets_up_when_it_must_and_says_so_on_stderr(checkout):
    def sets_up() -> bool:
        done = make(checkout, "train", "exp=e")
        assert done.stdout == "<-m><reprise><train><experiment=e>\n"
        assert done.stderr in ("", "set up\n")
        return done.stderr == "set up\n"

    assert not sets_up()
    for changed in ("pyproject.toml", "requirements.lock", "scripts/setup.sh"):
        os.utime(checkout / ".venv/.ready", (time.time() - 9,) * 2)
        os.utime(checkout / changed, (time.time() - 5,) * 2)
        assert sets_up(), changed
        assert not sets_up(), changed
    (checkout / ".venv/.ready").unlink()
    assert sets_up()
    assert not sets_up()


def test_check_runs_every_tool_and_says_what_mends_each_failure(checkout):
    write_program(checkout / ".venv/bin/lint-imports", RECORDER + "exit 1\n")
    passed = "<-m><ruff><check>\n<-m><ruff><format><--check>\n<-m><mypy>\n"
    done = make(checkout, "check")
    assert done.stdout == f"{passed}<--no-cache><--no-logo>\n"
    assert done.returncode == 2
    assert done.stderr.startswith("check: to mend this: move the import down")
    write_program(checkout / ".venv/bin/python", RECORDER + "exit 1\n")
    write_program(checkout / ".venv/bin/lint-imports", RECORDER)
    done = make(checkout, "check")
    assert done.stdout == f"{passed}<--no-cache><--no-logo>\n"
    assert done.returncode == 2
    assert done.stderr.count("check: to mend this: ") == 3
    assert "make format" in done.stderr
    write_program(checkout / ".venv/bin/python", RECORDER)
    assert make(checkout, "check").returncode == 0


def test_a_moved_checkout_is_set_up_again(checkout):
    moved = checkout.rename(checkout.with_name("another place"))
    assert make(moved, "train", "exp=e").stderr == "set up\n"
    assert make(moved, "train", "exp=e").stderr == ""


def test_a_venv_without_its_python_is_set_up_again(checkout):
    (checkout / ".venv/bin/python").unlink()
    assert "set up\n" in make(checkout, "train", "exp=e").stderr


def test_setup_typed_always_runs(checkout):
    assert [make(checkout, "setup").stderr for _ in range(2)] == ["set up\n"] * 2


def test_a_signal_reaches_the_verb_itself(checkout):
    lines = ["#!/bin/bash", 'trap "echo told >> signals; exit" TERM', "touch started"]
    lines += ["while :; do sleep 0.05; done", ""]
    write_program(checkout / ".venv/bin/python", "\n".join(lines))
    process = subprocess.Popen(["make", "train", "exp=e"], cwd=checkout)
    while not (checkout / "started").exists():
        assert process.poll() is None
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1  # no shell stands between
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    assert (checkout / "signals").read_text() == "told\n"


def test_the_lock_files_have_hashes_and_no_address():
    extras = ("-gpu", "-mysql", "-bench", "-docs")
    names = ("requirements.lock", *(f"requirements{extra}.lock" for extra in extras))
    pinned = {}
    for name in names:
        text = (PROJECT / name).read_text()
        body = text.split("\n", 2)[2]  # behind the note of how it was made; an option begins a line
        assert not re.search(r"://|^--", body, re.MULTILINE), name
        blocks = re.findall(r"^(\S+==\S+)(.*(?:\n .*)*)", text, re.MULTILINE)
        assert all("--hash=sha256:" in block for _, block in blocks), name
        pinned[name] = {requirement for requirement, _ in blocks}
    assert len(pinned[names[0]]) > 100
    assert [
        len(pinned[name]) > count for name, count in zip(names, (100, 30, 0, 0, 10), strict=True)
    ]
    assert any(requirement.startswith("mysqlclient==") for requirement in pinned[names[2]])
    shared = {r for r in pinned[names[1]] if not r.startswith("nvidia-")}
    assert len(shared) > 20
    assert shared <= pinned[names[0]]


def test_the_environment_is_not_taken_for_what_was_typed(checkout):
    done = make(checkout, "test", args="-x", exp="e", port="1")
    assert done.stdout == "<-m><pytest><-n><auto><--dist><loadfile>\n"
    assert make(checkout, "train", exp="e").stdout == "<-m><reprise><train>\n"
