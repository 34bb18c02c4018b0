"""Names with slashes, and domains: who meets whom."""

import os
import subprocess
import sys

import numpy as np
import pytest

import io_shared

#: Prints what lies under the names in its domain, puts something else there, and removes it.
VISITOR = """
import sys
import io_shared

name, value = sys.argv[1], int(sys.argv[2])
try:
    io_shared.open(name, open_timeout=0)
    print("met")
except io_shared.NotFound:
    pass
for kind in io_shared.SharedMMap, io_shared.RWSharedMMap:
    with kind(name + ".bytes", 1) as shm:
        with (shm.lock() if kind is io_shared.SharedMMap else shm.lock_write()):
            print(shm[:1] == b"\\0")
            shm[:1] = b"2"
    io_shared.remove(name + ".bytes")
with io_shared.LockedBytes(name + ".locked", 1) as shm, shm.lock_write():
    print(shm[:1] == b"\\0")
io_shared.remove(name + ".locked")
with io_shared.producer(name, "u8") as put:
    put.put(value)
    with io_shared.consumer(name, "u8") as get:
        print(get.get())
io_shared.remove(name)
"""


def parts(name):
    """A name of three parts, and its file without a domain."""
    return "/test/python" + name, "/dev/shm/test%python%" + name[1:]


def visit(name, domain):
    """What a process in ``domain`` prints."""
    environment = dict(os.environ, IO_SHARED_DOMAIN=domain)
    command = [sys.executable, "-c", VISITOR, name, "7"]
    run = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, universal_newlines=True)
    return run.communicate()[0]


def test_a_name_with_slashes_is_taken_everywhere(name):
    name, path = parts(name)
    with io_shared.NumpyShare(name, "4K", "put") as put:
        put.put(np.arange(3))
        assert os.path.exists(path)
        for get in (io_shared.open(name[1:]), io_shared.NumpyShare(name, "4K", "get")):
            assert (get.get() == np.arange(3)).all()
            get.close()
        assert (io_shared.observe(name).copy() == np.arange(3)).all()
        assert put.name == name
        with pytest.raises(io_shared.RoleTaken) as taken:
            io_shared.NumpyShare(name, "4K", "put")
        assert str(taken.value).startswith(name + ": ")
    io_shared.remove(name)
    assert not os.path.exists(path)
    with io_shared.SharedMMap(name, 8) as shm, shm.lock():
        shm[:5] = b"hello"
        assert shm.name == name
        with open(path, "rb") as bytes_:
            assert bytes_.read(5) == b"hello"
        assert os.path.exists(path + ".lock")
    io_shared.remove(name)
    assert not os.path.exists(path) and not os.path.exists(path + ".lock")
    with io_shared.LockedBytes(name, 8) as shm, shm.lock_write():
        shm[:5] = b"hello"
    io_shared.remove(name)
    assert not os.path.exists(path)
    with pytest.raises(io_shared.NotFound) as missing:
        io_shared.remove(name)
    assert str(missing.value).startswith(name + " does not exist")


def test_the_name_of_another_programs_object_is_taken_as_it_is(name):
    _, path = parts(name)
    stored = os.path.basename(path)
    with io_shared.UnsafeSharedMMap(stored, 8) as shm:
        shm[:5] = b"hello"
        assert os.path.exists(path)
        assert shm.name == stored
    with pytest.raises(io_shared.Invalid):
        io_shared.UnsafeSharedMMap(name + "/x", 8)
    io_shared.remove(stored)
    assert not os.path.exists(path)


def test_the_same_names_in_two_domains_never_meet(name):
    name, path = parts(name)
    with io_shared.producer(name, "u8") as put, io_shared.SharedMMap(name + ".bytes", 1) as shm:
        put.put(3)
        with shm.lock():
            shm[:1] = b"1"
        for domain in ("left", "right"):
            assert visit(name, domain).split() == ["True", "True", "True", "7"]
        with shm.lock():
            assert shm[:1] == b"1"
        with io_shared.consumer(name, "u8") as get:
            assert get.get() == 3
    io_shared.remove(name)
    io_shared.remove(name + ".bytes")
    assert not [left for left in os.listdir("/dev/shm") if os.path.basename(path) in left]


def test_a_bad_domain_is_an_error_of_each_opening(name):
    said = visit(parts(name)[0], "a/b")
    assert "Invalid: `a/b` cannot be a name: IO_SHARED_DOMAIN is set to it" in said


def test_a_domain_is_read_once(name, monkeypatch):
    with io_shared.producer(name, "u8"):
        monkeypatch.setenv("IO_SHARED_DOMAIN", "later")
        io_shared.consumer(name, "u8").close()
        assert os.path.exists("/dev/shm" + name)
    io_shared.remove(name)
