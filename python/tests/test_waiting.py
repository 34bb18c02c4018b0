"""Waiting for many consumers at once, and the descriptor for event loops."""

import os
import select
import threading
import time

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare
from conftest import ends, timed


@pytest.fixture
def shares(new_name):
    """Three channels: their ends that put, and those that get."""
    both = [ends(new_name(), "4K") for _ in range(3)]
    yield [put for put, _ in both], [get for _, get in both]
    for put, get in both:
        put.close()
        get.close()


def later(seconds, act, *arguments):
    timer = threading.Timer(seconds, act, arguments)
    timer.start()
    return timer


def is_readable(share, seconds=0):
    return select.select([share], [], [], seconds)[0] == [share]


def test_a_wait_for_many_returns_those_that_have_something_in_order(shares):
    puts, gets = shares
    puts[2].put(np.arange(2))
    assert io_shared.wait_any(gets) == [gets[2]]
    assert io_shared.wait_any(iter(gets), timeout=0) == [gets[2]], "nothing was taken"
    puts[0].put(np.arange(3))
    assert io_shared.wait_any(gets, timeout=1) == [gets[0], gets[2]]
    assert [share.get().size for share in (gets[0], gets[2])] == [3, 2]
    timer = later(0.15, puts[1].put, np.arange(4))
    assert io_shared.wait_any(gets, timeout=5) == [gets[1]]
    timer.join()
    with io_shared.consumer(puts[1].name) as typed:
        assert io_shared.wait_any([gets[0], typed]) == [typed]


@timed
def test_a_wait_for_many_ends_at_its_timeout_at_a_removal_and_at_an_interrupt(shares):
    puts, gets = shares
    before = time.time()
    with pytest.raises(io_shared.Timeout) as caught:
        io_shared.wait_any(gets, timeout=0.15)
    assert 0.14 < time.time() - before < 1 and gets[0].name in str(caught.value)
    with pytest.raises(io_shared.Timeout):
        io_shared.wait_any(gets, timeout=0)
    timer = later(0.05, gets[1].interrupt)
    with pytest.raises(io_shared.Interrupted) as caught:
        io_shared.wait_any(gets, timeout=5)
    assert gets[1].name in str(caught.value)
    timer.join()
    with NumpyShare(gets[1].name, None, "get", reopen=False) as stays:
        io_shared.remove(stays.name)
        assert io_shared.wait_any([gets[0], stays], timeout=5) == [stays]


def test_a_share_that_is_in_the_list_twice_is_returned_twice(shares):
    puts, gets = shares
    puts[1].put(np.arange(3))
    assert io_shared.wait_any([gets[1], gets[0], gets[1]], timeout=5) == [gets[1], gets[1]]


@pytest.mark.parametrize("wrong", [-1, float("nan"), "1", b"1", [1]])
def test_a_timeout_is_at_least_0_seconds_in_each_wait(shares, wrong):
    get = shares[1][0]
    with io_shared.observe(get.name) as eyes:
        for wait in (get.get, get.borrow, eyes.wait, lambda t: get.tagged(1, t),
                     lambda t: io_shared.wait_any([get], t), shares[0][0].wait_taken):
            with pytest.raises((io_shared.Invalid, io_shared.WrongFields)) as caught:
                wait(wrong)
            assert "a timeout must be" in str(caught.value)


def test_a_wait_that_is_over_names_the_time_that_was_asked_for(shares, new_name):
    put, get = shares[0][0], shares[1][0]
    put.put([1])
    state = io_shared.State(new_name(), "f8", initial=1)
    state.get()
    asked = "timed out after 0.12 s waiting for "
    for wait, text in (
        (put.wait_taken, "%s: %svalue 1 to be taken by: " % (put.name, asked)),
        (state.wait_changed, "%s: %s" % (state.name, asked)),
        (lambda t: (get.get(), get.get(t)), "%s: no new value came within 0.12 s" % get.name),
    ):
        with pytest.raises(io_shared.Timeout) as caught:
            wait(0.12)
        assert str(caught.value).startswith(text)


def test_any_longer_timeout_is_a_long_one(shares):
    puts, gets = shares
    for timeout in (1e300, float("inf"), 10 ** 400):
        timer = later(0.02, puts[0].put, np.arange(3))
        assert gets[0].get(timeout).size == 3
        timer.join()


def test_what_cannot_be_waited_for_is_refused(shares):
    puts, gets = shares
    with pytest.raises(io_shared.Invalid):
        io_shared.wait_any([])
    for wrong in (puts[0], None, "/cloud_share"):
        with pytest.raises(io_shared.WrongFields):
            io_shared.wait_any([gets[0], wrong])
    gets[0].close()
    with pytest.raises(io_shared.Closed):
        io_shared.wait_any(gets)


def test_a_share_is_readable_from_a_put_until_its_value_is_got(shares):
    puts, gets = shares
    number = gets[0].fileno()
    for count in range(20):
        assert not is_readable(gets[0])
        puts[0].put(np.arange(count))
        assert is_readable(gets[0], 5) and is_readable(gets[0])
        assert getattr(gets[0], ("get", "try_get", "latest", "borrow")[count % 4])().size == count
        assert gets[0].try_get() is None  # it may be readable once too often
    assert gets[0].fileno() == number
    with pytest.raises(io_shared.WriteAccessError):
        puts[0].fileno()
    gets[0].close()
    with pytest.raises(io_shared.Closed):
        gets[0].fileno()
    with pytest.raises(OSError):
        os.fstat(number)


def test_a_forked_child_does_not_clear_its_parents_descriptor(shares):
    puts, gets = shares
    gets[0].fileno()
    puts[0].put(np.arange(3))
    assert is_readable(gets[0], 5)
    child = os.fork()
    if child == 0:
        told = 1
        try:
            gets[0].try_get()
        except io_shared.ForkedHandle:
            try:
                gets[0].fileno()
            except io_shared.ForkedHandle:
                told = 0
        os._exit(told)
    assert os.waitpid(child, 0)[1] == 0
    assert is_readable(gets[0]) and gets[0].try_get().size == 3
