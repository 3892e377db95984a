"""Datasets that decode once give the same samples; records are exact, shared, and whole."""

import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from datasets import test_csv_rows, test_image_mask

from reprise.datasets import cache
from reprise.datasets.cache import Store, cached, identity
from reprise.datasets.csv_rows import CsvRows
from reprise.datasets.image_mask import ImageMask
from reprise.datasets.mixed import Mixed
from reprise.errors import UserError
from reprise.loading.loader import Loader
from reprise.spec import Spec
from reprise.transforms.augment import Augment

SPLIT = {"train": 0.5, "valid": 0.5, "test": None}


@pytest.fixture
def dataset(tmp_path) -> ImageMask:
    augment = Augment(rotation_range=20, horizontal_flip=True)
    values = test_image_mask.tiny(tmp_path)
    return ImageMask(**{**values, "split": SPLIT, "augment": augment})


def samples(dataset, indices=range(11)):
    found = [dataset.read(at, np.random.default_rng([3, at])) for at in indices]
    return [(x.tobytes(), y.tobytes()) for x, y in found]


def batches(dataset, **options):
    with Loader(dataset, np.arange(11), split="train", seed=2, batch_size=4, **options) as loader:
        return [(x.tobytes(), y.tobytes()) for x, y in loader.batches(stop=7)]


def test_files_are_read_once(dataset, tmp_path):
    kept = cached(dataset, tmp_path / "cache")
    expected = samples(dataset)
    assert samples(kept) == expected
    for file in (tmp_path / "images").iterdir():
        file.unlink()
    assert samples(kept) == expected == samples(pickle.loads(pickle.dumps(kept)))
    with pytest.raises(UserError, match="cannot be read"):
        dataset.read(0, None)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("processes", [True, False])
def test_batches_are_the_same_in_the_first_pass_and_later(dataset, tmp_path, workers, processes):
    options = {"workers": workers, "use_multiprocessing": processes}
    expected = batches(dataset)
    for _ in range(2):
        assert batches(dataset, cache=str(tmp_path / "cache"), **options) == expected
    (folder,) = (tmp_path / "cache").glob("imagemask-*")
    assert Store(folder, 11, dataset.decoded).num_records() == 11


def test_it_says_its_size_once_and_git_does_not_see_it(dataset, tmp_path, capsys):
    for _ in range(2):
        cached(dataset, tmp_path / "cache")
    said = capsys.readouterr().err
    assert said.count("note: loader.cache: the first pass writes about 0 MB to") == 1
    assert "MB are free" in said
    assert (tmp_path / "cache" / ".gitignore").read_text() == "*\n"


def test_other_data_of_the_same_name_is_decoded_anew(dataset, tmp_path):
    samples(cached(dataset, tmp_path / "cache"))
    for file in (tmp_path / "images").iterdir():
        pixels = cv2.imread(str(file))
        cv2.imwrite(str(file), 255 - pixels)
    expected = samples(dataset)
    assert samples(cached(dataset, tmp_path / "cache")) == expected
    assert len(list((tmp_path / "cache").glob("imagemask-*"))) == 2


def test_a_full_disk_is_said_once_and_costs_nothing_but_time(
    dataset, tmp_path, monkeypatch, capsys
):
    kept = cached(dataset, tmp_path / "cache")
    expected = samples(dataset)
    assert samples(kept, range(4)) == expected[:4]
    monkeypatch.setattr(cache, "_LEFT_FREE", 1 << 60)
    assert samples(kept) == samples(pickle.loads(pickle.dumps(kept))) == expected
    assert kept._store.num_records() == 4
    assert capsys.readouterr().err.count("no more can be kept") == 1


def test_a_folder_that_cannot_be_made_is_said_and_done_without(dataset, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cached(dataset, tmp_path / "file") is dataset
    assert "going on without" in capsys.readouterr().err


def test_a_bad_sample_is_still_named(dataset, tmp_path):
    file = tmp_path / "images" / "disc4.png"
    index = [dataset.name(at) for at in range(11)].index("images/disc4.png")
    kept = cached(dataset, tmp_path / "cache")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"disc4\.png"):
        kept.read(index, None)
    assert not kept._store.has(index)


def test_old_and_new_data_are_kept_each_by_itself(dataset, tmp_path):
    mixed = Mixed(dataset, pickle.loads(pickle.dumps(dataset)))
    indices = np.array([13, 2, 2])
    kept = cached(mixed, tmp_path / "cache")
    for _ in range(2):
        one, other = mixed.read_many(indices, [None] * 3), kept.read_many(indices, [None] * 3)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert kept.name(13) == mixed.name(13)
    assert len(list((tmp_path / "cache").glob("imagemask-*"))) == 1


def test_rows_that_are_all_kept_need_no_workers(tmp_path):
    from datasets.test_contract import FILES
    from datasets.test_sql_matrix import tiny as table
    from omegaconf import OmegaConf

    from reprise.runs.experiment import build_dataset

    file = next(file for file in FILES if file.stem == "sql_matrix")
    node = OmegaConf.merge(OmegaConf.load(file), table(tmp_path))
    dataset = build_dataset(OmegaConf.to_container(node))
    everything, rngs = np.arange(len(dataset)), [None] * len(dataset)
    expected = dataset.read_many(everything, rngs)
    kept = cached(dataset, tmp_path / "cache")
    assert not kept.in_memory
    twice = np.array([1, 0, 1])
    for one, other in ((kept, twice), (kept, everything), (kept, everything)):
        found = one.read_many(other, [None] * len(other))
        assert all(np.array_equal(a, b[other]) for a, b in zip(found, expected, strict=True))
    for path in dataset.sources:
        assert Path(path).exists()
    again = cached(dataset, tmp_path / "cache")
    assert again.in_memory
    assert np.array_equal(again.read(2, None)[0], expected[0][2])


def test_data_in_memory_is_refused(tmp_path):
    values = test_csv_rows.tiny(tmp_path)
    dataset = CsvRows(**{"split": SPLIT, **values})
    with pytest.raises(UserError, match=r"(?s)nothing to keep.*CsvRows: its data is in memory"):
        cached(dataset, tmp_path / "cache")


@pytest.fixture
def values(tmp_path):
    return {**test_image_mask.tiny(tmp_path), "split": SPLIT, "augment": None}


def test_settings_that_only_finish_change_nothing(values):
    name = identity(ImageMask(**values))
    assert name.startswith("imagemask-")
    for change in (
        {"augment": Augment(rotation_range=9, zoom_range=0.5)},
        {"split": {"train": 0.2, "valid": 0.1, "test": 0.1}},
        {"split_seed": 4},
    ):
        assert identity(ImageMask(**{**values, **change})) == name


def test_settings_that_decode_do(values):
    changes = [
        {},
        {"image_size": [16, 16]},
        {"channels": 1},
        {"fit": "crop"},
        {"mask_mode": "ids", "classes": ["a", "b"], "ignore": [255]},
        {"mask_mode": "ids", "classes": ["a", "b"], "ignore": [255, 9]},
    ]
    names = [identity(ImageMask(**{**values, **change})) for change in changes]
    assert len(set(names)) == len(changes)


def test_another_file_another_byte_and_another_time_do(values, tmp_path):
    file = tmp_path / "images" / "disc3.png"
    names = [identity(ImageMask(**values))]
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    names.append(identity(ImageMask(**values)))
    file.write_bytes(file.read_bytes() + b"\0")
    names.append(identity(ImageMask(**values)))
    for kind in ("images", "masks"):
        (tmp_path / kind / "disc3.png").rename(tmp_path / kind / "disc33.png")
    names.append(identity(ImageMask(**values)))
    assert len(set(names)) == 4


def test_data_that_cannot_be_told_from_other_data_is_refused(values):
    class Nameless(ImageMask):
        sources = ()

    with pytest.raises(UserError, match=r"(?s)Nameless.*the property sources"):
        identity(Nameless(**values))


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
    from reprise.datasets.cache import Store
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
