"""Shared bytes with their lock in one region: as in mmap.mmap, and with Rust."""

import mmap
import os
import random
import struct
import subprocess

import numpy as np
import pytest

import io_shared
from conftest import pythons
from io_shared import File, LockedBytes
from test_mmaps import READING, WRITING, a_forked_child_has_no_lock, set_slice

KINDS = pytest.mark.parametrize("kind", ["one", "rw"])


def byte(number):
    return chr(number) if str is bytes else number


def result(act, shared):
    """What ``act`` returns, or that it fails."""
    try:
        return act(shared)
    except (io_shared.OOMError, ValueError, IndexError):
        return "failed"


def acts(random_):
    """Random calls, with arguments in and out of range."""

    def near():
        return random_.randrange(-3, 70)

    def text():
        return bytes(bytearray(random_.choice(b"ab\n") for _ in range(random_.randrange(0, 6))))

    a, b, c, some = near(), near(), near(), text()
    count = min(max(b, 0), 64) - min(max(a, 0), 64)
    return random_.choice(
        [
            # What these return differs between Pythons.
            lambda shm: (shm.seek(a), None)[1],
            lambda shm: (shm.seek(a % 5, 1), None)[1],
            lambda shm: (shm.seek(-(abs(a) % 64), 2), None)[1],
            lambda shm: (shm.write(some), None)[1],
            lambda shm: shm.read(a) if a >= 0 else shm.read(len(shm)),
            lambda shm: shm.readline(),
            lambda shm: shm.read_byte(),
            lambda shm: shm.write_byte(byte(a & 255)),
            lambda shm: shm.find(some or b"a"),
            lambda shm: shm.find(some or b"a", a),
            lambda shm: shm.find(some or b"a", a, b),
            lambda shm: shm.rfind(some or b"a", a, b),
            lambda shm: shm.move(a, b, c),
            lambda shm: shm[a],
            lambda shm: shm[a:b],
            lambda shm: shm[a:b:3],
            lambda shm: shm[::-1],
            lambda shm: shm.__setitem__(a, byte(b & 255)),
            lambda shm: shm.__setitem__(slice(0, 5), some),
            lambda shm: shm.__setitem__(slice(max(a, 0), max(b, 0)), b"x" * max(count, 0)),
            lambda shm: (len(shm), shm.size()) if hasattr(shm, "lock") else (64, 64),
        ]
    )


@pytest.mark.parametrize("seed", range(10))
def test_each_call_does_what_that_of_an_mmap_does(name, seed):
    random_ = random.Random(seed)
    shared, plain = LockedBytes(name, 64), mmap.mmap(-1, 64)
    with shared.lock():
        for _ in range(400):
            act = acts(random_)
            assert result(act, shared) == result(act, plain)
            assert shared.tell() == plain.tell()
            assert shared[:] == plain[:]


@KINDS
def test_without_the_lock_nothing_is_read_or_written(name, kind):
    shm = LockedBytes(name, 16, rw=kind == "rw")
    for act in READING:
        with pytest.raises(io_shared.ReadAccessError):
            act(shm)
    for act in WRITING + [set_slice]:
        with pytest.raises(io_shared.WriteAccessError):
            act(shm)
    with shm.lock_write():
        for act in READING + WRITING + [set_slice]:
            shm.seek(0)
            act(shm)
    if kind == "rw":
        other = LockedBytes(name)
        with shm.lock_read(), other.lock_read(timeout=0):
            for act in WRITING:
                with pytest.raises(io_shared.WriteAccessError):
                    act(other)
            for act in READING:
                act(other)
    else:
        with pytest.raises(io_shared.Error) as error:
            shm.lock_read().__enter__()
        assert "one lock is for reading too" in str(error.value)
    shm.close()
    with pytest.raises(io_shared.Closed):
        shm.lock().__enter__()


def test_what_does_not_fit_is_not_written(name):
    with LockedBytes(name, 8) as shm, shm.lock():
        shm.write(bytearray(b"12345678"))
        shm.seek(4)
        for much in (b"abcde", np.zeros(3, np.int16)):
            with pytest.raises(io_shared.OOMError):
                shm.write(much)
        assert shm[:] == b"12345678" and shm.tell() == 4
        for wrong in (b"", b"ab", u"a", 256, -1, None):
            with pytest.raises((ValueError, TypeError)):
                shm[0] = wrong
        assert shm[0] == byte(ord("1"))
        with pytest.raises(ValueError):
            shm.seek(0, 3)


def test_an_array_is_saved_in_one_interpreter_and_loaded_in_another(name, start):
    array = np.random.RandomState(1).rand(30, 4).astype(np.float32)
    code = (
        "import sys, numpy as np, io_shared\n"
        "shm = io_shared.LockedBytes(sys.argv[1])\n"
        "with shm.lock_write():\n"
        "    array = np.load(shm); shm.seek(0); np.save(shm, array * 2)\n"
    )
    for python in pythons():
        with LockedBytes(name, "1M") as shm:
            with shm.lock_write():
                np.save(shm, array)
            assert start(python, "-c", code, name).wait() == 0
            shm.seek(0)
            with shm.lock_read():
                assert np.array_equal(np.load(shm), array * 2)


@KINDS
@pytest.mark.parametrize("first", ["python", "rust"])
def test_python_and_rust_take_turns(name, start, rust_peer, kind, first):
    count = 2000
    if first == "rust":
        assert start(rust_peer, "count", name, kind, 1).wait() == 0
        shm = LockedBytes(name, rw=kind == "rw")
    else:
        shm = LockedBytes(name, "1K", rw=kind == "rw")
        with shm.lock():
            shm.write(struct.pack("<Q", 1))
    assert len(shm) == 1024
    rust = start(rust_peer, "count", name, kind, count)
    for _ in range(count):
        with shm.lock():
            number = struct.unpack("<Q", shm[:8])[0]
            shm[:8] = struct.pack("<Q", number + 1)
    assert rust.wait() == 0
    with shm.lock():
        assert struct.unpack("<Q", shm[:8])[0] == 1 + 2 * count


@KINDS
def test_a_rust_writer_that_is_killed_leaves_its_lock_and_what_it_wrote(
        name, start, rust_peer, kind):
    shm = LockedBytes(name, "1K", rw=kind == "rw")
    victim = start(
        rust_peer, "hold", name, kind, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert victim.stdout.readline().strip() == b"in"
    with pytest.raises(io_shared.Timeout):
        shm.lock(timeout=0.2).__enter__()
    victim.kill()
    victim.wait()
    with pytest.raises(io_shared.OwnerDied):
        shm.lock(timeout=5).__enter__()
    with shm.lock(repair=True):
        assert shm[:5] == b"half\0"
    assert start(rust_peer, "count", name, kind, 1).wait() == 0


def test_other_kinds_and_sizes_are_told(name):
    with pytest.raises(io_shared.NotFound):
        LockedBytes(name)
    with pytest.raises(ValueError):
        LockedBytes(name, 0)
    with LockedBytes(name, 100):
        for wrong in (dict(rw=False), dict(size=101), dict(max_readers=100)):
            with pytest.raises(io_shared.Mismatch):
                LockedBytes(name, **wrong)
        with pytest.raises(io_shared.Mismatch) as error:
            io_shared.open(name)
        assert "reader-writer mmap" in str(error.value)
        with pytest.raises(io_shared.Error) as error:
            io_shared.RWSharedMMap(name, 100)
        assert "a locked mmap" in str(error.value)


@KINDS
def test_it_is_removed_by_its_name(name, kind):
    shm = LockedBytes(name, 100, rw=kind == "rw", permissions=0o640)
    assert os.stat("/dev/shm" + name).st_mode & 0o777 == 0o640
    io_shared.remove(name)
    with pytest.raises(io_shared.NotFound):
        io_shared.remove(name)
    with pytest.raises(io_shared.Replaced):
        shm.lock(timeout=20).__enter__()


def test_it_may_lie_in_a_file(tmp_path):
    file = File(str(tmp_path / "state"))
    with LockedBytes(file, 100) as shm, shm.lock():
        shm.write(b"kept")
        shm.flush()
    with LockedBytes(file) as shm, shm.lock_read():
        assert shm.read(5) == b"kept\0"


def test_a_forked_child_has_no_lock(name):
    a_forked_child_has_no_lock(LockedBytes(name, 16))
