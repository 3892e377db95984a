import numpy as np
import pytest
from loading.loader_samples import Awkward, Broken, Bulk, Numbers, Ragged, WrongShape

from reprise.errors import UserError
from reprise.loading.order import BatchPlan, Order
from reprise.loading.worker import (
    WHOLE_BATCH,
    assemble,
    pack_error,
    sample_names,
    unpack_error,
)


def plan(count: int = 23, split: str = "train", batch_size: int = 23) -> BatchPlan:
    return Order(np.arange(count), split=split, seed=3, batch_size=batch_size).plan(0)


@pytest.mark.parametrize("dataset", [Numbers(), Bulk()])
def test_batch_is_what_read_gives(dataset: Numbers) -> None:
    made = plan()
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
    assert assemble(dataset, plan(), out) is out
    for got, expected in zip(out, assemble(dataset, plan()), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_reports_say_which_sample_is_read() -> None:
    seen: list[int] = []
    assemble(Numbers(), plan(batch_size=3), report=seen.append)
    assemble(Bulk(), plan(batch_size=3), report=seen.append)
    assert seen == [0, 1, 2, WHOLE_BATCH]


def test_error_keeps_its_type_and_names_its_sample() -> None:
    with pytest.raises(ValueError, match="not a picture") as caught:
        assemble(Broken("value"), plan())
    assert caught.value.__notes__ == ["while reading sample number-7.png"]


def test_users_error_stays_as_it_is() -> None:
    with pytest.raises(UserError, match=r"number-7\.png: cut short") as caught:
        assemble(Broken("user"), plan())
    assert not hasattr(caught.value, "__notes__")


def test_error_of_a_whole_batch_names_all_its_samples() -> None:
    with pytest.raises(LookupError, match="no such row") as caught:
        assemble(Bulk(14), plan(14, "valid"))
    assert "number-0.png\nnumber-1.png\n" in caught.value.__notes__[0]


def test_sample_of_another_shape_is_named() -> None:
    with pytest.raises(UserError, match=r"number-7\.png: the input is not what") as caught:
        assemble(WrongShape(), plan())
    assert "shape (5, 5, 3), uint8" in str(caught.value)
    assert "shape (4, 5, 3), uint8" in str(caught.value)


def test_axes_of_any_length_are_taken_as_they_come() -> None:
    x, y = assemble(Ragged(), plan(split="valid", batch_size=4))
    assert (x.shape, y.shape) == ((4, 1), (4, 2))


def test_names_of_many_samples_are_cut_short() -> None:
    lines = sample_names(Numbers(50), list(range(50))).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (33, "number-0.png", "and 18 more")


def test_a_name_that_fails_does_not_hide_the_error() -> None:
    class Nameless(Broken):
        def name(self, index: int) -> str:
            raise KeyError(index)

    with pytest.raises(ValueError, match="not a picture") as caught:
        assemble(Nameless("value"), plan())
    assert caught.value.__notes__ == ["while reading sample sample 7"]


def test_exception_comes_back_as_itself_with_its_notes() -> None:
    error = ValueError("not a picture")
    error.add_note("while reading sample a.png")
    back = unpack_error(pack_error(error))
    assert (type(back), back.args) == (ValueError, ("not a picture",))
    assert back.__notes__[0] == "while reading sample a.png"
    assert back.__notes__[1].startswith("in a worker process:\n")


def test_users_error_comes_back_whole() -> None:
    error = UserError("what", "expected", "received", "remedy")
    assert str(unpack_error(pack_error(error))) == str(error)


def test_exception_that_cannot_be_pickled_is_told() -> None:
    back = unpack_error(pack_error(Awkward("this", "that")))
    assert type(back) is RuntimeError
    assert "Awkward: this and that" in str(back)
    local = type("Local", (Exception,), {})
    assert "Local: here" in str(unpack_error(pack_error(local("here"))))


def test_exit_in_a_worker_is_an_error_here() -> None:
    back = unpack_error(pack_error(SystemExit(0)))
    assert type(back) is RuntimeError
    assert "SystemExit: 0" in str(back)
