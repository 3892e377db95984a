import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from loading.loader_samples import (
    Broken,
    Deadly,
    DiesAtStart,
    Numbers,
    Slow,
    Unreceivable,
    Unsendable,
)
from loading.test_endings import is_alive
from loading.test_loader import digest, expected

from reprise.errors import UserError
from reprise.loading.loader import Loader
from reprise.loading.order import BatchPlan, Order
from reprise.loading.process_pool import ProcessPool
from reprise.loading.thread_pool import ThreadPool

Load = Callable[..., Loader]


def order(split: str = "train") -> Order:
    return Order(np.arange(23), split=split, seed=3, batch_size=4)


@pytest.mark.parametrize("kind", [ProcessPool, ThreadPool])
def test_no_more_batches_are_ahead_than_asked_for(kind: type[ProcessPool | ThreadPool]) -> None:
    class Counted(Order):
        seen = 0

        def plan(self, step: int, count: int = 1) -> BatchPlan:
            self.seen += 1
            return super().plan(step, count)

    counted = Counted(np.arange(23), split="train", seed=3, batch_size=4)
    pool = kind(Numbers(), counted, workers=2, ahead=3, timeout_s=60)
    batches = pool.run(0, None)
    for taken in range(1, 30):
        next(batches)
        assert counted.seen == taken - 1 + 3 + 2
    pool.close()


def test_killed_workers_are_replaced_and_their_batches_redone(
    start_method: str, load: Load
) -> None:
    loader = load(Slow(200, pause_s=0.002), workers=2)
    undisturbed = load(Numbers(200), workers=0)
    made, rng = [], random.Random(0)
    for step, (x, y) in enumerate(loader.batches(0, 80)):
        made.append((x, y))
        if step % 10 == 0:
            os.kill(rng.choice(_pids(loader)), signal.SIGKILL)
    assert digest(made) == digest(undisturbed.batches(0, 80))
    assert len(loader.producers) >= 5


def test_death_of_the_fork_server_is_survived(load: Load) -> None:
    loader = load(Slow(), workers=2)
    for step, (x, y) in enumerate(loader.batches(0, 40)):
        assert digest([(x, y)]) == expected(Numbers(), "train", step, step + 1)
        if step == 10:
            workers = [psutil.Process(int(name.split()[1])) for name in loader.producers]
            (server,) = {process.ppid() for process in workers}
            os.kill(server, signal.SIGKILL)
    assert not any(is_alive(process) for process in workers)
    assert len(loader.producers) == 4


@pytest.mark.slow
def test_a_thousand_random_kills_change_no_byte(load: Load) -> None:
    loader = load(Slow(200, pause_s=0.002), workers=2, batch_size=8)
    undisturbed = load(Numbers(200), workers=0, batch_size=8).batches()
    kills, step, over, rng = 0, 0, threading.Event(), random.Random(0)

    def assassin() -> None:
        nonlocal kills
        seen = in_a_row = 0
        while kills < 1000 and not over.wait(rng.uniform(0, 0.2)):
            seen, in_a_row = step, in_a_row if seen == step else 0
            if in_a_row == 5:  # on a busy machine nobody comes up as fast as this one kills
                continue
            with contextlib.suppress(ProcessLookupError, ValueError):  # dead or replaced by now
                os.kill(rng.choice(_pids(loader)), signal.SIGKILL)
                kills, in_a_row = kills + 1, in_a_row + 1
        over.set()

    batches = loader.batches()
    next(batches), next(undisturbed)
    handles = len(list(Path("/proc/self/fd").iterdir()))
    thread = threading.Thread(target=assassin)
    thread.start()
    try:
        while not over.is_set():
            assert digest([next(batches)]) == digest([next(undisturbed)])
            step += 1
    finally:
        over.set()
        thread.join()
    assert kills == 1000
    assert len(list(Path("/proc/self/fd").iterdir())) <= handles
    loader.close()
    left = psutil.Process().children(recursive=True)  # the fork server, and Python's own tracker
    assert [process for process in left if process.status() == psutil.STATUS_ZOMBIE] == []
    assert len(left) <= 2


def test_sample_that_kills_three_workers_is_survived(load: Load, tmp_path: Path) -> None:
    loader = load(Deadly(tmp_path, lives=3), workers=2)
    assert digest(loader.batches(0, 30)) == expected(Numbers(), "train", 0, 30)
    assert len(list(tmp_path.iterdir())) == 3


def test_sample_that_always_kills_is_named_and_the_loader_serves_on(
    load: Load, tmp_path: Path
) -> None:
    loader = load(Deadly(tmp_path), workers=2, split="valid")
    for _ in range(2):
        before = len(list(tmp_path.iterdir()))
        batches = loader.batches(0, loader.steps_per_pass)
        next(batches)
        message = "step 1: reading it ended the worker process 4 times"
        with pytest.raises(UserError, match=message) as caught:
            next(batches)
        assert "number-7.png" in str(caught.value)
        assert "number-6.png" not in str(caught.value)
        kills = len(list(tmp_path.iterdir())) - before
        assert kills in (4, 5)  # once, perhaps, in company; then alone
        assert loader.error is caught.value
    assert digest(loader.batches(2, 6)) == expected(Numbers(), "valid", 2, 6)


@pytest.mark.parametrize("keys", [{}, {"use_multiprocessing": False}, {"workers": 0}])
@pytest.mark.parametrize(
    ("kind", "raised", "message"),
    [
        ("value", ValueError, "not a picture"),
        ("awkward", Exception, "this and that"),
        ("local", Exception, "made on the spot"),
        ("user", UserError, "cut short"),
    ],
)
def test_exception_in_read_arrives_with_its_sample(
    kind: str, raised: type[Exception], message: str, keys: dict[str, object], load: Load
) -> None:
    loader = load(Broken(kind), split="valid", **{"workers": 2, **keys})
    batches = loader.batches()
    assert next(batches)[1][:, 0].tolist() == [0, 1, 2, 3]
    with pytest.raises(raised, match=message) as caught:
        next(batches)
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "number-7.png" in told
    assert loader.error is caught.value


@pytest.mark.parametrize("processes", [True, False])
def test_stuck_read_ends_with_its_samples_name(processes: bool, load: Load) -> None:
    loader = load(
        Slow(stuck=True),
        split="valid",
        workers=2,
        timeout_s=1.0,
        use_multiprocessing=processes,
    )
    batches = loader.batches()
    next(batches)
    with pytest.raises(UserError, match=r"step 1: no batch after 1 s") as caught:
        next(batches)
    assert "still reading number-7.png\n" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "raised", "message"),
    [
        (Unsendable, UserError, "Unsendable cannot be sent to worker processes"),
        (Unreceivable, ImportError, "no module named 'only_here'"),
        (DiesAtStart, UserError, "no worker process comes up"),
        (lambda: Broken("exit"), RuntimeError, r"in a worker process(?s:.*)SystemExit: 0"),
    ],
)
def test_dataset_that_no_worker_can_read_is_refused(
    make: Callable[[], Numbers], raised: type[Exception], message: str, load: Load
) -> None:
    with pytest.raises(raised, match=message):
        list(load(make(), split="valid", workers=2).batches(0, 6))
    if make is Unsendable:
        next(load(make(), workers=2, use_multiprocessing=False).batches())


def test_close_from_another_thread_ends_a_wait(load: Load) -> None:
    loader = load(Slow(stuck=True), split="valid", workers=2)
    raised: list[BaseException] = []

    def consume() -> None:
        try:
            list(loader.batches(0, 6))
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=consume)
    thread.start()
    while not loader.producers:
        time.sleep(0.01)
    loader.close()
    thread.join(10)
    assert [str(error) for error in raised] == ["the loader was closed while a batch was awaited"]


def _pids(loader: Loader) -> list[int]:
    return [worker.process.pid for worker in loader._source._workers]  # type: ignore
