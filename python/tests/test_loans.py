"""Loans: memory of this process that is copied at the put, or shared memory."""

import gc
import os
import sys
import threading
import time

import numpy as np
import pytest

import io_shared
from conftest import references_are_counted
from io_shared import NumpyShare
from test_arrays import ends

in_place_or_not = pytest.mark.parametrize("in_place", [False, True], ids=["own", "in_place"])


@references_are_counted
@in_place_or_not
def test_a_loan_leaves_nothing_for_the_collector(name, in_place):
    put, _ = ends(name)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            with put.loan(4, in_place=in_place) as out:
                out[...] = 1
        del out
        assert gc.collect() < 10
    finally:
        gc.enable()


@in_place_or_not
def test_what_is_on_loan_is_put_and_becomes_read_only(name, in_place):
    put, get = ends(name)
    with put.loan((3, 4), np.float32, in_place=in_place) as out:
        assert out.flags.c_contiguous and out.dtype == np.float32
        assert out.__array_interface__["data"][0] % 64 == 0
        out[...] = 5
        part = out[1:]
        part[0] = 6
        del part
        assert get.try_get() is None
    assert get.get()[:, 0].tolist() == [5, 6, 5]
    for array in (out, out[1:]):
        with pytest.raises(ValueError):
            array[...] = 1
        with pytest.raises(ValueError):
            array.flags.writeable = True
    with put.loan((3, 4), ">i2", order="F", in_place=in_place) as out:
        assert out.flags.f_contiguous
        out[...] = 1
    assert get.get().flags.f_contiguous
    with put.loan(3, in_place=in_place) as out:
        assert out.shape == (3,) and out.dtype == np.float64
        out[...] = 1
    assert get.get().tolist() == [1, 1, 1]
    for shape, dtype in (((), "i4"), ((0, 3), "f8"), ((2,), "S0"), ((300, 500), "u1")):
        with put.loan(shape, dtype, in_place=in_place) as out:
            out[...] = 1
        found = get.get()
        assert found.shape == shape and found.dtype == np.dtype(dtype)
        assert dtype == "S0" or (found == 1).all()
    with pytest.raises(ValueError):
        put.loan(3, order="X", in_place=in_place)


@in_place_or_not
@pytest.mark.parametrize("keep", ["traceback", "out", "slice"])
def test_an_exception_in_the_block_puts_nothing_and_blocks_nothing(name, in_place, keep):
    put, get = ends(name)
    kept = []
    for i in range(5):
        with pytest.raises(KeyError) as error:
            with put.loan(4, in_place=in_place) as out:
                out[...] = 7
                kept.append({"out": out, "slice": out[1:]}.get(keep))
                raise KeyError
        kept.append(error)  # and its traceback
        assert get.try_get() is None
        put.put([i])
        for it in kept:
            if isinstance(it, np.ndarray):
                it[...] = 99
        assert get.get().tolist() == [i]
        with put.loan(2, in_place=in_place) as other:
            other[...] = i
        assert get.get().tolist() == [i, i]
        del other


def test_functions_that_fill_and_return_what_they_are_given_are_no_trouble(name):
    put, get = ends(name)

    def read(out):
        out[...] = 3
        return True, out

    for _ in range(3):
        with put.loan(4) as out:
            ok, frame = read(out)
        assert ok and get.get().tolist() == [3] * 4
        with put.loan(4) as out:
            total = np.add(np.ones(4), np.ones(4), out=out)
        assert get.get().tolist() == total.tolist() == [2] * 4
    assert frame.tolist() == [3] * 4


@in_place_or_not
def test_a_loan_can_be_cancelled(name, in_place):
    put, get = ends(name)
    for i in range(4):
        loan = put.loan(4, in_place=in_place)
        with loan as out:
            out[...] = 7
            loan.cancel()
            put.put([i])
            out[...] = 8
            assert get.get().tolist() == [i]
            loan.cancel()
        assert get.try_get() is None
    for again in (loan, _cancelled(put.loan(4, in_place=in_place))):
        with pytest.raises(io_shared.AlreadyLoaned):
            with again:
                pass
    with put.loan(1, in_place=in_place) as out:
        out[0] = 5
    loan.cancel()
    assert get.get().tolist() == [5]


def _cancelled(loan):
    loan.cancel()
    return loan


@in_place_or_not
def test_a_loan_that_is_forgotten_blocks_nothing(name, in_place):
    put, get = ends(name)
    for i in range(4):
        out = put.loan(4, in_place=in_place).__enter__()
        gc.collect()
        put.put([i])
        out[...] = 99
        assert get.get().tolist() == [i]


@references_are_counted
def test_one_loan_in_place_at_a_time(name):
    put, get = ends(name)
    with put.loan(4, in_place=True) as out:
        for act in (lambda: put.loan(4, in_place=True).__enter__(), lambda: put.put([1])):
            with pytest.raises(io_shared.AlreadyLoaned):
                act()
        out[...] = 1
    assert get.get().tolist() == [1] * 4


def test_any_number_of_loans_and_puts_go_on_at_once(name):
    put, get = ends(name)
    with put.loan(4) as first:
        with put.loan(4) as second:
            put.put([3])
            first[...], second[...] = 1, 2
            assert get.get().tolist() == [3]
        assert get.get().tolist() == [2] * 4
    assert get.get().tolist() == [1] * 4
    loan = put.loan(4)
    with loan as out:
        out[...] = 2
    with pytest.raises(io_shared.AlreadyLoaned):
        with loan:
            pass


@references_are_counted
def test_a_loans_buffer_is_filled_again_when_nobody_has_it(name):
    put, _ = ends(name)
    addresses = set()
    for _ in range(20):
        with put.loan((100, 100)) as out:
            addresses.add(out.__array_interface__["data"][0])
            out[...] = 1
    assert len(addresses) == 2  # the variable has one while the other is filled
    kept = []
    for i in range(5):
        with put.loan((100, 100)) as out:
            out[...] = i
            kept.append(out[:, 1])
    assert [int(part[0]) for part in kept] == [0, 1, 2, 3, 4]


def test_a_loans_buffer_has_nothing_of_this_process_but_what_was_put(name):
    put, get = ends(name)
    for length in (10, 1000, 100000):
        secret = np.full(length + 64, 0x5A, np.uint8)
        del secret
        with put.loan(length, np.uint8):
            pass
        assert not get.get().any()


def test_threads_that_lend_from_handles_of_their_own_disturb_nobody(new_name):
    def play(name, results):
        put, get = ends(name)
        for i in range(200):
            with put.loan(1000, in_place=i % 2 == 0) as out:
                out[...] = i
                if i % 3 == 0:
                    mine = memoryview(out) if i % 2 else None
            results.append((get.get() == i).all())
            del out
        del mine

    results = []
    threads = [threading.Thread(target=play, args=(new_name(), results)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 600 and all(results)


def test_where_references_are_not_counted_a_loan_is_a_copy(name, monkeypatch):
    # As on PyPy.
    monkeypatch.setattr(io_shared._library, "COUNTS", False)
    put, get = ends(name)
    for in_place in (False, True):
        with put.loan((2, 3), np.int16, in_place=in_place) as out:
            out[...] = 7
            kept = out[1:]
        kept[...] = 8
        assert get.get().tolist() == [[7] * 3] * 2


@in_place_or_not
def test_an_array_of_a_loan_stays_mapped_and_keeps_no_role(name, in_place):
    put, get = ends(name)
    with put.loan(1000, in_place=in_place) as out:
        out[...] = 3
    put.close()
    NumpyShare(name, "5M", "put").close()  # the role is free
    io_shared.remove(name)
    del put, get
    gc.collect()
    assert out.sum() == 3000


@in_place_or_not
def test_an_array_of_a_loan_can_be_read_after_the_share_was_reopened(name, in_place):
    put = NumpyShare(name, "20M", "put")
    with put.loan(1000000, in_place=in_place) as out:
        out[...] = 3
    kept = []
    for i in range(3):
        io_shared.remove(name)
        put.put([i])
        assert out.sum() == 3000000
        with put.loan(1000000, in_place=in_place) as other:
            other[...] = i
        kept.append(other)
    assert [int(array[-1]) for array in kept] == [0, 1, 2]
    assert (out == 3).all()


@in_place_or_not
def test_a_loan_over_a_removal_is_put_into_the_channel_that_is_opened_anew(name, in_place):
    put = NumpyShare(name, "1M", "put")
    put.put([1])
    io_shared.remove(name)
    end, kept = time.time() + 20, []
    # A producer checks every 90 ms what its name refers to; nobody gets what it puts before that.
    while not os.path.exists("/dev/shm" + name):
        assert time.time() < end
        with put.loan(4, in_place=in_place) as out:
            out[...] = 7
        kept[:] = kept[:1] + [out]
    assert NumpyShare(name, "1M", "get").get(timeout=5).tolist() == [7] * 4
    assert [out.tolist() for out in kept] == [[7] * 4] * len(kept)


@in_place_or_not
def test_typed_messages_are_lent_alike(name, in_place):
    header, point = np.dtype([("frame", "u8")]), np.dtype([("x", "f4"), ("y", "f4")])
    put = io_shared.producer(name, header, tail=("points", point), capacity="1M")
    get = io_shared.open(name)
    kept = []
    for i in range(4):
        with put.loan(1000, in_place=in_place) as out:
            out.frame, out.points["x"] = i, i
            out.points["y"] = 0
        with pytest.raises(ValueError):
            out.frame = 99
        found = get.get()
        assert found.frame == i and (found.points["x"] == i).all()
        with pytest.raises(KeyError):
            with put.loan(1000, in_place=in_place) as out:
                kept.append((out, out.points[3:]))
                raise KeyError
        put.put(frame=i, points=np.ones(5, point))
        for message, points in kept:
            message.frame = 99
            points["x"] = 99
        found = get.get()
        assert found.frame == i and (found.points["x"] == 1).all()
        loan = put.loan(0, in_place=in_place)
        with loan as out:
            loan.cancel()
        assert get.try_get() is None


@references_are_counted
def test_a_part_of_a_typed_loan_in_place_that_is_kept_raises(name):
    put = io_shared.producer(name, None, tail="f4", capacity="1M")
    get = io_shared.open(name)
    with pytest.raises(io_shared.AlreadyLoaned):
        with put.loan(10, in_place=True) as out:
            kept = out[3:]
    put.put(np.ones(10, "f4"))
    kept[...] = 9
    assert get.get().tolist() == [1] * 10


def test_a_put_of_fields_that_fails_blocks_nothing(name):
    header, point = np.dtype([("frame", "u8")]), np.dtype([("x", "f4"), ("y", "f4")])
    put = io_shared.producer(name, header, tail=("points", point), capacity="1M")
    get = io_shared.open(name)
    kept = []
    for i in range(3):
        for frame, points in (("no number", np.zeros(3, point)), (1, np.array(["no", "points"]))):
            with pytest.raises((ValueError, TypeError)) as error:
                put.put(frame=frame, points=points)
            kept.append(error)
        put.put(frame=i, points=np.ones((8, 2), point)[::2, 0])
        assert (get.get().frame, len(get.latest().points)) == (i, 4)


def test_errors_of_borrows_that_are_kept_hold_nothing(name):
    put, get = ends(name)
    kept = []
    for _ in range(10):
        put._end._put_bytes(b"nonsense" * 20)
        for take in (get.borrow, get.latest):
            with pytest.raises(io_shared.Corrupt) as error:
                take()
            kept.append(error)
    put.put([1])
    assert get.borrow().tolist() == [1]


@pytest.mark.parametrize("in_place", [False, True])
def test_a_loan_that_cannot_begin_blocks_nothing(name, new_name, in_place):
    put, get = NumpyShare(name, "4K", "put"), NumpyShare(name, "4K", "get")
    typed = io_shared.producer(new_name(), "u4")
    kept = []
    for lender, asked in (
        (put, (1,) * 70), (put, (2 ** 62, 2 ** 62)), (put, (2 ** 62, 0)), (put, 2 ** 70),
        (put, 4096),
        (typed, (1, 2)), (typed, ()),
    ):
        loan = None
        with pytest.raises(io_shared.Error) as error:
            loan = lender.loan(asked, in_place=in_place)
            loan.__enter__()
        kept += [error, loan]  # with all frames of the traceback
    never_entered = put.loan(3, in_place=in_place)
    never_entered.__exit__(None, None, None)
    with pytest.raises(io_shared.AlreadyLoaned):
        never_entered.__enter__()
    put.put([1])
    assert get.get(timeout=20).tolist() == [1] and put.seq == 1


def test_a_view_of_a_loan_in_place_that_fails_blocks_nothing(name, monkeypatch):
    put = io_shared.producer(name, np.dtype([("frame", "u8")]))
    loan = put.loan(in_place=True)

    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(io_shared._messages, "parts", fails)
    with pytest.raises(MemoryError) as kept:
        loan.__enter__()
    monkeypatch.undo()
    put.put(frame=1)
    assert put.seq == 1 and kept
