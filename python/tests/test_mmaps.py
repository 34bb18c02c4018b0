"""Shared bytes: a file's methods, and the lock that some of them need."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import io_shared
from io_shared import FastSharedMMap, RWSharedMMap, SharedMMap, UnsafeSharedMMap
from test_arrays import descriptors, take_away

READING = [
    lambda shm: shm.read(1),
    lambda shm: shm.read_byte(),
    lambda shm: shm.readline(),
    lambda shm: shm.find(b"x"),
    lambda shm: shm.rfind(b"x"),
    lambda shm: shm[0],
    lambda shm: shm[0:2],
]
WRITING = [
    lambda shm: shm.write(b"x"),
    lambda shm: shm.write_byte(b"x" if str is bytes else 120),
    lambda shm: shm.move(0, 1, 1),
    lambda shm: shm.flush(),
    lambda shm: shm.__setitem__(slice(0, 1), b"x"),
]


def set_slice(shm):
    shm[0:2] = b"yz"


def test_bytes_are_used_like_a_file(name):
    shm = UnsafeSharedMMap(name, "1K")
    assert len(shm) == shm.size() == 1024
    assert shm.write(b"one\ntwo\nthree") == 13
    assert shm.tell() == 13
    shm.seek(0)
    assert [shm.readline(), shm.read(2)] == [b"one\n", b"tw"]
    # From the position on, as in mmap.
    assert (shm.find(b"t"), shm.find(b"t", 0), shm.find(b"none", 0)) == (8, 4, -1)
    assert (shm.rfind(b"t"), shm.rfind(b"t", 0, 8), shm.rfind(b"o")) == (8, 4, 6)
    shm.move(0, 4, 3)
    shm.seek(0)
    assert shm.read(4) == b"two\n"
    assert shm[4:7] == b"two"
    shm[0:2] = b"TW"
    shm.seek(0)
    assert shm.read_byte() == (b"T" if str is bytes else ord("T"))
    shm.flush()
    assert len(shm.read()) == 1023
    with pytest.raises(NotImplementedError):
        shm.resize(10)
    shm.close()
    with pytest.raises(ValueError):
        shm.read(1)


def test_what_does_not_fit_is_not_written(name):
    shm = SharedMMap(name, 8)
    with shm.lock():
        shm.write(b"12345678")
        shm.seek(4)
        with pytest.raises(io_shared.OOMError):
            shm.write(b"abcde")
        with pytest.raises(io_shared.OOMError):
            shm.write(np.zeros(3, np.int16))
        assert shm[0:8] == b"12345678"
        shm.seek(8)
        with pytest.raises(io_shared.OOMError):
            WRITING[1](shm)
    # The lock is released after an exception too.
    with pytest.raises(io_shared.OOMError):
        with shm.lock():
            shm.seek(0)
            shm.write(b"123456789")
    with shm.lock(timeout=0):
        assert shm[0:8] == b"12345678"


@pytest.mark.parametrize("kind", [SharedMMap, RWSharedMMap])
def test_without_the_lock_nothing_is_read_or_written(name, kind):
    shm = kind(name, 16)
    for act in READING:
        with pytest.raises(io_shared.ReadAccessError):
            act(shm)
    for act in WRITING + [set_slice]:
        with pytest.raises(io_shared.WriteAccessError):
            act(shm)
    shm.seek(3)
    assert (shm.tell(), shm.size(), len(shm)) == (3, 16, 16)
    with shm.lock() if kind is SharedMMap else shm.lock_write():
        for act in READING + WRITING + [set_slice]:
            shm.seek(0)
            act(shm)
    shm.close()


def test_under_a_readers_lock_nothing_is_written(name):
    shm, other = RWSharedMMap(name, 16), RWSharedMMap(name, 16, max_readers=2)
    with shm.lock_read(), other.lock_read():
        for act in READING:
            act(other)
        for act in WRITING:
            with pytest.raises(io_shared.WriteAccessError):
                act(other)
        third = io_shared.RWSharedMMap(name, 16)
        with pytest.raises(io_shared.Timeout):
            with third.lock_write(timeout=0.15):
                pass
    with third.lock_write(timeout=1):
        with pytest.raises(io_shared.Timeout):
            with shm.lock_read(timeout=0):
                pass
        with pytest.raises(io_shared.WouldDeadlock):
            with third.lock_read():
                pass


def test_the_fast_one_is_the_one_of_readers_and_writers():
    assert FastSharedMMap is RWSharedMMap
    assert issubclass(RWSharedMMap, UnsafeSharedMMap)


def test_the_three_kinds_see_the_same_bytes_and_a_larger_one_makes_them_grow(name):
    small = UnsafeSharedMMap(name, 4)
    small.write(b"1234")
    large = SharedMMap(name, "8K")
    with large.lock():
        assert large[0:5] == b"1234\0"
        large[0:1] = b"x"
        with pytest.raises(io_shared.Timeout):
            with RWSharedMMap(name, 2).lock_write(timeout=0):
                pass
    assert small[0:4] == b"x234"
    assert len(small) == 4
    assert os.stat("/dev/shm" + name).st_size == 8192


def test_an_array_is_saved_and_loaded_in_another_process(name, script):
    array = np.random.RandomState(1).rand(30, 4).astype(np.float32)
    shm = RWSharedMMap(name, "1M")
    with shm.lock_write():
        np.save(shm, array)
    code = (
        "import sys, numpy as np, io_shared\n"
        "shm = io_shared.RWSharedMMap(%r, '1M')\n"
        "with shm.lock_write():\n"
        "    array = np.load(shm); shm.seek(0); np.save(shm, array * 2)\n" % name
    )
    subprocess.check_call([sys.executable, "-c", code])
    shm.seek(0)
    with shm.lock_read():
        assert np.array_equal(np.load(shm), array * 2)


def holder(start, lock, act):
    """A process that holds ``lock`` and has done ``act``."""
    code = (
        "import sys, time, io_shared\n"
        "with io_shared.%s:\n"
        "    %s; print('in'); sys.stdout.flush(); time.sleep(100)\n" % (lock, act)
    )
    process = start(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert process.stdout.readline().strip() == b"in"
    return process


def test_a_killed_writer_gives_the_lock_back_and_says_that_it_died(name, start):
    shm = SharedMMap(name, 16)
    lock = "SharedMMap(%r, 16) as shm, shm.lock()" % name
    victim = holder(start, lock, "shm.write(b'half')")
    with pytest.raises(io_shared.Timeout):
        with shm.lock(timeout=0.2):
            pass
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    for _ in range(2):
        with pytest.raises(io_shared.OwnerDied):
            with shm.lock(timeout=5):
                pass
    with pytest.raises(KeyError):  # not repaired
        with shm.lock(repair=True):
            raise KeyError
    with pytest.raises(io_shared.OwnerDied):
        with shm.lock():
            pass
    with shm.lock(repair=True):
        shm[0:4] = b"full"
    with shm.lock():
        assert shm[0:4] == b"full"


def test_a_forked_child_has_no_lock(name):
    a_forked_child_has_no_lock(SharedMMap(name, 16))


def a_forked_child_has_no_lock(shm):
    with shm.lock():
        child = os.fork()
        if child == 0:
            status = 1
            try:
                shm.write(b"x")
            except io_shared.WriteAccessError:
                try:
                    with shm.lock():
                        pass
                except io_shared.ForkedHandle:
                    status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        shm.write(b"y")
    shm.seek(0)
    with shm.lock():
        assert shm.read(1) == b"y"


@pytest.mark.parametrize("kind", [SharedMMap, RWSharedMMap])
def test_a_handle_of_a_lock_whose_slot_is_anothers_is_told(name, kind):
    old = kind(name, 16)
    lock = lambda shm: shm.lock() if kind is SharedMMap else shm.lock_write()
    with lock(old):
        take_away(descriptors(name + ".lock"))
        new = kind(name, 16)
        with pytest.raises(io_shared.OwnerDied):  # as others see it
            with lock(new):
                pass
    for _ in range(2):
        with pytest.raises(io_shared.RoleLost) as error:
            with lock(old):
                pass
        assert "open it again" in str(error.value)
    old.close(), new.close()


def test_waiting_for_the_lock_ends_at_a_signal(name):
    shm, other = SharedMMap(name, 16), SharedMMap(name, 16)

    def interrupt(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        with other.lock():
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            started = time.time()
            with pytest.raises(KeyboardInterrupt):
                with shm.lock():
                    pass
            assert time.time() - started < 5
    finally:
        signal.signal(signal.SIGALRM, old)
    with shm.lock(timeout=0):
        pass


def test_a_killed_reader_keeps_no_writer_out(name, start):
    shm = RWSharedMMap(name, 16)
    victim = holder(start, "RWSharedMMap(%r, 16) as shm, shm.lock_read()" % name, "shm.read(1)")
    with pytest.raises(io_shared.Timeout):
        with shm.lock_write(timeout=0.2):
            pass
    victim.kill()
    victim.wait()
    with shm.lock_write(timeout=5):  # and nothing is half-written
        shm.write(b"x")


def test_a_lock_that_is_something_else_is_an_error_and_one_that_is_missing_is_made(name):
    path = "/dev/shm" + name + ".lock"
    SharedMMap(name, 16).close()
    with open(path, "rb") as file:
        whole = file.read()
    for found in (b"", b"\0" * 4096, whole[:-1], whole[:8] + b"\xff" * 8 + whole[16:]):
        with open(path, "wb") as file:
            file.write(found)
        for kind in (SharedMMap, RWSharedMMap):
            started = time.time()
            with pytest.raises(io_shared.Error) as error:
                kind(name, 16)
            assert name + ".lock" in str(error.value) and time.time() - started < 2
        with open(path, "rb") as file:
            assert file.read() == found
    os.remove(path)
    with SharedMMap(name, 16).lock(timeout=0):
        pass
    with open(path, "rb") as file:
        assert len(file.read()) == len(whole)


def test_removed_bytes_are_left_out_of_core_dumps(name):
    UnsafeSharedMMap(name, "1M").close()
    # Opened, not created: the mapping of a creator has no name.
    shared = UnsafeSharedMMap(name, "1M")
    os.remove("/dev/shm" + name)
    with open("/proc/self/smaps") as maps:
        mapping = maps.read().split("/dev/shm%s (deleted)" % name)[1]
    flags = next(line for line in mapping.splitlines() if line.startswith("VmFlags:"))
    assert "dd" in flags.split()
    assert len(shared) == 1 << 20


def test_no_descriptor_becomes_a_standard_stream(name):
    code = """
import os, sys
from io_shared import RWSharedMMap, UnsafeSharedMMap
[os.close(stream) for stream in range(3)]
kept = [UnsafeSharedMMap(sys.argv[1], 64), RWSharedMMap(sys.argv[1], 64)]
for stream in range(3):
    try:
        os.fstat(stream)
    except OSError:
        continue
    os._exit(10 + stream)
os._exit(0)
"""
    assert subprocess.call([sys.executable, "-c", code, name]) == 0
