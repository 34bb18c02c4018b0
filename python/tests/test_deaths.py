"""Either interpreter is killed at random moments: the other continues, in step, with whole values.

20 deaths of each, and 500 with IO_SHARED_SLOW.
"""

import os
import random
import time

import numpy as np
import pytest

from conftest import pythons
from io_shared import NumpyShare

DEATHS = 500 if os.environ.get("IO_SHARED_SLOW") else 20


@pytest.mark.parametrize("python", pythons()[::-1])
@pytest.mark.parametrize("way", ["putting", "copying_in"])
def test_a_killed_producer_leaves_whole_values_in_order(name, script, python, way):
    get = NumpyShare(name, "1M" if way == "putting" else "2M", "get")
    last = 0
    for death in range(DEATHS):
        victim = script(python, "echo.py", way, name, name, 0)
        end = None
        while end is None or time.time() < end:
            array = get.borrow(timeout=60) if way == "putting" else get.get(timeout=60)
            assert array[0] == array[-1] and (array == array[0]).all()
            assert int(array[0]) > last  # never one twice, and none from before
            last = int(array[0])
            if end is None:  # its interpreter is up
                end = time.time() + random.random() * 0.02
        victim.kill()
        victim.wait()
    assert last == get.seq or last == get.latest()[0]


@pytest.mark.parametrize("python", pythons()[::-1])
def test_a_killed_consumer_leaves_its_place_and_nothing_held(name, script, python):
    put = NumpyShare(name, "1M", "put")
    number = 0
    for death in range(DEATHS):
        victim = script(python, "echo.py", "getting", name, name, 0)
        end = None
        while end is None or time.time() < end:
            number += 1
            put.put(np.full(20000, number))
            if end is None and put.wait_taken(timeout=60):
                end = time.time() + random.random() * 0.02
        victim.kill()
        victim.wait()
        assert victim.returncode == -9
    with NumpyShare(name, "1M", "get") as get:
        views = []
        for _ in range(2):  # no place is lost
            put.put(np.full(20000, -1))
            views.append(get.borrow(timeout=5))
        for _ in range(10):
            put.put(np.full(20000, -2))
        assert all((view == -1).all() for view in views)
