"""Waiting for the role of a predecessor: restarts without a gap."""

import logging
import os
import signal
import threading
import time

import numpy as np
import pytest

import io_shared
from conftest import timed
from io_shared import NumpyShare


#: Seconds that a refused opening may take: PyPy collects all garbage first, ten times.
AT_ONCE = 1 if io_shared._library.COUNTS else 20


def later(seconds, act):
    """Calls ``act`` from another thread."""
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def producer(name, **options):
    return NumpyShare(name, "1M", "put", **options)


def viewer(name, **options):
    return NumpyShare(name, "1M", "get", consumer_name="viewer", **options)


def typed(name, **options):
    return io_shared.producer(name, "f8", **options)


def named(name, **options):
    return io_shared.consumer(name, "f8", consumer_name="viewer", **options)


@pytest.mark.parametrize("opened", [producer, viewer, typed, named])
@pytest.mark.parametrize("wait", [20, None])
def test_a_restarted_end_takes_over_from_its_predecessor(name, opened, wait):
    old = opened(name)
    closer = later(0.3, old.close)
    started = time.time()
    new = opened(name, wait_for_role=wait)
    assert 0.2 < time.time() - started < 5
    closer.join()
    new.close()


def test_open_waits_for_a_slot(name):
    put = producer(name)
    kept = [io_shared.open(name) for _ in range(64)]
    with pytest.raises(io_shared.NoSlot):
        io_shared.open(name, wait_for_role=0.05)
    closer = later(0.2, kept.pop().close)
    kept.append(io_shared.open(name, wait_for_role=20))
    closer.join()
    for end in kept + [put]:
        end.close()


@timed
@pytest.mark.parametrize("wait", [0, 0.3])
def test_the_wait_ends_with_the_holder_named(name, wait):
    old = producer(name)
    started = time.time()
    with pytest.raises(io_shared.RoleTaken) as error:
        producer(name, wait_for_role=wait)
    assert wait <= time.time() - started < wait + AT_ONCE
    assert "held by this process, %d" % os.getpid() in str(error.value)
    old.close()


def test_no_array_is_lost_in_a_restart(name):
    get = NumpyShare(name, "1M", "get")
    old = producer(name)

    def end():
        old.put([1])
        old.wait_taken(timeout=20)
        old.close()

    def start():
        with producer(name, wait_for_role=20) as new:
            new.put([2])
            new.wait_taken(timeout=20)

    ending, starting = later(0.2, end), later(0, start)
    for value in 1, 2:
        assert get.get(timeout=20)[0] == value
        assert (get.seq, get.missed) == (value, 0)
    ending.join(), starting.join(), get.close()


def test_the_wait_of_a_producer_of_other_messages_ends_with_its_predecessor(name):
    old = typed(name)
    closer = later(0.3, old.close)
    new = producer(name, wait_for_role=20)
    closer.join()
    get = NumpyShare(name, "1M", "get")
    started = time.time()
    with pytest.raises(io_shared.Mismatch):
        typed(name, wait_for_role=0.3)
    assert time.time() - started >= 0.3
    new.close()
    started = time.time()
    with pytest.raises(io_shared.Mismatch):  # a consumer is no predecessor
        typed(name, wait_for_role=20)
    assert time.time() - started < 5
    get.close()


@pytest.mark.parametrize("open_", [NumpyShare, io_shared.consumer])
def test_a_reader_of_another_type_waits_for_a_producer_that_replaces_the_channel(name, open_):
    def opened(**options):
        if open_ is NumpyShare:
            return NumpyShare(name, mode="get", **options)
        return open_(name, [("number", "u8")], **options)

    def replace():
        if open_ is NumpyShare:
            producers.append(producer(name))
            producers[0].put([7])
        else:
            producers.append(io_shared.producer(name, [("number", "u8")]))
            producers[0].put(number=7)

    old = typed(name)
    started = time.time()
    with pytest.raises(io_shared.Mismatch):  # its producer is there
        opened(open_timeout=20)
    assert time.time() - started < 10
    old.close()
    started = time.time()
    with pytest.raises(io_shared.Mismatch):
        opened(open_timeout=0.3)
    assert time.time() - started >= 0.3
    producers = []
    starting = later(0.5, replace)
    reader = opened(open_timeout=20)
    starting.join()
    reader.close(), producers[0].close()


def test_a_long_wait_for_a_role_is_logged_once_and_ends_at_a_signal(name, caplog):
    def interrupt(*_):
        raise KeyboardInterrupt

    old = producer(name)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with caplog.at_level(logging.WARNING, "io_shared"):
            signal.setitimer(signal.ITIMER_REAL, AT_ONCE + 0.5)
            started = time.time()
            with pytest.raises(KeyboardInterrupt):
                producer(name, wait_for_role=None)
            assert time.time() - started < AT_ONCE + 5
    finally:
        signal.signal(signal.SIGALRM, before)
    logged = [record.getMessage() for record in caplog.records if name in record.getMessage()]
    assert len(logged) == 1 and "held by this process" in logged[0], logged
    old.put(np.zeros(1))
    old.close()
