"""The values before the newest."""

import numpy as np
import pytest

import io_shared
from conftest import POINT, points
from io_shared import NumpyShare
from test_typed import CLOUD


@pytest.mark.parametrize("length", [3, 200000])
def test_the_values_before_the_newest_are_there_oldest_first(name, length):
    put = NumpyShare(name, "2M", "put")
    get = NumpyShare(name, None, "get", history=5)
    eyes = io_shared.observe(name, history=3)
    for value in range(1, 21):
        put.put(np.full(length, value), tag=100 + value)
    for end in (eyes, get):
        found = []
        for array in end.since(10):
            found.append(end.seq)
            assert (array == end.seq).all() and len(array) == length
            assert end.tag == 100 + end.seq and end.age is not None
        assert found[-6:] == [15, 16, 17, 18, 19, 20]
        assert list(end.since(20)) == []
        next(end.since(2))
        assert end.missed == end.seq - 3
    assert get.get(timeout=5)[0] == 20, "copies do not count as seen"


def test_a_value_is_found_by_its_tag(name):
    put = NumpyShare(name, "1K", "put", history=3)
    get, eyes = NumpyShare(name, None, "get"), io_shared.observe(name)
    for value in range(1, 11):
        put.put([value], tag=100 + value)
    for end in (get, eyes):
        assert end.tagged(108).tolist() == [8] and (end.seq, end.tag) == (8, 108)
        assert end.tagged(7) is None
    assert get.tagged(109, timeout=1).tolist() == [9]
    with pytest.raises(io_shared.Timeout) as error:
        get.tagged(7, timeout=0.02)
    assert "no value with the tag 7 came within 0.02 s" in str(error.value)
    with pytest.raises(io_shared.Invalid) as error:
        get.tagged(-1)
    assert "tag=-1" in str(error.value)


def test_messages_have_a_history_too(name):
    put = io_shared.producer(name, CLOUD, tail=("points", POINT), capacity="1M")
    get = io_shared.open(name, history=4)
    typed = io_shared.consumer(name, CLOUD, tail=("points", POINT), capacity="1M", history=4)
    for frame in range(1, 11):
        put.put(frame=frame, stamp_ns=0, points=points(2), tag=frame)
    assert [message.frame for message in get.since(6)] == [7, 8, 9, 10]
    assert typed.tagged(8).frame == 8


@pytest.mark.parametrize("wrong", [-1, 1.5, "7", 254])
def test_what_is_no_history_is_refused_by_name(name, wrong):
    put = NumpyShare(name, "1K", "put")
    for refused in (
        lambda: io_shared.observe(name, history=wrong),
        lambda: NumpyShare(name, None, "get", history=wrong),
    ):
        with pytest.raises(io_shared.Invalid) as error:
            refused()
        assert "history=" in str(error.value) and name in str(error.value)
    put.close()
