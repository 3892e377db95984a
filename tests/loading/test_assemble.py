import numpy as np
import pytest
from loading.loader_samples import Broken, Bulk, Numbers, Ragged, WrongShape

from reprise.errors import UserError
from reprise.loading.assemble import WHOLE_BATCH, assemble, names
from reprise.loading.order import Job, Order


def job(count: int = 23, split: str = "train", batch_size: int = 23) -> Job:
    return Order(np.arange(count), split=split, seed=3, batch_size=batch_size).job(0)


@pytest.mark.parametrize("dataset", [Numbers(), Bulk()])
def test_batch_is_what_read_gives(dataset: Numbers) -> None:
    made = job()
    x, y = assemble(dataset, made)
    expected = [
        dataset.read(int(i), np.random.default_rng([3, 0, 0, int(i)])) for i in made.indices
    ]
    np.testing.assert_array_equal(x, np.stack([x for x, _ in expected]))
    np.testing.assert_array_equal(y, np.stack([y for _, y in expected]))
    assert (x.dtype, y.dtype) == (np.uint8, np.float64)


@pytest.mark.parametrize("dataset", [Numbers(), Bulk()])
def test_batch_is_written_where_it_is_told_to(dataset: Numbers) -> None:
    out = np.zeros((23, 5, 5, 3), np.uint8), np.zeros((23, 2))
    assert assemble(dataset, job(), out) is out
    for got, expected in zip(out, assemble(dataset, job()), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_marks_say_which_sample_is_read() -> None:
    seen: list[int] = []
    assemble(Numbers(), job(batch_size=3), mark=seen.append)
    assemble(Bulk(), job(batch_size=3), mark=seen.append)
    assert seen == [0, 1, 2, WHOLE_BATCH]


def test_error_keeps_its_type_and_names_its_sample() -> None:
    with pytest.raises(ValueError, match="not a picture") as caught:
        assemble(Broken("value"), job())
    assert caught.value.__notes__ == ["while reading sample number-7.png"]


def test_users_error_stays_as_it_is() -> None:
    with pytest.raises(UserError, match=r"number-7\.png: cut short") as caught:
        assemble(Broken("user"), job())
    assert not hasattr(caught.value, "__notes__")


def test_error_of_a_whole_batch_names_all_its_samples() -> None:
    with pytest.raises(LookupError, match="no such row") as caught:
        assemble(Bulk(14), job(14, "valid"))
    assert "number-0.png\nnumber-1.png\n" in caught.value.__notes__[0]


def test_sample_of_another_shape_is_named() -> None:
    with pytest.raises(UserError, match=r"number-7\.png: the input is not what") as caught:
        assemble(WrongShape(), job())
    assert "shape (5, 5, 3), uint8" in str(caught.value)
    assert "shape (4, 5, 3), uint8" in str(caught.value)


def test_axes_of_any_length_are_taken_as_they_come() -> None:
    x, y = assemble(Ragged(), job(split="valid", batch_size=4))
    assert (x.shape, y.shape) == ((4, 1), (4, 2))


def test_names_of_many_samples_are_cut_short() -> None:
    lines = names(Numbers(50), list(range(50))).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (33, "number-0.png", "and 18 more")


def test_a_name_that_fails_does_not_hide_the_error() -> None:
    class Nameless(Broken):
        def name(self, index: int) -> str:
            raise KeyError(index)

    with pytest.raises(ValueError, match="not a picture") as caught:
        assemble(Nameless("value"), job())
    assert caught.value.__notes__ == ["while reading sample sample 7"]
