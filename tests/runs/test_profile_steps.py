"""Where the time goes, through the command line, on tiny data."""

import re

import pytest
from tiny import array_words, overrides, reprise, write_arrays, write_blobs

STAGES = ["read", "decode", "augment", "collate", "making", "transport", "step"]


def parts(out: str) -> dict[str, list[float]]:
    """The numbers of each row of the table, by its stage."""
    rows = [line.strip("| ").split("|") for line in out.splitlines() if line.startswith("| ")][1:]
    return {row[0].strip(): [float(n) for n in re.findall(r"[\d.]+", str(row[1:]))] for row in rows}


def test_the_split_of_the_stages_is_printed_and_nothing_recorded(tmp_path):
    write_arrays(tmp_path / "a.npz")
    words = array_words(tmp_path / "a.npz", tmp_path)
    store = (tmp_path / "mlflow.db").read_bytes()
    done = reprise("profile", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("digits: 24 steps of 4 samples\n")
    found = parts(done.stdout)
    assert list(found) == STAGES
    assert found["read"] == [0, 0]  # in memory
    assert sum(found[stage][1] for stage in STAGES[:4]) == pytest.approx(100, abs=2)
    assert found["making"][1] == 100
    assert found["step"][0] > 0
    assert re.search(r"made by this process: a batch every [\d.]+ ms", done.stdout)
    assert re.search(r"all of it together: a step every [\d.]+ ms", done.stdout)
    assert re.search(r"^(compute|data)-bound: \d+% of the time", done.stdout, re.MULTILINE)
    assert not (tmp_path / "runs").exists()
    assert (tmp_path / "mlflow.db").read_bytes() == store


@pytest.mark.slow
@pytest.mark.parametrize("processes", [True, False])
def test_images_are_read_and_decoded_by_workers(processes, tmp_path):
    data = write_blobs(tmp_path / "data")
    words = ["loader.workers=2", f"loader.use_multiprocessing={processes}"]
    done = reprise("profile", *overrides(data, tmp_path), *words)
    assert done.returncode == 0, done.stderr[-2000:]
    found = parts(done.stdout)
    assert all(found[stage][0] > 0 for stage in STAGES)
    who = "process" if processes else "thread"
    assert re.search(rf"made by {who} \d+, {who} \d+: a batch every", done.stdout)
