"""How a stream's samples become batches: the same ones, whoever reads and wherever one begins."""

import itertools
import os
import random
import signal
import threading
from typing import Any

import numpy as np
import psutil
import pytest
from datasets.stream_sources import (
    Broken,
    Changing,
    Deadly,
    Endless,
    InBlocks,
    Numbers,
    Ragged,
    Unsendable,
)
from loading.test_loader import digest

from reprise.datasets.stream import Stream
from reprise.datasets.streams.source import Source
from reprise.errors import UserError
from reprise.loading.feed import as_tf_dataset
from reprise.loading.loader import Loader
from reprise.loading.stream_batches import shuffled

ENGINES = [(0, True), *itertools.product((1, 2, 5), (True, False))]
WHOLE = {"train": 1.0, "valid": 0.0}


def load(source: Source, split: str = "train", **keys: Any) -> Loader:
    stream = Stream(source, {"train": 1.0, "valid": 0.0}, shuffle_buffer=keys.pop("buffer", 8))
    keys = {"seed": 3, "batch_size": 4, "workers": 0, **keys}
    return Loader(stream, stream.splits()["train"], split=split, **keys)


def numbers(batches: Any) -> list[list[int]]:
    return [x[:, 0].tolist() for x, _ in batches]


def pids(loader: Loader) -> list[int]:
    return [worker.handle.process.pid for worker in loader._source._readers._workers]  # type: ignore


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


@pytest.mark.parametrize("split", ["train", "valid"])
@pytest.mark.parametrize(
    "sources",
    [[Numbers(23), InBlocks(23)], [Ragged(5, 13)]]
    + [[kind(*lengths) for kind in (Numbers, InBlocks)] for lengths in [(9, 0, 117, 1, 30), (80,)]],
)
def test_same_bytes_whoever_reads_in_blocks_or_one_by_one(split, sources):
    made = {}
    for source, (workers, processes) in itertools.product(sources, ENGINES):
        with load(source, split, workers=workers, use_multiprocessing=processes) as loader:
            made[source, workers, processes] = digest(loader.batches(0, 30))
    assert len(made) == 7 * len(sources)
    assert len(set(made.values())) == 1


@pytest.mark.parametrize(
    ("workers", "processes", "starts"),
    [(0, True, range(15)), (2, False, range(15)), (2, True, (1, 6, 13))],
)
@pytest.mark.parametrize("counted", [True, False])
def test_same_bytes_from_any_start_on_a_fresh_loader(workers, processes, starts, counted):
    """23 samples in batches of 4 are 6 steps: 14 are more than two passes."""
    with load(Numbers(9, 14)) as loader:
        whole = numbers(loader.batches(0, 14))
    assert len(whole) == 14
    for start in starts:
        with load(Numbers(9, 14), workers=workers, use_multiprocessing=processes) as loader:
            assert not counted or loader.steps_per_pass == 6
            assert numbers(loader.batches(start, 14)) == whole[start:]


def test_to_skip_is_said_and_whole_passes_of_known_length_cost_nothing(capsys):
    with load(Numbers(23)) as loader:
        next(loader.batches(0))
        assert capsys.readouterr().err == ""
        next(loader.batches(3))
        assert "cannot jump to step 3: 3 batches are read and dropped" in capsys.readouterr().err
        assert loader.steps_per_pass == 6
        next(loader.batches(12))
        assert capsys.readouterr().err == ""


def test_valid_keeps_its_order_and_every_pass_is_the_same():
    with load(Numbers(3, 6), "valid") as loader:
        made = numbers(loader.batches(0, 6))
    assert made == [[0, 1000, 1, 1001], [2, 1002, 1003, 1004], [1005]] * 2


def test_every_pass_over_train_has_all_samples_in_another_order_and_batches_never_straddle():
    with load(Numbers(9, 14), buffer=100) as loader:
        made = numbers(loader.batches(0, 18))
    passes = [flat(made[at : at + 6]) for at in (0, 6, 12)]
    assert [len(batch) for batch in made] == [4, 4, 4, 4, 4, 3] * 3
    everything = [*range(9), *range(1000, 1014)]
    assert [sorted(one) for one in passes] == [everything] * 3
    assert len({tuple(one) for one in [*passes, everything]}) == 4


def test_the_buffer_bounds_how_far_a_sample_moves_to_the_front():
    with load(Numbers(200), buffer=10) as loader:
        order = flat(numbers(loader.batches(0, 50)))
    assert sorted(order) == list(range(200))
    assert max(sample - place for place, sample in enumerate(order)) == 9
    with load(Numbers(200), buffer=1) as loader:
        assert flat(numbers(loader.batches(0, 50))) == list(range(200))


def test_unequal_lengths_are_padded_to_the_longest_of_the_batch():
    source = Ragged(6)
    stream = Stream(source, WHOLE, pad_value=-1.0)
    with Loader(stream, stream.splits()["train"], split="valid", seed=0, batch_size=3) as loader:
        (first, _), (second, _) = loader.batches(0, 2)
    assert (first.shape, second.shape) == ((3, 3, 2), (3, 5, 2))
    assert first[..., 0].tolist() == [[1, -1, -1], [2, 2, -1], [3, 3, 3]]
    assert second[..., 1].tolist() == [[4, 4, 4, 4, -1], [5] * 5, [1, -1, -1, -1, -1]]
    assert first.dtype == np.float32


def test_more_shards_than_are_open_at_a_time():
    lengths = [*range(20), 3, 1]
    for workers in (0, 3):
        with load(Numbers(*lengths), "valid", workers=workers) as loader:
            made = numbers(loader.batches(0, loader.steps_per_pass))
        assert sorted(flat(made)) == [1000 * s + p for s, n in enumerate(lengths) for p in range(n)]


def test_default_is_nobody_for_one_shard_and_a_process_for_each_core_else():
    for source, count in ((Numbers(9), 0), (Numbers(*[9] * 16), len(os.sched_getaffinity(0)))):
        with load(source, workers=None) as loader:
            next(loader.batches())
            assert " ".join(loader.producers).count("process ") == count


@pytest.mark.parametrize(("workers", "processes"), ENGINES)
def test_an_error_is_itself_and_says_where(workers, processes):
    keys = {"workers": workers, "use_multiprocessing": processes}
    with load(Broken("raise", 3, 9), "valid", **keys) as loader:
        batches = loader.batches()
        assert numbers([next(batches)]) == [[0, 1000, 1, 1001]]
        with pytest.raises(ValueError, match="no flower") as caught:
            next(batches)  # a batch early, since one is read ahead to know which is the last
        assert loader.error is caught.value
    assert "in Broken, shard 1, after 7 samples" in " ".join(caught.value.__notes__)


def test_killed_workers_are_replaced_and_read_on_from_where_they_were():
    source = Numbers(150, 0, 230, 90)
    with load(source) as loader:
        undisturbed = digest(loader.batches(0, 300))
    made, rng = [], random.Random(0)
    with load(source, workers=2, max_queue_size=2) as loader:
        for step, batch in enumerate(loader.batches(0, 300)):
            made.append(batch)
            if step % 25 == 0:
                os.kill(rng.choice(pids(loader)), signal.SIGKILL)
        assert len(set(" ".join(loader.producers).replace(",", "").split())) >= 1 + 2 + 6
    assert digest(made) == undisturbed


@pytest.mark.parametrize("lengths", [(30,), (40, 30)])
def test_a_place_that_kills_three_workers_is_survived(lengths, tmp_path):
    with load(Numbers(*lengths)) as loader:
        undisturbed = digest(loader.batches(0, 30))
    with load(Deadly(tmp_path, 3, *lengths), workers=2) as loader:
        assert digest(loader.batches(0, 30)) == undisturbed
    assert len(list(tmp_path.iterdir())) == 3


def test_a_place_that_always_kills_is_named(tmp_path):
    match = r"(?s)process \d+.*as 3 before it.*4 worker.*after sample 5 of Deadly.*workers=0"
    keys = {"workers": 1, "batch_size": 2, "max_queue_size": 2}
    with load(Deadly(tmp_path, 99, 30), "valid", **keys) as loader:
        with pytest.raises(UserError, match=match) as caught:
            list(loader.batches())
        assert loader.error is caught.value
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("processes", [True, False])
def test_a_stuck_worker_is_named_in_time(processes):
    keys = {"workers": 1, "use_multiprocessing": processes, "timeout_s": 1.0, "batch_size": 1}
    said = pytest.raises(UserError, match=r"(?s)nothing for 1 s.*after sample 6 of Broken")
    with load(Broken("hang", 30), "valid", max_queue_size=1, **keys) as loader, said:
        list(loader.batches())


@pytest.mark.parametrize(("change", "count"), [(-1, 9), (1, 7), (1, 8), (1, 9)])
def test_a_pass_of_another_length_is_refused_with_its_last_batch(change, count):
    with load(Changing(change, count)) as loader:
        steps, before = loader.steps_per_pass, count + change
        said = rf"(?s){before} samples, as before.*{before + change} samples"
        with pytest.raises(UserError, match=said):
            list(loader.batches(0, steps))


def test_an_endless_source_gives_batches_for_ever():
    with load(Endless()) as loader:
        assert len(list(itertools.islice(loader.batches(), 100))) == 100


@pytest.mark.parametrize("processes", [True, False])
def test_an_iteration_given_up_never_leaks_into_the_next(processes):
    with load(Numbers(9, 14), workers=2, use_multiprocessing=processes) as loader:
        whole = numbers(loader.batches(0, 6))
        for _ in range(5):
            older = loader.batches()
            next(older)
            assert numbers(loader.batches(0, 6)) == whole
            with pytest.raises(RuntimeError, match="ended when the loader began another"):
                next(older)
        assert len(loader.producers) == 1


@pytest.mark.parametrize("processes", [True, False])
def test_nothing_outlives_the_loader(processes):
    before = threading.active_count()
    with load(Numbers(9, 14), workers=2, use_multiprocessing=processes) as loader:
        next(loader.batches())
        (said,) = loader.producers
        pids = [int(name.split()[1]) for name in said.split(", ")] if processes else []
        assert len(pids) == (2 if processes else 0)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="closed"):
        loader.batches()


def test_a_loader_closed_from_another_thread_ends_the_wait():
    loader = load(Broken("hang", 30), "valid", workers=1, max_queue_size=1, timeout_s=None)
    threading.Timer(1.5, loader.close).start()
    with pytest.raises(RuntimeError, match="closed"):
        list(loader.batches())


@pytest.mark.parametrize(
    ("source", "keys", "said"),
    [
        (Unsendable(), {"workers": 1}, "Unsendable cannot be sent"),
        (Numbers(0), {}, "empty"),
        (Numbers(), {"order": "block"}, r"(?s)loader.order=block.*shuffle_buffer"),
    ],
)
def test_what_gives_no_batches_is_refused(source, keys, said):
    with pytest.raises(UserError, match=said), load(source, **keys) as loader:
        next(loader.batches())


def test_tensorflow_gets_what_the_loader_makes():
    with load(Ragged(5, 13), workers=2) as loader:
        feed = as_tf_dataset(loader, 2, 12)
        assert feed.element_spec[0].shape.as_list() == [None, None, 2]
        assert digest(feed.as_numpy_iterator()) == digest(loader.batches(2, 12))


def shuffled_one_by_one(items, size, rng):
    """The promised order, written out."""
    source, places = iter(items), []
    buffer = list(itertools.islice(source, size))
    for item in source:
        places = places or rng.integers(size, size=1024).tolist()
        at = places.pop()
        yield buffer[at]
        buffer[at] = item
    yield from (buffer[at] for at in rng.permutation(len(buffer)).tolist())


def chunks_of(count, lengths):
    ends = np.cumsum(lengths * (count // sum(lengths) + 1))
    return [(x, x % 7) for x in np.split(np.arange(count), ends)]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 2500])
@pytest.mark.parametrize("size", [1, 10, 1000, 5000])
@pytest.mark.parametrize("lengths", [(1,), (700,), (3, 0, 40, 1)])
def test_the_order_is_that_of_one_by_one(count, size, lengths):
    expected = list(shuffled_one_by_one(range(count), size, np.random.default_rng(5)))
    found = list(shuffled(chunks_of(count, lengths), size, np.random.default_rng(5)))
    rows = np.concatenate([x for x, _ in found]).tolist() if found else []
    assert rows == expected
    assert all(np.array_equal(y, x % 7) for x, y in found)
