"""Which values a sweep goes through, in Hydra's grammar."""

import pytest

from reprise.errors import UserError
from reprise.sweeps.space import Axis, each_value_once, every_combination, read_space


@pytest.mark.parametrize(
    ("word", "axis"),
    [
        ("a=1,2", Axis("a", ("1", "2"))),
        ("++a.b=x,null", Axis("++a.b", ("x", "null"))),
        ("a=[1,2],[3]", Axis("a", ("[1,2]", "[3]"))),
        ("a='p q',b", Axis("a", ("'p q'", "b"))),
        ("a=choice(1e-3,3e-4)", Axis("a", ("0.001", "0.0003"))),
        ("debug=glob(*m*)", Axis("debug", ("limit", "smoke"))),
        ("debug=glob(*,exclude=s*)", Axis("debug", ("limit", "overfit"))),
        ("a=range(1,10,3)", Axis("a", ("1", "4", "7"), (1, 4, 7), step=3)),
        ("a=range(3,0,-1)", Axis("a", ("3", "2", "1"), (1, 2, 3), step=1)),
        ("a=range(0.0,1.0,0.5)", Axis("a", ("0.0", "0.5"), (0.0, 0.5), step=0.5)),
        ("a=interval(0,1)", Axis("a", ("0.0", "1.0"), (0.0, 1.0))),
        ("a=int(interval(1,8))", Axis("a", ("1", "8"), (1, 8))),
        (
            "a=tag(log,interval(1e-5,1e-2))",
            Axis("a", ("1e-05", "0.01"), (1e-5, 1e-2), is_log=True),
        ),
    ],
)
def test_a_word_with_several_values_is_an_axis(word, axis):
    assert read_space(["seed=1", word, "b='x,y'"]) == (["seed=1", "b='x,y'"], [axis])


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("model=glob(*zzz)", "stands for no value at all"),
        ("seed=range(3,1)", "stands for no value at all"),
        ("b=interval(0,1)", r"(?s)b: an interval has no end.*interval\(0.0,1.0\)"),
        ("b=tag(log,interval(0,1))", r"b: 0 has no logarithm"),
        ("+b=tag(log,interval(-1,1))", r"b: -1 has no logarithm"),
        ("b=interval(5,1)", r"b: the ends are the wrong way round"),
        ("b=int(interval(8,1))", r"b: the ends are the wrong way round"),
        ("b=interval(1,1)", r"b: an interval of one value"),
        ("b=interval(0,inf)", r"b: an interval without an end"),
        ("b=interval(nan,1)", r"b: an interval without an end"),
        ("b=int(interval(0.5,3.7))", r"b: int\(\) cuts 0.5 off"),
        ("b=int(range(1,8,1.5))", r"b: int\(\) cuts 1.5 off"),
        ("b=int(1.5,2.5)", r"b: int\(\) cuts 1.5 off"),
        ("b=tag(lgo,interval(1,2))", r"b: the tag lgo has no effect"),
        ("b=tag(log,range(1,99))", r"b: the tag log has no effect"),
        ("b=range(1,4,0)", r"b: a range of step 0"),
        ("b=range(1,4,-1)", r"b: stands for no value at all"),
        ("b=range(1,4,9)", r"b: a range of one value, 1"),
    ],
)
def test_what_is_no_list_of_values_is_refused(word, said):
    with pytest.raises(UserError, match=said):
        every_combination(read_space([word])[1])


@pytest.mark.parametrize("words", [["a=1,2", "a=3"], ["+a=1,2", "++a=1,3"]])
def test_a_key_is_not_given_again_behind_several_values(words):
    with pytest.raises(UserError, match="a: given again"):
        read_space(words)


def test_a_shuffled_list_is_in_the_same_order_every_time():
    first, again = [read_space(["a=shuffle(range(1,30))"])[1][0].values for _ in range(2)]
    assert first == again
    assert sorted(map(int, first)) == list(range(1, 30)) != list(map(int, first))


def test_a_range_in_fractions_is_of_fractions():
    (axis,) = read_space(["a=range(0,1,0.25)"])[1]
    assert (axis.values, axis.numbers) == (("0.0", "0.25", "0.5", "0.75"), (0.0, 0.25, 0.5, 0.75))


def test_a_grid_is_every_combination_in_the_order_typed_and_a_check_is_each_value_once():
    _, axes = read_space(["a=1,2", "b=x,y,z"])
    jobs = every_combination(axes)
    assert len(jobs) == 6
    assert jobs[:4] == [["a=1", "b=x"], ["a=1", "b=y"], ["a=1", "b=z"], ["a=2", "b=x"]]
    _, axes = read_space(["a=1,2", "b=interval(0,1)"])
    assert each_value_once(axes) == [["a=1", "b=0.0"], ["a=2", "b=0.0"], ["a=1", "b=1.0"]]
