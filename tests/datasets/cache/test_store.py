"""Records on disk: exact, shared by processes, whole after any end, and bounded by the disk."""

import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from reprise.datasets.cache import store as module
from reprise.datasets.cache.store import Store
from reprise.spec import Spec

FREE = Spec((None, None, 3), "uint8"), Spec((None,), "float32")
FIXED = Spec((2, 3), "int16"), Spec((5,), "float64")
COUNT = 40


def arrays(index, specs):
    rng = np.random.default_rng(index)
    shapes = [
        tuple(1 + (index + at) % 4 if axis is None else axis for at, axis in enumerate(spec.shape))
        for spec in specs
    ]
    return tuple(
        rng.integers(0, 99, shape).astype(spec.dtype)
        for shape, spec in zip(shapes, specs, strict=True)
    )


def same(found, expected):
    return all(
        (a.shape, a.dtype, a.tobytes()) == (b.shape, b.dtype, b.tobytes())
        for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("specs", [FREE, FIXED])
def test_what_was_put_comes_back_here_in_a_copy_and_in_a_later_store(tmp_path, specs):
    store = Store(tmp_path / "s", COUNT, specs)
    assert store.is_new
    for index in (3, 0, 39):
        assert not store.has(index)
        store.put([index], [arrays(index, specs)])
    for one in (store, pickle.loads(pickle.dumps(store)), Store(tmp_path / "s", COUNT, specs)):
        assert one.num_records() == 3
        assert one.has(np.array([0, 1, 3, 39])).tolist() == [True, False, True, True]
        for index in (0, 3, 39):
            found = one.get(index)
            assert same(found, arrays(index, specs))
            assert not any(array.flags.writeable for array in found)
            assert all(array.ctypes.data % 64 == 0 for array in found)
    assert not Store(tmp_path / "s", COUNT, specs).is_new


def test_many_records_of_one_size_come_at_once(tmp_path):
    store = Store(tmp_path, COUNT, FIXED)
    store.put(range(10), [arrays(index, FIXED) for index in range(10)])
    store.put([20], [arrays(20, FIXED)])
    found = store.get_many(np.array([20, 3, 3, 0]))
    for at, index in enumerate((20, 3, 3, 0)):
        assert same([array[at] for array in found], arrays(index, FIXED))
    assert store.record_size == 64 + 64


def test_the_first_record_stays(tmp_path):
    store = Store(tmp_path, COUNT, FREE)
    store.put([1], [arrays(1, FREE)])
    size = (tmp_path / "arrays").stat().st_size
    store.put([1], [arrays(2, FREE)])
    assert same(store.get(1), arrays(1, FREE))
    assert (tmp_path / "arrays").stat().st_size == size


FILLING = """
    import sys, numpy as np
    from pathlib import Path
    from reprise.datasets.cache.store import Store
    from reprise.spec import Spec
    store = Store(Path(sys.argv[1]), 100_000, [Spec((None,), "int64")])
    print("ready", flush=True)
    for index in range(store.num_records(), int(sys.argv[2])):
        store.put([index], [(np.full(1000 + index % 7, index),)])
"""


def filling(folder, stop):
    program = [sys.executable, "-c", textwrap.dedent(FILLING), str(folder), str(stop)]
    return subprocess.Popen(program, stdout=subprocess.PIPE)


def is_whole(store):
    for index in np.flatnonzero(store.has(np.arange(100_000))).tolist():
        (array,) = store.get(index)
        assert len(array) == 1000 + index % 7
        assert (array == index).all()


def test_several_processes_fill_one_store(tmp_path):
    writers = [filling(tmp_path, 300) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    for writer in writers:
        writer.stdout.close()
    store = Store(tmp_path, 100_000, [Spec((None,), "int64")])
    assert store.num_records() == 300
    is_whole(store)


def test_a_writer_that_is_killed_leaves_whole_records(tmp_path):
    before = 0
    for turn in range(4):
        with filling(tmp_path, 100_000) as writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(0.03 + 0.013 * turn)
            os.kill(writer.pid, signal.SIGKILL)
        store = Store(tmp_path, 100_000, [Spec((None,), "int64")])
        assert store.num_records() > before
        before = store.num_records()
        is_whole(store)


def test_half_a_record_at_the_end_is_passed_over(tmp_path):
    store = Store(tmp_path, COUNT, FIXED)
    store.put([0], [arrays(0, FIXED)])
    with (tmp_path / "arrays").open("ab") as file:
        file.write(b"\1" * 50)
    again = Store(tmp_path, COUNT, FIXED)
    again.put([1], [arrays(1, FIXED)])
    assert same(again.get(0), arrays(0, FIXED))
    assert same([part[0] for part in again.get_many(np.array([1]))], arrays(1, FIXED))


def test_after_a_power_cut_only_what_had_reached_the_disk_counts(tmp_path):
    Store(tmp_path, COUNT, FREE).put([0, 1], [arrays(0, FREE), arrays(1, FREE)])
    store = Store(tmp_path, COUNT, FREE)  # brings these two to the disk
    store.put([2], [arrays(2, FREE)])
    known = json.loads((tmp_path / "synced.json").read_text())
    (tmp_path / "synced.json").write_text(json.dumps(known | {"boot": "an earlier one"}))
    later = Store(tmp_path, COUNT, FREE)
    assert later.has(np.arange(4)).tolist() == [True, True, False, False]
    later.put([2], [arrays(2, FREE)])
    assert same(later.get(2), arrays(2, FREE))


def test_a_file_that_cannot_grow_is_an_error_and_harms_nothing(tmp_path):
    store = Store(tmp_path, COUNT, [Spec((None,), "uint8")])
    small, large = np.ones(100, np.uint8), np.ones(1 << 20, np.uint8)
    store.put([0], [(small,)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large|No space"):
            store.put([1], [(large,)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "arrays").stat().st_size == 192
    assert store.has(np.arange(2)).tolist() == [True, False]
    store.put([1], [(large,)])
    assert same(store.get(0), (small,))
    assert same(store.get(1), (large,))


def test_the_last_gigabyte_of_a_disk_is_left(tmp_path, monkeypatch):
    store = Store(tmp_path, COUNT, FIXED)
    monkeypatch.setattr(module, "_LEFT_FREE", 1 << 60)
    with pytest.raises(OSError, match="is left to others"):
        store.put([0], [arrays(0, FIXED)])
    assert store.is_first_to_fail()
    assert not pickle.loads(pickle.dumps(store)).is_first_to_fail()
    assert Store(tmp_path, COUNT, FIXED).is_first_to_fail()
