import numpy as np
import pytest
from loading.loader_samples import Broken, Bulk, WrongShape

from reprise.errors import UserError
from reprise.loading.order import BatchPlan, Order
from reprise.loading.worker import assemble


def plan(count: int = 23, split: str = "train", batch_size: int = 23) -> BatchPlan:
    return Order(np.arange(count), split=split, seed=3, batch_size=batch_size).plan(0)


def test_error_of_a_whole_batch_names_all_its_samples() -> None:
    with pytest.raises(LookupError, match="no such row") as caught:
        assemble(Bulk(14), plan(14, "valid"))
    assert "number-0.png\nnumber-1.png\n" in caught.value.__notes__[0]


def test_sample_of_another_shape_is_named() -> None:
    with pytest.raises(UserError, match=r"number-7\.png: the input is not what") as caught:
        assemble(WrongShape(), plan())
    assert "shape (5, 5, 3), uint8" in str(caught.value)
    assert "shape (4, 5, 3), uint8" in str(caught.value)


def test_a_name_that_fails_does_not_hide_the_error() -> None:
    class Nameless(Broken):
        def name(self, index: int) -> str:
            raise KeyError(index)

    with pytest.raises(ValueError, match="not a picture") as caught:
        assemble(Nameless("value"), plan())
    assert caught.value.__notes__ == ["while reading sample sample 7"]
