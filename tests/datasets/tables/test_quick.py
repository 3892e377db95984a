"""The quick way through a column, against the careful one."""

import numpy as np
import pandas as pd
import pytest

from reprise.datasets.tables.quick import numbers_or_nan, quick_names, quick_numbers

TEXT = pd.Series(["x"], dtype=str).dtype  # as read_csv gives it


def column(*texts):
    return pd.Series(list(texts), dtype=TEXT)


def test_clean_numbers_are_those_of_the_careful_way():
    texts = ["1", "-2.5", "+3", ".5", "1e3", "007", "0.1", "1.7976931348623157e308"]
    assert np.array_equal(quick_numbers(column(*texts)), numbers_or_nan(texts))
    many = np.random.default_rng(0).normal(size=5000).astype(str).tolist()
    assert np.array_equal(quick_numbers(column(*many)), np.array(many, float))


@pytest.mark.parametrize("wrong", ["", "x", "nan", "inf", "1e999", " 1", "1_0", "0x10", "True"])
def test_what_is_not_clean_is_left_to_the_careful_way(wrong):
    assert quick_numbers(column("1", wrong)) is None


@pytest.mark.parametrize("values", [[1.5, 2.0], [1, 2], [True, False], [[1], [2]], [None, 1]])
def test_other_columns_are_too(values):
    cells = pd.Series(values)
    assert quick_numbers(cells) is None
    assert quick_names(cells) is None
    assert quick_numbers(None) is None
    assert quick_names(None) is None


def test_names_are_told_apart_and_stripped():
    places, names = quick_names(column("b", "a ", "b", "a"))
    assert [names[place] for place in places] == ["b", "a", "b", "a"]
    assert quick_names(pd.Series(["a", None], dtype=TEXT)) is None
