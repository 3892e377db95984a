import numpy as np
import pytest

from reprise.datasets.arrays import Arrays
from reprise.datasets.csv_rows import CsvRows
from reprise.runs.experiment import Data
from reprise.runs.first_look import faster, first_look

SPLIT = {"train": 0.5, "valid": 0.25, "test": 0.25}


def opened(folder, x, y, **settings):
    np.savez(folder / "a.npz", x=x, y=y)
    dataset = Arrays(str(folder / "a.npz"), "x", "y", SPLIT, **settings)
    data = Data(dataset, dataset.splits(), 0, {})
    data.learn()
    return data


def seen(data):
    own = data.splits["train"][:8]
    return first_look(data, *data.dataset.read_many(own, [None] * len(own)))


def noise(count=40):
    return np.random.default_rng(0).integers(0, 255, (count, 6, 6), np.uint8)


def test_nothing_is_said_of_sound_data(tmp_path):
    assert seen(opened(tmp_path, noise(), np.arange(40) % 2)) == []


def test_constant_inputs_are_counted(tmp_path):
    x = noise()
    x[::2] = 7
    x[::2] += np.arange(20, dtype=np.uint8)[:, None, None]
    assert (
        "of the first 8 inputs that training sees are constant"
        in seen(opened(tmp_path, x, np.arange(40) % 2))[0]
    )


def test_equal_inputs_are_told(tmp_path):
    x = np.repeat(noise(1), 40, axis=0)
    assert seen(opened(tmp_path, x, np.arange(40) % 2)) == [
        "the first 8 inputs that training sees are equal"
    ]


def test_a_split_without_a_class_is_told(tmp_path):
    data = opened(tmp_path, noise(), np.arange(40) % 2, classes=["cat", "dog"])
    cats = data.splits["valid"][data.dataset._targets.values[data.splits["valid"]] == 0]
    data = Data(data.dataset, {**data.splits, "valid": cats}, 0, {})
    assert seen(data) == ["every sample of the split valid is 'cat'"]
    three = opened(tmp_path, noise(), np.arange(40) % 2, classes=["cat", "dog", "owl"])
    assert [f"the split {split} has no 'owl'" for split in SPLIT] == seen(three)


def test_a_target_that_is_always_the_same_is_told(tmp_path):
    data = opened(tmp_path, noise(), np.full(40, 2.5), target="value")
    assert seen(data) == ["the target of every training sample is [2.5]"]


@pytest.mark.parametrize("settings", [{}, {"workers": 0}])
def test_advice_is_true_of_the_dataset(tmp_path, settings):
    (tmp_path / "t.csv").write_text("a,label\n" + "".join(f"{at},{at % 2}\n" for at in range(40)))
    rows = CsvRows(str(tmp_path / "t.csv"), SPLIT)
    said = " ".join(faster(Data(rows, rows.splits(), 0, settings)))
    assert "batch_size" in said
    assert "cache" not in said
    assert "workers" not in said
