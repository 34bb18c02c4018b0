"""Consumers join and leave a channel at any time, each with holds of its own."""

import os
import subprocess
import sys

import numpy as np
import pytest

import io_shared
from conftest import ends, program, pythons
from io_shared import NumpyShare


#: The memory of a buffer, and the most bytes of a message with which it takes no more.
STRIDE = 1 << 20
SIZE = STRIDE - 64


def reserved(name):
    """The bytes of memory that the channel has."""
    return os.stat("/dev/shm" + name).st_blocks * 512


def test_each_consumer_takes_the_memory_of_what_it_may_hold_and_the_next_uses_it_again(name):
    put = NumpyShare(name, SIZE, "put")
    empty = reserved(name)
    assert 3 * STRIDE <= empty <= 3 * STRIDE + 20480
    first = NumpyShare(name, SIZE, "get")  # two holds, and a buffer for one was there
    assert reserved(name) == empty + STRIDE
    others = [NumpyShare(name, None, "get", holds=holds) for holds in (1, 8, 1)]
    assert reserved(name) == empty + 11 * STRIDE
    for other in others:
        other.close()
    again = NumpyShare(name, None, "get", holds=8)
    assert reserved(name) == empty + 11 * STRIDE
    put.put([1])
    assert first.get(timeout=5)[0] == again.get(timeout=5)[0] == 1


def test_consumers_are_reserved_ahead_of_time_by_any_side(name):
    put = NumpyShare(name, SIZE, "put", consumers=4)
    empty = reserved(name)
    assert 6 * STRIDE <= empty <= 6 * STRIDE + 20480
    joined = [NumpyShare(name, SIZE, "get", holds=1) for _ in range(4)]
    assert reserved(name) == empty and put.connected == 4
    more = NumpyShare(name, SIZE, "get", holds=1, consumers=9)
    assert reserved(name) == empty + 5 * STRIDE
    for get in joined + [more]:
        get.close()


def test_64_consumers_in_three_languages_join_a_producer_that_was_there_before(name, start, script):
    put = NumpyShare(name, "16K", "put")
    put.put(np.zeros(1000, np.int64))
    started = [start(program(which), "join", name, 16) for which in ("rust", "c")]
    others = pythons()
    started += [script(python, "echo.py", "join", name, "-", 8) for python in (others * 4)[:4]]
    number = 0
    while put.connected < 64:
        number += 1
        put.put(np.full(1000, number))
        assert all(other.poll() is None for other in started)
    for opened in (io_shared.open, lambda name: NumpyShare(name, "16K", "get")):
        with pytest.raises(io_shared.NoSlot) as error:
            opened(name)
        assert "consumers=65" in str(error.value)
    for number in range(1000):
        put.put(np.full(1000, number))
    put.put(np.full(1000, 9), tag=1)
    assert [other.wait() for other in started] == [0] * len(started)
    assert io_shared.open(name).get(timeout=5)[0] == 9


def test_a_channel_created_for_more_than_64_admits_them(name):
    put = NumpyShare(name, 256, "put", consumers=70)
    joined = [NumpyShare(name, 256, "get", holds=1) for _ in range(70)]
    assert put.connected == 70
    with pytest.raises(io_shared.NoSlot) as error:
        NumpyShare(name, 256, "get", holds=1)
    assert "consumers=71" in str(error.value)
    for get in joined:
        get.close()


@pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="PyPy: borrowed arrays are copies")
def test_each_consumer_has_holds_of_its_own(name):
    put, few = ends(name)
    many = NumpyShare(name, None, "get", holds=8)
    borrowed = {few: [], many: []}
    for number in range(8):
        put.put(np.full(1000, number))
        for get, most in ((few, 2), (many, 8)):
            if number < most:
                borrowed[get].append(get.borrow(timeout=5))
    put.put(np.full(1000, 8))
    for get, most in ((few, 2), (many, 8)):
        with pytest.raises(io_shared.AlreadyHeld) as error:
            get.borrow(timeout=5)
        assert [int(array.min()) for array in borrowed[get]] == list(range(most))
        assert [int(array.max()) for array in borrowed[get]] == list(range(most))
        assert ("holds=3" in str(error.value)) == (most == 2)


WITHOUT_ADDRESS_SPACE = """
import resource, sys
import numpy as np
import io_shared
name = sys.argv[1]
put = io_shared.NumpyShare(name, "4M", "put")
get = io_shared.NumpyShare(name, None, "get", holds=1)
keeper = io_shared.NumpyShare(name, None, "get", holds=3)
kept, array = [], np.empty(3 << 20, np.uint8)
for number in range(3):
    array[:] = number
    put.put(array)
    kept.append(keeper.borrow(timeout=5))
array[:] = 3
put.put(array)
with open("/proc/self/statm") as status:
    pages = int(status.read().split()[0])
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + (1 << 20), hard))
try:
    get.get(timeout=5)
    raise SystemExit("it had room")
except io_shared.NoMemory as error:
    assert isinstance(error, MemoryError) and "ulimit -v" in str(error), error
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
found = get.get(timeout=5)
assert found.shape == (3 << 20,) and (found == 3).all()
"""


def test_without_address_space_a_get_is_no_memory_and_the_next_one_gets_the_value(name):
    if not hasattr(sys, "getrefcount"):
        pytest.skip("PyPy: borrowed arrays are copies, so no buffer is needed")
    subprocess.check_call([sys.executable, "-c", WITHOUT_ADDRESS_SPACE, name])


def test_what_was_put_before_a_newcomer_is_not_missed_but_for_the_value_that_lies_there(name):
    put, first = ends(name, "1K")
    for i in range(5):
        put.put([i])
    assert first.get(timeout=5)[0] == 4
    at_once, later = NumpyShare(name, "1K", "get"), NumpyShare(name, "1K", "get")
    assert at_once.get(timeout=5)[0] == 4 and at_once.missed == 0
    for i in range(3):
        put.put([i])
    assert later.get(timeout=5)[0] == 2 and (later.seq, later.missed) == (8, 3)
    assert at_once.get(timeout=5)[0] == 2 and at_once.missed == 2
