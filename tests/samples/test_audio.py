"""The sample recordings: the same bytes, sound, and what the annotations say."""

import csv
import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
SHA256 = "e0c729f9920fedd88c97f5f5ff7bb340c71d4b1f3ce4497608041846dce3b8bf"


def make(out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reprise.samples.audio", "--out", str(out), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("data") / "audio"
    assert make(out, "--count", "4").returncode == 0
    return out


def rows(made: Path) -> list[dict[str, str]]:
    with (made / "annotations.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_bytes_are_these(made):
    files = sorted(path for path in made.rglob("*") if path.is_file())
    assert [path.name for path in files] == [
        "annotations.csv", *(f"site_0{number}.flac" for number in range(4)),
    ]  # fmt: skip
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    assert digest.hexdigest() == SHA256


def test_recordings_are_a_minute_of_several_kinds(made):
    infos = [soundfile.info(path) for path in sorted((made / "recordings").iterdir())]
    assert [(info.samplerate, info.channels) for info in infos] == [
        (48000, 1), (44100, 1), (48000, 1), (48000, 2),
    ]  # fmt: skip
    assert {info.duration for info in infos} == {60.0}
    assert {(info.format, info.subtype) for info in infos} == {("FLAC", "PCM_16")}


def test_calls_are_where_the_table_says_and_do_not_touch(made):
    table = rows(made)
    assert len(table) == 200
    assert Counter(row["label"] for row in table).keys() == {
        "buzz", "clicks", "fall", "rise", "trill", "whistle",
    }  # fmt: skip
    for path in sorted((made / "recordings").iterdir()):
        sound, rate = soundfile.read(path, always_2d=True)
        own = [row for row in table if row["recording"] == path.name]
        assert len(own) == 50
        last, is_call = 0.0, np.zeros(len(sound), bool)
        for row in own:
            start, stop = float(row["t_min"]), float(row["t_max"])
            assert last < start < stop <= 60
            is_call[round(start * rate) : round(stop * rate)] = True
            last = stop
        assert sound[is_call].std() > 5 * sound[~is_call].std()


def test_a_sine_is_rounded_alike_on_every_machine():
    """No value lies so near a half that another library's sine could round it otherwise."""
    exact = 32767 * np.sin(2 * np.pi * (np.arange(4096) + 0.5) / 4096)
    assert np.abs(exact - np.floor(exact) - 0.5).min() > 1e-6


def test_fewer_recordings_are_the_first_of_more(made, tmp_path):
    assert make(tmp_path / "one", "--count", "1").returncode == 0
    name = "recordings/site_00.flac"
    assert (tmp_path / "one" / name).read_bytes() == (made / name).read_bytes()


def test_what_is_there_is_not_overwritten(made, tmp_path):
    done = make(made)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert make(tmp_path / "none", "--count", "0").returncode == 2
