"""Who the producer is, being told of its end, and observers that wait."""

import os
import sys
import threading
import time

import numpy as np
import pytest

import io_shared
from conftest import ends, timed


def test_consumers_and_observers_know_who_the_producer_is(name, script):
    get = io_shared.NumpyShare(name, "2M", "get")
    eyes = io_shared.observe(name)
    assert get.producer is None and eyes.producer is None
    began = time.time()
    victim = script(sys.executable, "echo.py", "copying_in", name, name, 0)
    get.get(timeout=60)
    for found in (get.producer, eyes.producer):
        assert found.pid == victim.pid
        assert found.command.startswith("py")
        assert began - 1 < found.since < time.time() + 1
    victim.kill()
    victim.wait()
    assert get.producer is None and eyes.producer is None
    with pytest.raises(AttributeError):
        io_shared.NumpyShare(name, "2M", "put").producer


@timed
def test_a_get_says_that_the_producer_was_killed(name, script):
    soonest = 60
    for _ in range(3):
        victim = script(sys.executable, "echo.py", "copying_in", name, name, 0)
        get = io_shared.NumpyShare(name, "2M", "get", requires_producer=True)
        while get.producer is None:  # a value may be its predecessor's
            get.get(timeout=60)
        killed = time.time()
        victim.kill()
        with pytest.raises(io_shared.NoProducer) as gone:
            while True:
                get.get()
        soonest = min(soonest, time.time() - killed)
        assert "process %d, py" % victim.pid in str(gone.value)
        assert "(requires_producer=False)" in str(gone.value)
        with pytest.raises(io_shared.NoProducer):
            get.try_get()
        assert get.latest() is not None
        get.close()
        victim.wait()
    assert soonest < 0.2
    with pytest.raises(io_shared.Invalid):
        io_shared.NumpyShare(name, "2M", "put", requires_producer=True)


def test_typed_and_open_consumers_may_require_a_producer(name):
    with io_shared.producer(name, "u8") as put:
        opened = [io_shared.consumer(name, "u8", requires_producer=True),
                  io_shared.open(name, requires_producer=True)]
        put.put(7)
    for get in opened:
        assert get.get() == 7
        with pytest.raises(io_shared.NoProducer):
            get.get()
        with pytest.raises(io_shared.NoProducer):
            get.borrow(timeout=60)
        get.close()


def test_an_observer_waits_for_each_value(name):
    put, get = ends(name)
    eyes = io_shared.observe(name)
    assert eyes.newest_seq == 0
    with pytest.raises(io_shared.Timeout):
        eyes.wait(timeout=0.02)
    put.put(np.full(3, 1))
    assert eyes.newest_seq == 1 and eyes.seq == 0
    assert eyes.wait()[0] == 1 and eyes.seq == 1

    def work():
        for i in range(2, 30):
            time.sleep(0.01)
            put.put(np.full(3, i))

    worker = threading.Thread(target=work)
    worker.start()
    seen = []
    while not seen or seen[-1] < 29:
        copy = eyes.wait(timeout=60)
        assert copy.flags.writeable
        seen.append(int(copy[0]))
    worker.join()
    assert seen == sorted(set(seen)) and len(seen) > 14
    assert get.get()[0] == 29 and get.missed == 28  # nothing was taken from it
    eyes.close()
    with pytest.raises(io_shared.Closed):
        eyes.wait()
    assert os.path.exists("/dev/shm" + name)


def test_a_producer_says_of_what_kind_its_values_are(name):
    with io_shared.producer(name, capacity="4K", kind="image:bgr8") as put:
        put.put(np.zeros((2, 2, 3), "u1"))
        with open("/dev/shm" + name, "rb") as region:
            assert b'"unit":"image:bgr8"' in region.read()
        # Those who know arrays open it as before.
        assert io_shared.NumpyShare(name, mode="get").get().shape == (2, 2, 3)
        assert io_shared.observe(name).copy().shape == (2, 2, 3)
    for wrong in ("", "two words", 3):
        with pytest.raises(io_shared.Invalid):
            io_shared.producer(name, capacity="4K", kind=wrong)
    with pytest.raises(io_shared.Invalid):
        io_shared.producer(name, "f8", kind="depth")


def test_a_producer_is_known_if_its_name_is_cut_within_a_character(name):
    with open("/proc/self/comm", "rb") as file:
        before = file.read()
    text = u"\xe4" * 9
    try:
        with open("/proc/self/comm", "wb") as file:
            file.write(text.encode("utf-8"))
        with io_shared.producer(name), io_shared.open(name) as get:
            found = get.producer
    finally:
        with open("/proc/self/comm", "wb") as file:
            file.write(before.strip())
    whole = text[:7] if str is not bytes else text[:7].encode("utf-8")
    assert found.pid == os.getpid() and found.command.startswith(whole)
