import subprocess
import sys

import yaml

from reprise.cli.config import as_text
from reprise.config.compose import Composed


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reprise", "config", *words]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_composition_is_printed_as_yaml_on_two_screens_at_most():
    done = run("experiment=segmentation", "seed=4")
    assert done.returncode == 0, done.stderr
    assert "experiment=segmentation" in done.stdout.splitlines()[0]
    assert yaml.safe_load(done.stdout)["seed"] == 4
    assert "\033" not in done.stdout
    assert len(done.stdout.splitlines()) <= 2 * 50


def test_mistakes_are_the_users():
    done = run("experiment=segmentation", "seeed=4")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "seeed: no such key (on the command line: seeed=4)" in done.stderr
    assert "Traceback" not in done.stderr


def test_short_lists_stand_on_one_line_and_passwords_nowhere():
    values = {"size": [8, 8], "url": "a://b:hidden@c", "parts": [{"x": [1]}]}
    assert as_text(Composed(values, {"model": "net"}, [])) == (
        "# model=net\nsize: [8, 8]\nurl: a://b:***@c\nparts:\n- x: [1]\n"
    )
