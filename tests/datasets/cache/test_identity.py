"""What makes decoded arrays other ones, and what does not."""

import os
import subprocess
import sys

import pytest
from datasets.test_image_mask import tiny

from reprise.datasets.cache.identity import identity
from reprise.datasets.image_mask import ImageMask
from reprise.datasets.sql_matrix import SqlMatrix
from reprise.errors import UserError
from reprise.transforms.augment import Augment

SPLIT = {"train": 0.5, "valid": 0.5, "test": None}


@pytest.fixture
def values(tmp_path):
    return {**tiny(tmp_path), "split": SPLIT, "augment": None}


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
        "from reprise.datasets.cache.identity import identity;"
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
