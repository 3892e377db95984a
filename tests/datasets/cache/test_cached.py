"""A dataset that keeps what it decodes gives the same samples, and decodes once."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from datasets import test_csv_rows, test_image_mask

from reprise.datasets.cache import store
from reprise.datasets.cache.cached import cached, identity
from reprise.datasets.csv_rows import CsvRows
from reprise.datasets.image_mask import ImageMask
from reprise.datasets.mixed import Mixed
from reprise.datasets.sql_matrix import SqlMatrix
from reprise.errors import UserError
from reprise.loading.loader import Loader
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
    assert store.Store(folder, 11, dataset.decoded).num_records() == 11


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
    monkeypatch.setattr(store, "_LEFT_FREE", 1 << 60)
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

    from reprise.config.build import build

    file = next(file for file in FILES if file.stem == "sql_matrix")
    dataset = build(OmegaConf.to_container(OmegaConf.merge(OmegaConf.load(file), table(tmp_path))))
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


def test_it_is_the_same_in_another_process(values):
    code = (
        "from reprise.datasets.cache.cached import identity;"
        "from reprise.datasets.image_mask import ImageMask;"
        f"print(identity(ImageMask(**{values!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == identity(ImageMask(**values))


def test_what_sqlite_has_written_ahead_counts(tmp_path):
    from datasets.test_sql_matrix import tiny as tiny_table

    values = {**tiny_table(tmp_path), "split": SPLIT}
    values.setdefault("columns", {"key": "user_id", "row": "y", "column": "x"})
    values.setdefault("values", ["value"])
    dataset = SqlMatrix(**values)
    (file,) = [path for path in dataset.sources if path.suffix == ".db"]
    before = identity(dataset)
    file.with_name(f"{file.name}-wal").write_bytes(b"1")
    assert identity(dataset) != before


def test_data_that_cannot_be_told_from_other_data_is_refused(values):
    class Nameless(ImageMask):
        sources = ()

    with pytest.raises(UserError, match=r"(?s)Nameless.*the property sources"):
        identity(Nameless(**values))
