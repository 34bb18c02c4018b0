"""Channels of arrays whose producer says no size: they grow with their arrays."""

import os

import numpy as np
import pytest

import io_shared
from conftest import references_are_counted
from io_shared import NumpyShare


def test_a_share_that_puts_needs_no_size_and_grows_under_those_who_get(name):
    put = NumpyShare(name, mode="put")
    assert put.capacity == 4096
    get = NumpyShare(name, mode="get")
    other = io_shared.consumer(name)
    for doubling in range(12):
        array = np.full(512 << doubling, doubling)
        if doubling % 3 == 1:
            with put.loan(array.shape, array.dtype) as out:
                out[:] = doubling
        elif doubling % 3 == 2:
            with put.loan(array.shape, array.dtype, in_place=True) as out:
                out[:] = doubling
        else:
            put.put(array, tag=doubling)
        for end in (get, other):
            assert np.array_equal(end.get(timeout=5), array)
            assert (end.seq, end.missed) == (doubling + 1, 0)
        assert put.capacity == 8192 << doubling
    put.put(np.zeros(3))
    assert get.get(timeout=5).shape == (3,)
    assert put.capacity == 8192 << 11, "it stays as large as it is"


@references_are_counted
def test_what_is_borrowed_stays_as_it_is_while_the_channel_grows(name):
    put = NumpyShare(name, mode="put")
    get = NumpyShare(name, mode="get")
    kept = []
    for doubling in range(6):
        put.put(np.full(512 << doubling, doubling))
        kept.append(get.borrow(timeout=5))
    for doubling, array in enumerate(kept):
        assert array.shape == (512 << doubling,) and (array == doubling).all()


def test_a_producer_of_arrays_grows_and_takes_what_it_finds(name):
    small = NumpyShare(name, 512, "put")
    small.put(np.arange(3))
    small.close()
    put = io_shared.producer(name)
    assert (put.capacity, put.seq) == (512, 1)
    put.put(np.arange(100))
    assert (put.capacity, put.seq) == (1024, 2)
    assert np.array_equal(io_shared.open(name).latest(), np.arange(100))


def test_with_a_size_or_a_type_nothing_grows(name, new_name):
    put = NumpyShare(name, 512, "put")
    with pytest.raises(io_shared.TooLarge) as error:
        put.put(np.zeros(100))
    assert "size=928 or more" in str(error.value)
    typed = io_shared.producer(new_name(), tail=("points", "f4"), capacity=8)
    with pytest.raises(io_shared.TooLarge):
        typed.put(points=np.zeros(3, "f4"))


def test_a_channel_in_a_file_grows_too(tmpdir):
    path = io_shared.File(str(tmpdir.join("map.io")))
    put = NumpyShare(path, mode="put")
    put.put(np.arange(10000))
    put.sync()
    put.close()
    assert np.array_equal(NumpyShare(path, mode="get").get(timeout=5), np.arange(10000))
    assert os.listdir(str(tmpdir)) == ["map.io"]


def test_a_mode_must_be_given(name):
    with pytest.raises(ValueError) as error:
        NumpyShare(name)
    assert "mode is 'put' or 'get', not None" in str(error.value)
