import gc
import hashlib
import itertools
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from loading.loader_samples import Bulk, Census, InMemory, Numbers, Ragged, Slow, Stated, census
from threadpoolctl import threadpool_limits

from reprise.datasets.base import Dataset, Sample
from reprise.datasets.stream import Stream
from reprise.loading.loader import Loader

Load = Callable[..., Loader]
STEPS = 20
ENGINES = [(0, True), *itertools.product((1, 2, 4), (True, False))]


def digest(batches: Iterable[Sample]) -> str:
    hashed = hashlib.sha256()
    for arrays in batches:
        for array in arrays:
            hashed.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
    return hashed.hexdigest()


def expected(dataset: Dataset, split: str, start: int, stop: int) -> str:
    """The promise, written out: batches of 4 of 23 samples, seed 3."""
    batches = []
    for step in range(start, stop):
        turn, at = divmod(step, 6)
        samples, rngs = np.arange(23), [None] * 23
        if split == "train":
            samples = np.random.default_rng([3, 0, turn, 0, 1]).permutation(23)
            rngs = [np.random.default_rng([3, 0, turn, i]) for i in range(23)]  # type: ignore[misc]
        rows = samples[4 * at : 4 * at + 4]
        batches.append(dataset.read_many(rows, [rngs[i] for i in rows]))
    return digest(batches)


@pytest.mark.parametrize(
    ("split", "method"),
    [("train", "forkserver"), ("valid", "spawn"),
     pytest.param("train", "spawn", marks=pytest.mark.slow)],
)  # fmt: skip
def test_same_bytes_whoever_makes_them(split: str, method: str, load: Load) -> None:
    multiprocessing.set_start_method(method, force=True)
    made = {}
    for workers, processes in ENGINES:
        loader = load(Numbers(), split=split, workers=workers, use_multiprocessing=processes)
        made[workers, processes] = digest(loader.batches(0, STEPS))
        loader.close()
    assert made == dict.fromkeys(ENGINES, expected(Numbers(), split, 0, STEPS))
    assert len(made) == 7


@pytest.mark.parametrize("dataset", [Bulk(), Ragged(), InMemory()])
def test_same_bytes_for_every_kind_of_read(dataset: Dataset, load: Load) -> None:
    for workers, processes in ((0, True), (2, True), (2, False)):
        loader = load(dataset, workers=workers, use_multiprocessing=processes)
        made = digest(loader.batches(0, STEPS))
        assert made == expected(dataset, "train", 0, STEPS)


@pytest.mark.parametrize(("workers", "processes"), ENGINES)
def test_producers_tell_who_made_the_batches(workers: int, processes: bool, load: Load) -> None:
    loader = load(Slow(), workers=workers, use_multiprocessing=processes)
    for _ in range(3):  # workers are started once
        for _ in loader.batches(0, 60):
            pass
    kinds = {name.split()[0] for name in loader.producers}
    assert kinds == ({"this"} if not workers else {"process"} if processes else {"thread"})
    assert len(loader.producers) == max(workers, 1)
    assert f"process {os.getpid()}" not in loader.producers
    assert loader.waited_s > 0


def test_default_is_one_process_per_core_and_none_for_data_in_memory(load: Load) -> None:
    cores = len(os.sched_getaffinity(0))
    for dataset, count in ((Slow(), cores), (InMemory(), 1)):
        loader = load(dataset)
        for _ in loader.batches(0, 60):
            pass
        assert len(loader.producers) == count
    assert loader.producers == {"this process"}


@pytest.mark.parametrize(("workers", "processes"), ENGINES)
def test_fewer_samples_than_a_batch(workers: int, processes: bool, load: Load) -> None:
    loader = load(Numbers(3), batch_size=8, workers=workers, use_multiprocessing=processes)
    assert loader.steps_per_pass == 1
    rows = [sorted(y[:, 0].tolist()) for _, y in loader.batches(0, 4)]
    assert rows == [[0, 1, 2]] * 4


@pytest.mark.parametrize(("workers", "processes"), ENGINES)
def test_iteration_given_up_never_leaks_into_the_next(
    workers: int, processes: bool, load: Load
) -> None:
    loader = load(Slow(), workers=workers, use_multiprocessing=processes)
    for start in range(8):
        older = loader.batches(start)
        next(older)
        assert digest(loader.batches(start, start + 3)) == expected(
            Numbers(), "train", start, start + 3
        )
        with pytest.raises(RuntimeError, match="ended when the loader began another"):
            next(older)
    assert loader.error is None


def test_batches_kept_by_the_consumer_stay_as_they_were(load: Load) -> None:
    loader = load(Numbers(), workers=2, max_queue_size=1)
    kept = list(loader.batches(0, 50))
    assert digest(kept) == expected(Numbers(), "train", 0, 50)
    loader.close()
    assert digest(kept) == expected(Numbers(), "train", 0, 50)


def test_no_batch_changes_while_it_is_held(load: Load) -> None:
    """Held for random times over thousands of batches, whole or through a view of a part."""
    loader = load(Numbers(200, side=16), workers=2, batch_size=2)
    rng, held = np.random.default_rng(0), []
    for step, (x, y) in enumerate(loader.batches(0, 4000)):
        held.append((step + rng.integers(1, 12), x[1:, ::2] if step % 2 else x[1:], y[1, 0] % 256))
        for due, part, value in held:
            assert (part == value).all(), due
        held = [entry for entry in held if entry[0] > step]
    assert step == 3999


def test_memory_is_what_the_specs_say_however_long_it_runs(load: Load) -> None:
    def mapped(pid: int | str) -> list[int]:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        ranges = [line.split()[0].split("-") for line in lines if "memfd:reprise-slots" in line]
        return [int(high, 16) - int(low, 16) for low, high in ranges]

    before = len(mapped("self"))
    loader = load(Numbers(2000, side=100), workers=2, batch_size=5, max_queue_size=4)
    kept: list[Sample] = []
    for batch in loader.batches(0, 200):
        kept = [*kept[-2:], batch]
    slots = 4 + 2 + 3  # that may wait, in the making, with the consumer
    batch_bytes = (
        64 + 5 * 100 * 100 * 3 + 48 + 5 * 2 * 8 + 48
    )  # indices, images, numbers: lines of 64
    expected_bytes = 4096 + slots * -(-batch_bytes // 4096) * 4096
    assert mapped("self")[before:] == [expected_bytes]
    for name in loader.producers:
        assert mapped(name.split()[1]) == [expected_bytes]


@pytest.mark.parametrize("processes", [True, False])
def test_no_page_is_faulted_in_for_every_batch(processes: bool, load: Load) -> None:
    """Freed and mapped anew, each batch of 3.4 MB would cost 864 faults, and its samples as many.

    Some come on a busy machine, where more batches than before are under way at a time.
    """
    keys = {"workers": 2, "use_multiprocessing": processes, "batch_size": 8}
    loader = load(Numbers(2000, side=384), **keys)
    batches = loader.batches()
    for _ in range(150):
        next(batches)[0].max()
    workers = [name.split()[1] for name in loader.producers if processes]
    stats = [Path(f"/proc/{pid}/stat") for pid in ("self", *workers)]

    def faults() -> np.ndarray:
        return np.array([int(stat.read_text().split()[9]) for stat in stats])

    before = faults()
    for _ in range(150):
        next(batches)[0].max()
    assert len(stats) == (3 if processes else 1)
    assert ((faults() - before) / 150 < 150).all()


def test_workers_are_light_and_use_one_thread(start_method: str, load: Load) -> None:
    for _, y in load(Census(), workers=2).batches(0, 12):
        assert y.tolist() == [[0.0, 1.0]] * len(y)


def let_loose() -> None:
    """Give OpenCV and BLAS two threads again; BLAS's limit obeys the thread that set it first."""
    cv2.setNumThreads(2)
    setter = threading.Thread(target=threadpool_limits, args=(2,))
    setter.start()
    setter.join()
    assert census()[1] == 2


def test_threads_use_one_thread_each(load: Load) -> None:
    let_loose()
    for _, y in load(Census(), workers=2, use_multiprocessing=False).batches(0, 12):
        assert y[:, 1].tolist() == [1.0] * len(y)


@pytest.mark.parametrize("processes", [True, False])
def test_those_who_read_a_stream_use_one_thread_each(processes: bool) -> None:
    let_loose()
    stream = Stream(Stated(), {"train": 1.0, "valid": 0.0})
    keys: dict[str, Any] = {"workers": 2, "use_multiprocessing": processes, "max_queue_size": 1}
    with Loader(stream, stream.splits()["train"], split="valid", seed=0, **keys) as loader:
        said = np.concatenate([x for x, _ in loader.batches(0, 9)])  # three passes
    assert said[24:, 1].tolist() == [1.0] * 48  # a thread sees to it after its first answer
    assert not (processes and said[:, 0].any())


def test_nothing_is_left_behind(load: Load) -> None:
    def opened() -> set[str]:
        gc.collect()
        return {f.name for f in Path("/proc/self/fd").iterdir()}

    def children() -> set[str]:
        return set(
            Path("/proc/self/task").joinpath(str(os.getpid()), "children").read_text().split()
        )

    def use() -> None:
        loader = load(Numbers(), workers=2)
        kept = list(itertools.islice(loader.batches(), 5))
        loader.close()
        loader.close()
        assert len(kept) == 5

    use()  # starts the fork server, which stays for the next loader
    fds, processes = opened(), children()
    for _ in range(10):
        use()
    assert len(opened()) == len(fds)
    assert children() == processes


@pytest.mark.parametrize("processes", [True, False])
def test_dropped_loader_ends_its_workers(processes: bool) -> None:
    keys = {"split": "train", "seed": 3, "workers": 2, "use_multiprocessing": processes}
    loader = Loader(Slow(), np.arange(23), **keys)  # type: ignore[arg-type]
    threads = set(threading.enumerate())
    for _ in loader.batches(0, 30):
        pass
    ours = set(threading.enumerate()) - threads
    pids = [int(name.split()[1]) for name in loader.producers if processes]
    assert (len(ours), len(pids)) == ((0, 2) if processes else (2, 0))
    del loader, _
    gc.collect()
    deadline = time.monotonic() + 10
    while any(thread.is_alive() for thread in ours) or any(map(psutil.pid_exists, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_closed_loader_says_so(load: Load) -> None:
    loader = load(Numbers(), workers=2)
    batches = loader.batches()
    next(batches)
    loader.close()
    with pytest.raises(RuntimeError, match="ended when the loader was closed"):
        next(batches)
    with pytest.raises(RuntimeError, match="the loader is closed"):
        loader.batches()
