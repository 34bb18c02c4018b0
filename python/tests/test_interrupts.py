"""Waits that another thread or a signal handler ends by ``interrupt``."""

import os
import random
import signal
import threading
import time

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare
from io_shared._wait import monotonic
from conftest import timed


@pytest.fixture
def handled():
    """Installs a handler of SIGINT, and the one before again."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, before)


def after(seconds, act):
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


@timed
@pytest.mark.parametrize("wait", ["get", "borrow"])
def test_ctrl_c_with_a_handler_that_interrupts_ends_a_blocked_get_within_10_ms(
    name, handled, wait
):
    with NumpyShare(name, "4K", "get") as share:
        flags, sent, ends = [], [], []

        def handler(number, frame):
            flags.append(True)
            share.interrupt()

        handled(handler)

        def send():
            sent.append(monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        for i in range(21):
            # Spread over a slice, at whose end it would look anyway.
            timer = after(0.02 + 0.003 * i, send)
            with pytest.raises(io_shared.Interrupted) as caught:
                getattr(share, wait)()
            ends.append(monotonic() - sent[-1])
            timer.join()
        assert "interrupted the wait" in str(caught.value) and name in str(caught.value)
        assert len(flags) == 21
        assert sorted(ends)[10] < 0.01, ends


@timed
@pytest.mark.parametrize("wait", ["get", "borrow"])
@pytest.mark.parametrize("kind", ["share", "consumer"])
def test_an_interrupt_by_another_thread_ends_a_wait_within_10_ms(name, kind, wait):
    share = NumpyShare(name, "4K", "get") if kind == "share" else io_shared.consumer(name, "f8")
    with share:
        sent, ends = [], []

        def send():
            sent.append(monotonic())
            share.interrupt()

        for i in range(11):
            # As above.
            timer = after(0.02 + 0.006 * i, send)
            with pytest.raises(io_shared.Interrupted):
                getattr(share, wait)()
            ends.append(monotonic() - sent[-1])
            timer.join()
        assert sorted(ends)[5] < 0.01, ends


@timed
def test_ctrl_c_ends_a_get_at_once_as_it_is(name):
    with NumpyShare(name, "4K", "get") as share:
        ends = []
        for i in range(11):
            sent = []
            timer = after(0.02 + 0.005 * i, lambda: (
                sent.append(monotonic()), os.kill(os.getpid(), signal.SIGINT)
            ))
            with pytest.raises(KeyboardInterrupt):
                share.get()
                time.sleep(5)
            ends.append(monotonic() - sent[0])
            timer.join()
        assert sorted(ends)[5] < 0.01, ends


def test_a_handler_that_returns_does_not_end_a_get(name, handled):
    handled(lambda *_: None)
    with NumpyShare(name, "4K", "put") as put, NumpyShare(name, "4K", "get") as share:
        timers = [after(0.01 * i, lambda: os.kill(os.getpid(), signal.SIGINT)) for i in range(10)]
        timers.append(after(0.2, lambda: put.put(np.arange(3))))
        assert share.get(timeout=5).tolist() == [0, 1, 2]
        with pytest.raises(io_shared.Timeout):
            share.get(timeout=0.02)
        for timer in timers:
            timer.join()


def test_an_interrupt_counts_until_one_wait_has_ended_by_it_and_a_value_goes_first(name):
    with NumpyShare(name, "4K", "put") as put, NumpyShare(name, "4K", "get") as share:
        share.interrupt()
        share.interrupt()
        assert share.try_get() is None
        put.put(np.arange(3))
        assert share.get().tolist() == [0, 1, 2]
        with pytest.raises(io_shared.Interrupted):
            share.get()
        with pytest.raises(io_shared.Timeout):
            share.get(timeout=0.02)
        put.put(np.arange(2))
        put.interrupt()
        with pytest.raises(io_shared.Interrupted):
            put.wait_taken(timeout=5)
        assert share.get().tolist() == [0, 1]
        assert put.wait_taken(timeout=5) == 1


def test_interrupts_of_another_thread_at_random_moments_lose_no_value(name):
    with NumpyShare(name, "4K", "put") as put, NumpyShare(name, "4K", "get") as share:
        done = threading.Event()

        def interrupt():
            chance = random.Random(1)
            for _ in range(2000):
                share.interrupt()
                time.sleep(chance.uniform(0, 4e-4))
            done.set()

        def produce():
            while not done.is_set():
                put.put(np.zeros(3))
                put.wait_taken(timeout=10)

        threads = [threading.Thread(target=target) for target in (interrupt, produce)]
        for thread in threads:
            thread.start()
        got, ended = 0, 0
        while any(thread.is_alive() for thread in threads):
            try:
                share.get(timeout=0.02)
                got += 1
                assert (share.seq, share.missed) == (got, 0)
            except io_shared.Interrupted:
                ended += 1
            except io_shared.Timeout:
                pass
        for thread in threads:
            thread.join()
        assert got == put.seq and 0 < ended <= 2000
