"""`make bench` on tiny work: what it writes, not how fast anything is."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.bench.works import WORKS

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "scripts.bench"]
QUICK = ["quick=true", "repeats=1", "seconds=0.05", "workers=2"]


def bench(
    *words: str, timeout: float = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


ENGINES = [
    "received", "reprise", "reprise no workers", "reprise block", "reprise cached", "seed",
]  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench") / "new"
    scratch = tmp_path_factory.mktemp("scratch")
    done = bench(*QUICK, "work=sql_matrix_4x4", f"out={out}", TMPDIR=str(scratch))
    assert done.returncode == 0, done.stderr[-3000:]
    assert list(scratch.iterdir()) == []
    return json.loads((out / "bench.json").read_text()), done.stdout, out


def check_rows(read: dict) -> None:
    for row in read["rows"]:
        assert "failure" not in row, row
        assert set(row) == {
            "work", "engine", "dtype", "batch_size", "samples_per_second", "of_limit",
            "cpu_of_limit", "of_left", "first_batch_s", "memory_mb",
        }  # fmt: skip
        assert row["samples_per_second"] > 0
        assert row["memory_mb"] > 10
        assert 0 < row["first_batch_s"] < 100


@pytest.mark.slow
def test_every_engine_has_a_row_of_the_promised_shape(report):
    read = report[0]
    assert set(read) == {"machine", "settings", "rows", "ratios"}
    assert set(read["machine"]) == {"cpu", "cores", "memory_gb", "python", "packages"}
    check_rows(read)
    assert [(row["work"], row["engine"]) for row in read["rows"]] == [
        ("sql_matrix_4x4", engine) for engine in ENGINES
    ]


@pytest.mark.slow
def test_shares_and_ratios_are_those_of_the_rates(report):
    read = report[0]
    rate = {row["engine"]: row["samples_per_second"] for row in read["rows"]}
    limit, *others = read["rows"]
    assert limit["of_limit"] is None
    for row in others:  # of one round, so that the median ratio is that of the medians
        assert row["of_limit"] == pytest.approx(rate[row["engine"]] / rate["received"])
    assert read["ratios"] == {
        "sql_matrix_4x4": {
            engine: pytest.approx(rate["reprise"] / rate[engine]) for engine in ENGINES[2:]
        }
    }


@pytest.mark.slow
def test_table_and_picture_are_there(report):
    _, printed, out = report
    assert "sql_matrix_4x4, float32, batches of 256" in printed
    assert (out / "bench.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_quick_mode_measures_all_kinds_of_work(tmp_path):
    done = bench(*QUICK, f"out={tmp_path}", timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    read = json.loads((tmp_path / "bench.json").read_text())
    check_rows(read)
    works = [work for work in WORKS.values() if work.quick]
    assert len(works) == 6
    assert len(read["rows"]) == sum(len(work.quick) for work in works)
    assert set(read["costs"]) == {
        "first_batch_cold_s", "first_batch_warm_s", "worker_mb", "parent_ms_per_batch", "epoch_ms",
    }  # fmt: skip
    assert set(read["predict"]) == {"classes", "masks", "tiles", "rows"}
    assert all(one["ratio"] > 0 for one in read["predict"].values())


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("work=cinema", "'cinema' is no work"),
        ("repeats=0", "repeats cannot be '0'"),
        ("seconds=long", "seconds cannot be 'long'"),
        ("quick=perhaps", "quick cannot be 'perhaps'"),
        ("speed=11", "'speed' is not an option"),
    ],
)
def test_mistakes_are_refused(word, part, tmp_path):
    done = bench(word, f"out={tmp_path}/new")
    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_stopped_it_leaves_no_process_and_no_file(tmp_path):
    words = [*COMMAND, *QUICK, "seconds=60", "work=sql_matrix_4x4", f"out={tmp_path}"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (begun := children.read_text().split()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in begun):  # one just begun finds it later
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert list(scratch.iterdir()) == []
