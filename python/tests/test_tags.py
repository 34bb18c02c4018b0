"""Tags: a number that a value is put with, and that is found with it."""

import numpy as np
import pytest

import io_shared
from conftest import POINT, ends, points
from io_shared import NumpyShare
from test_typed import CLOUD

MOST = 2 ** 64 - 1


def test_a_value_has_the_tag_that_it_was_put_with_and_0_without_one(name):
    put, get = ends(name)
    eyes = io_shared.observe(name)
    assert get.tag == eyes.tag == 0
    large, scattered = np.zeros(100000), np.zeros((300, 400))[::2, ::5]
    for array in (np.arange(3), large, scattered, np.asfortranarray(scattered), [1, 2], 7):
        for tag in (5, 0, np.uint64(MOST), 1):
            put.put(array, tag=tag) if tag else put.put(array)
            assert np.array_equal(get.get(timeout=5), array)
            eyes.copy()
            assert get.tag == eyes.tag == tag
        get.latest()
        assert get.tag == 1
        put.put(array, 2)
        borrowed = get.borrow(timeout=5)
        assert get.tag == 2
        del borrowed
    with pytest.raises(io_shared.WriteAccessError):
        put.tag


@pytest.mark.parametrize("in_place", [False, True])
def test_a_loan_has_a_tag_that_may_be_set_until_its_block_ends(name, in_place):
    put, get = ends(name)
    with put.loan(3, in_place=in_place, tag=7) as out:
        out[:] = 1
    assert get.get(timeout=5).tolist() == [1, 1, 1] and get.tag == 7
    del out
    loan = put.loan(3, in_place=in_place)
    assert loan.tag == 0
    with loan as out:
        out[:] = 2
        loan.tag = MOST
    assert get.get(timeout=5)[0] == 2 and get.tag == loan.tag == MOST
    del out
    with put.loan(3, in_place=in_place) as out:
        out[:] = 3
    assert get.get(timeout=5)[0] == 3 and get.tag == 0


def test_messages_have_tags_too(name):
    put = io_shared.producer(name, CLOUD, tail=("points", POINT), capacity="1M")
    get = io_shared.open(name)
    put.put(frame=1, stamp_ns=0, points=points(2), tag=3)
    assert get.get(timeout=5).frame == 1 and get.tag == 3
    put.put(dict(frame=2, stamp_ns=0, points=[]), tag=4)
    assert get.get(timeout=5).frame == 2 and get.tag == 4
    put.put(frame=3, stamp_ns=0, points=[])
    assert get.get(timeout=5).frame == 3 and get.tag == 0
    with put.loan(1, tag=5) as out:
        out.frame = 4
    assert get.get(timeout=5).frame == 4 and get.tag == 5


def test_a_message_of_one_value_has_a_tag(name):
    put, get = io_shared.producer(name, "f8"), io_shared.open(name)
    put.put(1.5, tag=6)
    assert get.get(timeout=5) == 1.5 and get.tag == 6


def test_a_field_called_tag_is_the_field(name):
    put, get = io_shared.producer(name, [("tag", "u8"), ("x", "f8")]), io_shared.open(name)
    put.put(tag=8, x=1)
    got = get.get(timeout=5)
    assert (got["tag"], get.tag) == (8, 0)
    with put.loan(tag=9) as out:
        out["tag"] = 1
    assert get.get(timeout=5)["tag"] == 1 and get.tag == 9


@pytest.mark.parametrize("wrong", [-1, 2 ** 64, 1.5, "7"])
def test_what_is_no_tag_is_refused_by_name(name, wrong):
    put = NumpyShare(name, "1K", "put")
    typed = io_shared.producer(name + "-typed", "f8")
    loan = put.loan(3)

    def set_tag():
        loan.tag = wrong

    for refused in (
        lambda: put.put([1], tag=wrong),
        lambda: put.loan(3, tag=wrong),
        lambda: typed.put(1.0, tag=wrong),
        set_tag,
    ):
        with pytest.raises(io_shared.Invalid) as error:
            refused()
        assert "tag=%r" % (wrong,) in str(error.value) and name in str(error.value)
    assert put.seq == 0
    io_shared.remove(name + "-typed")
