"""Shares and borrowed arrays after a fork."""

import ctypes
import os
import platform
import signal

import numpy as np
import pytest

import io_shared
from conftest import ends, references_are_counted
from io_shared import NumpyShare


@pytest.mark.parametrize("length", [3, 100, 300000])
def test_what_was_borrowed_before_a_fork_stays_what_it_is_in_the_child(name, length):
    if not hasattr(os, "register_at_fork"):
        return  # Python 2.7 has no hooks for forks, and the README says so
    put = NumpyShare(name, "5M", "put")
    get = NumpyShare(name, "5M", "get")
    values = [np.arange(length) + n for n in range(2)]
    borrowed = []
    for value in values:
        put.put(value)
        borrowed.append(get.borrow())
    part = borrowed[0][1:]
    go, ready = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            os.read(go, 1)
            grandchild = os.fork()
            same = all(np.array_equal(*pair) for pair in zip(borrowed, values))
            same = same and np.array_equal(part, values[0][1:])
            code = 0 if same and not any(array.flags.writeable for array in borrowed) else 2
            if grandchild:
                code = code or os.waitpid(grandchild, 0)[1] >> 8
            del borrowed, part
            get.close()
        finally:
            os._exit(code)
    assert np.array_equal(borrowed[1], values[1])
    del borrowed, part
    for n in range(10):
        put.put(np.zeros(length, int))
        assert not get.borrow().any(), "the parent's places are given back"
    os.write(ready, b"x")
    assert os.waitpid(child, 0)[1] == 0
    put.close(), get.close(), os.close(go), os.close(ready)


def in_a_child(check):
    """Whether ``check`` returns true in a child."""
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            code = 0 if check() else 2
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def is_private(array):
    """Whether the memory of an array is this process's own."""
    with open("/proc/self/maps") as file:
        maps = [line.split() for line in file]
    for extent, permissions in (line[:2] for line in maps):
        start, end = (int(address, 16) for address in extent.split("-"))
        if start <= array.ctypes.data < end:
            return permissions[3] == "p"
    return False


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="no hooks for forks")
def test_borrowed_bytes_are_copied_by_nothing_that_counts_in_a_c_int(name, monkeypatch):
    put, get = ends(name)
    put.put(np.arange(1000))
    borrowed = get.borrow()
    # It takes lengths below 2 GiB only.
    monkeypatch.setattr(ctypes, "string_at", lambda address, size=-1: b"")
    assert in_a_child(lambda: np.array_equal(borrowed, np.arange(1000)))


def available():
    """How many bytes this machine has left."""
    with open("/proc/meminfo") as file:
        left = [line.split()[1] for line in file if line.startswith("MemAvailable")]
    memory = os.statvfs("/dev/shm")
    return min(int(left[0]) << 10, memory.f_bavail * memory.f_frsize)


@references_are_counted
@pytest.mark.skipif(not os.environ.get("IO_SHARED_SLOW"), reason="IO_SHARED_SLOW is not set")
@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="no hooks for forks")
def test_two_gibibytes_that_were_borrowed_stay_what_they_are_in_a_child(name):
    if available() < 12 << 30:
        pytest.skip("this machine has less than 12 GiB left")
    put, get = ends(name, "3G")
    with put.loan((1 << 31) + 16, "u1", in_place=True) as out:
        out[0], out[-1] = 3, 4
    del out
    borrowed = get.borrow()
    assert not is_private(borrowed)
    assert in_a_child(lambda: is_private(borrowed) and (borrowed[0], borrowed[-1]) == (3, 4))


#: The number of clone(2) on x86-64, and on other machines.
SYS_CLONE = 56 if platform.machine() == "x86_64" else 220


def fork_by(how):
    """os.fork, or a fork that runs no handlers. PyDLL keeps the interpreter's lock during it."""
    if how == "fork":
        return os.fork()
    if not hasattr(ctypes, "PyDLL"):
        pytest.skip("PyPy: no call keeps the interpreter's lock")
    libc = ctypes.PyDLL(None)
    if how == "clone":
        return libc.syscall(SYS_CLONE, int(signal.SIGCHLD), 0, 0, 0, 0)
    if not hasattr(libc, how):
        pytest.skip("this libc has no " + how)
    return getattr(libc, how)()


@pytest.mark.parametrize("how", ["fork", "_Fork", "clone"])
def test_a_share_from_before_a_fork_says_so_in_the_child(new_name, how):
    name, own, lock = new_name(), new_name(), io_shared.SharedMMap(new_name(), 16)
    put, get = ends(name)
    observer = io_shared.observe(name)
    put.put([1])
    child = fork_by(how)
    if child == 0:
        status = 1
        try:
            signal.alarm(20)  # instead of a hang
            take = lambda: lock.lock().__enter__()
            for act in (lambda: put.put([2]), get.get, get.borrow, observer.copy, take):
                try:
                    act()
                    break
                except io_shared.ForkedHandle as error:
                    assert "fork" in str(error)
            else:
                put.close(), get.close(), observer.close(), lock.close()
                with pytest.raises(io_shared.RoleTaken):
                    NumpyShare(name, "1M", "put")  # it is the parent's still
                mine, of_mine = ends(own)
                mine.put([4])
                status = 0 if of_mine.get(timeout=5).tolist() == [4] else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert get.get(timeout=5)[0] == 1
    put.put([3])
    assert get.get(timeout=5)[0] == 3
    assert observer.copy().tolist() == [3]
    with lock.lock():
        lock.write(b"x")
