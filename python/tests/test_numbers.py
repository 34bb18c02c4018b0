"""Values that are put under numbers of the user's own."""

import numpy as np
import pytest

import io_shared
from conftest import POINT, ends, points
from io_shared import NumpyShare
from test_typed import CLOUD


def test_a_value_has_the_number_it_was_put_under_and_the_gap_counts_as_missed(name):
    put, get = ends(name)
    large, scattered = np.zeros(100000), np.zeros((300, 400))[::2, ::5]
    last = 0
    for array in (np.arange(3), large, scattered, [1, 2], 7):
        put.put(array, seq=last + 10, tag=5)
        assert np.array_equal(get.get(timeout=5), array)
        assert (get.seq, get.missed, get.tag, put.seq) == (last + 10, 9, 5, last + 10)
        put.put(array)
        get.get(timeout=5)
        assert (get.seq, get.missed, get.tag) == (last + 11, 0, 0)
        last = get.seq


@pytest.mark.parametrize("in_place", [False, True])
def test_a_loan_has_a_number_and_a_stamp(name, in_place):
    put, get = ends(name)
    with put.loan(3, in_place=in_place, seq=7, stamp=0) as out:
        out[:] = 1
    assert get.get(timeout=5).tolist() == [1, 1, 1]
    assert (get.seq, get.age, put.seq) == (7, None, 7)
    del out
    with pytest.raises(io_shared.BadSeq) as error:
        with put.loan(3, in_place=in_place, seq=7) as out:
            out[:] = 2
    assert name in str(error.value) and "put it under 8 or more" in str(error.value)
    del out, error
    with put.loan(3, in_place=in_place) as out:
        out[:] = 3
    assert get.get(timeout=5)[0] == 3 and (get.seq, get.missed) == (8, 0)
    assert get.age is not None


def test_a_stamp_gives_the_age_and_0_gives_none(name):
    put, get = ends(name)
    put.put([1], seq=5, stamp=1)  # soon after this machine started
    get.get(timeout=5)
    assert get.age > 1
    put.put([1], seq=6, stamp=0)
    get.get(timeout=5)
    assert get.age is None
    put.put([1], seq=7)
    get.get(timeout=5)
    assert 0 <= get.age < 60


def test_messages_have_numbers_too(name):
    put = io_shared.producer(name, CLOUD, tail=("points", POINT), capacity="1M")
    get = io_shared.open(name)
    put.put(frame=1, stamp_ns=0, points=points(2), seq=3, stamp=0)
    assert get.get(timeout=5).frame == 1 and (get.seq, get.age) == (3, None)
    with put.loan(1, seq=9) as out:
        out.frame = 4
    assert get.get(timeout=5).frame == 4 and get.seq == 9
    one = io_shared.producer(name + "-one", "f8")
    one.put(1.5, seq=6)
    assert one.seq == 6
    io_shared.remove(name + "-one")


def test_a_field_called_seq_is_the_field(name):
    put, get = io_shared.producer(name, [("seq", "u8"), ("x", "f8")]), io_shared.open(name)
    put.put(seq=8, x=1)
    assert get.get(timeout=5)["seq"] == 8 and get.seq == 1


def test_a_number_that_does_not_go_up_is_refused_with_both(name):
    put = NumpyShare(name, "1K", "put")
    put.put([1], seq=20)
    for refused in (1, 20):
        with pytest.raises(io_shared.BadSeq) as error:
            put.put([1], seq=refused)
        assert isinstance(error.value, ValueError)
        text = str(error.value)
        assert "number %d" % refused in text and "the last value had 20" in text, text
    assert put.seq == 20


@pytest.mark.parametrize("wrong", [
    dict(seq=0), dict(seq=-1), dict(seq=2 ** 52), dict(seq=1.5), dict(seq="7"),
    dict(seq=1, stamp=-1), dict(seq=1, stamp=2 ** 64), dict(seq=1, stamp=0.5), dict(stamp=5),
])
def test_what_is_no_number_or_stamp_is_refused_by_name(name, wrong):
    put = NumpyShare(name, "1K", "put")
    typed = io_shared.producer(name + "-typed", "f8")
    for refused in (
        lambda: put.put([1], **wrong),
        lambda: put.loan(3, **wrong),
        lambda: typed.put(1.0, **wrong),
    ):
        with pytest.raises(io_shared.Invalid) as error:
            refused()
        assert ("stamp=" if "stamp" in wrong else "seq=") in str(error.value)
        assert name in str(error.value)
    assert put.seq == 0
    io_shared.remove(name + "-typed")
