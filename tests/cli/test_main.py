import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprise.cli.main import options
from reprise.errors import UserError
from reprise.training.quiet import native_notes_hidden

PROGRAM = """
from reprise.cli import main as command
from reprise.errors import UserError

def verb(argv):
    {body}

command.run(verb, [])
"""


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("pass", 0, ""),
        ("raise UserError('x', 'a', 'b', 'c')", 2, "error: x\n  expected  a\n  received  b"),
        ("raise UserError('mysql://me:pw@host/db', 'a', 'b', 'c')", 2, "mysql://me:***@host/db"),
        ("raise OSError(28, 'No space left', 'a.bin')", 2, "a.bin\n  expected  room on the disk"),
        ("raise OSError(2, 'No such file', 'a.bin')", 1, "Traceback"),
        ("raise KeyboardInterrupt", 130, "Ctrl-C"),
        ("raise ValueError('ours')", 1, "Traceback"),
    ],
)
def test_the_exit_code_tells_what_happened(body, code, said):
    program = PROGRAM.format(body=body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == code
    assert said in done.stderr
    assert ("Traceback" in done.stderr) == (code == 1)


STOPPED = """
import os, signal
signal.signal(signal.{0}, signal.SIG_DFL)  # tests may be run where it is ignored
with command.undone_when_stopped():
        try:
            os.kill(os.getpid(), signal.{0})
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            print("undone")
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 75), ("SIGHUP", 75)])
def test_what_is_half_made_is_undone_whatever_stops_a_verb(name, code):
    body = STOPPED.format(name).replace("\n", "\n    ")
    program = PROGRAM.format(body=body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, "undone\n"), done.stderr
    assert "stopped" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error():
    program = PROGRAM.format(body="print('line\\n' * 100000)")
    command = f'{sys.executable} -c "{program}" | head -1'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("line\n", "")


def call(code, **how):
    """Run Python code as a verb; say what it has printed."""
    code = f"from reprise.cli.main import run\n{code}\nrun(lambda words: verb(), [])"
    return subprocess.run([sys.executable, "-c", code], text=True, **how)


LONG = """
def verb():
    for at in range(20000):
        print(at, "ä")
    open('reached', 'w').close()
"""


@pytest.mark.parametrize("stdout", ["a pipe that nobody reads", "/dev/full", "closed"])
def test_what_is_printed_ends_nothing_where_it_is_not_taken(tmp_path, monkeypatch, stdout):
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    if stdout == "closed":
        done = call("import os" + LONG, preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE)
    else:
        there, here = os.pipe()
        os.close(there)
        number = here if stdout.startswith("a pipe") else os.open(stdout, os.O_WRONLY)
        done = call(LONG, stdout=number, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "reached").exists()


@pytest.mark.parametrize("locale", ["C", "POSIX", "de_DE.ISO-8859-1", "nowhere"])
def test_any_text_is_printed_in_any_locale(tmp_path, locale):
    (tmp_path / "conf").mkdir()
    how = {"cwd": tmp_path, "capture_output": True}
    code = "def verb(): print('note: ä…\\udcff')"
    environment = {**os.environ, "LC_ALL": locale, "PYTHONIOENCODING": "ascii"}
    done = call(code, env=environment, **how)
    assert (done.returncode, done.stdout) == (0, "note: \\xe4\\u2026\\udcff\n")
    assert call(code, env=environment | {"PYTHONIOENCODING": "utf-8"}, **how).returncode == 0


def test_a_user_without_a_home_gets_one_for_the_libraries(tmp_path):
    (tmp_path / "conf").mkdir()
    code = (
        "import os, pwd\ndef unknown(uid): raise KeyError(uid)\npwd.getpwuid = unknown\n"
        "def verb(): print(os.environ['HOME'], os.path.isdir(os.environ['HOME']))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "HOME"}
    done = call(code, env=environment, cwd=tmp_path, capture_output=True)
    home, there = done.stdout.split()
    assert (there, Path(home).exists()) == ("True", False)
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


def test_native_notes_are_hidden(capfd):
    with native_notes_hidden():
        os.write(2, b"noise")
    os.write(2, b"word")
    assert capfd.readouterr().err == "word"


def test_native_notes_are_shown_where_something_failed(capfd):
    def fail():
        os.write(2, b"the reason")
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"), native_notes_hidden():
        fail()
    assert capfd.readouterr().err == "the reason"


def test_keras_is_imported_without_what_no_run_uses():
    code = "import sys; from reprise.training.quiet import OPTIONAL, import_keras; import_keras(); "
    code += "print('keras' in sys.modules, [name for name in OPTIONAL if name in sys.modules]); "
    code += "import pandas"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True []\n"), done.stderr


def test_options_are_read_with_their_defaults():
    assert options(["run=last"], run=None, split="test") == {"run": "last", "split": "test"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "run=… is missing"),
        (["run=1", "splitt=valid"], "'splitt' is not an option"),
        (["run="], "run=… is missing"),
        (["last"], "'last' is not an option"),
    ],
)
def test_a_wrong_option_is_refused(words, said):
    with pytest.raises(UserError, match=said):
        options(words, run=None, split="test")


def test_the_verbs_are_listed_anywhere_and_another_one_is_refused(tmp_path):
    def call(folder, *words):
        command = [sys.executable, "-m", "reprise", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    assert ", train, " in call(tmp_path).stdout
    (tmp_path / "conf").mkdir()
    done = call(tmp_path, "trian", "experiment=digits")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "\nerror: there is no verb 'trian'\n  expected  add-data, calibrate, "
    )
