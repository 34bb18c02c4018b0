"""Views in shared memory do not change while anything made from them is alive."""

import collections
import gc
import os
import subprocess
import sys

import numpy as np
import pytest

import io_shared
from conftest import references_are_counted
from io_shared import NumpyShare
from test_arrays import ends

SLOW = bool(os.environ.get("IO_SHARED_SLOW"))


def test_a_view_kept_over_ten_thousand_puts_does_not_change(name):
    put, get = ends(name, "64K")
    put.put(np.full(1000, -1))
    view = get.borrow()
    part = view[::7][3:]
    del view
    gc.collect()
    for i in range(10000):
        put.put(np.full(1000, i))
        if i % 100 == 0:
            assert get.borrow()[0] == i
            assert (part == -1).all()
    assert (part == -1).all()


def test_a_loop_that_borrows_needs_no_thought(name):
    put, get = ends(name)
    for i in range(100):
        put.put([i])
        array = get.borrow()
        assert array[0] == i


@references_are_counted
def test_a_list_of_views_runs_out_of_holds_and_never_changes(name):
    put, get = ends(name, holds=3)
    views = []
    for i in range(3):
        put.put(np.full(100, i))
        views.append(get.borrow().reshape(10, 10)[2:])
    put.put([3])
    for take in (get.borrow, get.get, get.try_get, get.latest):
        with pytest.raises(io_shared.AlreadyHeld) as error:
            take()
        assert "holds=" in str(error.value)
    for i in range(50):
        put.put(np.full(100, 9))
    assert [int(view[0, 0]) for view in views] == [0, 1, 2]
    del views[1]
    assert (get.borrow() == 9).all()


@references_are_counted
def test_a_consumer_with_one_hold_says_so(name):
    put = NumpyShare(name, "1M", "put")
    get = NumpyShare(name, "1M", "get", holds=1)
    put.put([1])
    view = get.borrow()
    put.put([2])
    with pytest.raises(io_shared.AlreadyHeld) as error:
        get.borrow()
    assert "holds=2" in str(error.value)
    del view
    assert get.borrow()[0] == 2


def test_a_view_outlives_its_share_and_its_channel(name):
    put, get = ends(name)
    put.put(np.arange(1000))
    view = get.borrow()
    get.close()
    put.close()
    io_shared.remove(name)
    del get, put
    gc.collect()
    assert (view == np.arange(1000)).all()


def test_a_view_is_read_only_for_good(name):
    put, get = ends(name)
    put.put(np.zeros((3, 4)))
    view = get.borrow()
    for array in (view, view[1:], view.T, np.asarray(view), view.view(np.int64)):
        with pytest.raises(ValueError):
            array[...] = 1
        with pytest.raises(ValueError):
            array.flags.writeable = True


def test_where_references_are_not_counted_views_are_copies(name, monkeypatch):
    # As on PyPy.
    monkeypatch.setattr(io_shared._library, "COUNTS", False)
    put, get = ends(name)  # of two holds
    views = []
    for i in range(20):
        put.put(np.full(100, i))
        views.append(get.borrow().reshape(10, 10)[2:])
        assert not views[-1].flags.writeable
        with pytest.raises(ValueError):
            views[-1].flags.writeable = True
    assert [int(view[0, 0]) for view in views] == list(range(20))
    empty = io_shared.producer(name + "e", tail="f4", capacity=400)
    empty.put([])
    assert io_shared.open(name + "e").borrow().tolist() == []
    io_shared.remove(name + "e")


def test_what_is_closed_is_free_at_once_for_other_processes_too(name, start):
    code = (
        "import sys, io_shared\n"
        "io_shared.NumpyShare(sys.argv[1], '5M', sys.argv[2])\n"
        "io_shared.RWSharedMMap(sys.argv[1] + 'm', 8)\n"
    )
    put, get = ends(name)
    shm = io_shared.RWSharedMMap(name + "m", 8, max_readers=1)
    put.put(np.zeros((300, 400))[::2, ::5])
    view = get.latest()
    for end in (put, get, shm, put):
        end.close()
    for mode in ("put", "get"):
        assert start(sys.executable, "-c", code, name, mode).wait() == 0
    assert view.sum() == 0
    io_shared.remove(name + "m")


def test_what_was_forgotten_can_be_opened_again(name):
    for _ in range(3):
        put, get = ends(name)
        put.put(np.zeros((300, 400))[::2, ::5])
        del put, get
    for _ in range(3):
        shm = io_shared.LockedBytes(name + "m", 8, max_readers=1)
        del shm
    io_shared.remove(name + "m")


def test_dlpack_is_as_for_any_array(name):
    if not hasattr(np, "from_dlpack"):
        pytest.skip("this NumPy (%s) has no from_dlpack" % np.__version__)
    put, get = ends(name)
    put.put(np.arange(10.0))
    view = get.borrow()
    if tuple(int(n) for n in np.__version__.split(".")[:2]) >= (2, 1):
        shared = np.from_dlpack(view)
        assert not shared.flags.writeable
        assert shared.__array_interface__["data"][0] == view.__array_interface__["data"][0]
    else:
        with pytest.raises((BufferError, TypeError)):
            np.from_dlpack(view)  # a read-only array cannot be exported there
        shared = view
    del view
    for i in range(10):
        put.put(np.zeros(10))
        get.get()
    assert shared.tolist() == list(range(10))


def _used():
    gc.collect()
    with open("/proc/self/statm") as statm:
        resident = int(statm.read().split()[1]) * 4096
    return resident, len(os.listdir("/proc/self/fd")), len(os.listdir("/dev/shm"))


def test_nothing_leaks_over_a_million_puts_and_gets(name):
    """With IO_SHARED_SLOW a million of each, otherwise 30,000."""
    put, get = ends(name)
    array = np.arange(1000.0)

    def play(count):
        for _ in range(count):
            put.put(array)
            get.get()
            with put.loan(array.shape) as out:
                out[0] = 1
            with put.loan(array.shape, in_place=True) as out:
                out[0] = 2
            del out
            get.borrow()

    play(1000)
    # PyPy compiles meanwhile. 15,000 forgotten arrays are 120 MB.
    most = (1 if io_shared._library.COUNTS else 30) << 20
    # What the allocator does with the memory of earlier tests is not repeated, and a leak is.
    for _ in range(3):
        resident, descriptors, objects = _used()
        play(500000 if SLOW else 15000)
        after = _used()
        assert after[1] <= descriptors
        if after[0] - resident < most:
            break
    assert after[0] - resident < most
    if not SLOW:  # others come and go meanwhile
        assert os.path.exists("/dev/shm" + name)


def test_nothing_leaks_over_typed_messages_that_are_kept_for_a_while(name):
    numbers = [("x", "f8"), ("number", "u8")]
    put, get = io_shared.producer(name, numbers), io_shared.consumer(name, numbers)
    kept = collections.deque(maxlen=3)

    def play(count):
        for number in range(count):
            put.put(x=0.5, number=number)
            kept.append(get.try_get())

    play(1000)
    most = (1 if io_shared._library.COUNTS else 30) << 20
    # What the allocator does with the memory of earlier tests is not repeated, and a leak is.
    for _ in range(3):
        resident = _used()[0]
        play(60000 if io_shared._library.COUNTS else 5000)
        grown = _used()[0] - resident
        if grown < most:
            break
    assert grown < most


AT_THE_END = """
import os, sys
import numpy as np
import io_shared
kind, name = sys.argv[1:]
if kind == "array":
    put, get = io_shared.NumpyShare(name, "64K", "put"), io_shared.NumpyShare(name, "64K", "get")
    put.put(np.arange(4))
else:
    put, get = io_shared.producer(name, [("x", "f8")]), io_shared.consumer(name, [("x", "f8")])
    put.put(x=1.0)
if kind == "closed":
    get.close()
class AtTheEnd(object):
    def __init__(self, act, write):
        self.act, self.write = act, write
    def __del__(self):
        try:
            self.act()
        finally:
            self.write(1, b"it ran")
acts = {"put": lambda put=put: put.put({"x": 1.0})}
kept = AtTheEnd(acts.get(kind, get.try_get), os.write)
"""


@references_are_counted  # PyPy ends without `__del__`
@pytest.mark.parametrize("kind", ["array", "message", "closed", "put"])
def test_what_is_called_while_the_interpreter_ends_does_not_end_it_in_the_midst(name, start, kind):
    """An object's end, of which Python prints the errors, may put and get as any other code."""
    ending = start(sys.executable, "-c", AT_THE_END, kind, name, stdout=subprocess.PIPE)
    assert b"it ran" in ending.stdout.read()
    assert ending.wait() == 0


def test_nothing_leaks_over_openings_and_removals(name):
    def play(count):
        for _ in range(count):
            with NumpyShare(name, "64K", "put") as put, NumpyShare(name, "64K", "get") as get:
                put.put([1])
                get.borrow()
            shm = io_shared.SharedMMap(name + "m", 100)
            with shm.lock():
                shm.write(b"x")
            shm.close()
            io_shared.remove(name + "m")
            io_shared.remove(name)

    # On PyPy each close collects all garbage, which takes a hundred times as long as the rest.
    some = 200 if io_shared._library.COUNTS else 40
    play(20)
    resident, descriptors, _ = _used()
    play(2000 if SLOW else some)
    after = _used()
    assert after[1] <= descriptors
    assert after[0] - resident < (2 if io_shared._library.COUNTS else 30) << 20
    assert not [left for left in os.listdir("/dev/shm") if left.startswith(name[1:])]


@references_are_counted
@pytest.mark.parametrize("mode", ["put", "get"])
def test_what_another_thread_does_in_the_midst_of_a_close_keeps_no_role(name, mode):
    shares = dict(zip(("put", "get"), ends(name)))

    def use():
        for _ in range(3):
            shares["put"].put(np.zeros(3))
            shares["get"].try_get()

    end, switching = shares[mode]._end, []

    class Switching(type(end)):
        """Switches to another thread after each step of a close."""

        def __setattr__(self, attribute, value):
            object.__setattr__(self, attribute, value)
            if not switching and attribute in ("_handle", "_like_last"):
                switching.append(attribute)
                try:
                    use()
                except io_shared.Closed:
                    pass
                del switching[:]

    use()
    end.__class__ = Switching
    shares[mode].close()
    with pytest.raises(io_shared.Closed):
        use()
    NumpyShare(name, "5M", mode).close()


@references_are_counted
def test_a_close_while_a_put_gets_to_know_its_array_keeps_no_role(name):
    put, _ = ends(name)
    frame = put._end._messages.frame

    def closing(*array):
        opened = put._end._open()
        put._end._open = lambda: (put.close(), opened)[1]  # just behind it
        return frame(*array)

    put._end._messages.frame = closing
    put.put(np.zeros(3))
    del put._end._open, put._end._messages.frame, closing
    with pytest.raises(io_shared.Closed):
        put.put(np.zeros(3))
    NumpyShare(name, "5M", "put").close()
