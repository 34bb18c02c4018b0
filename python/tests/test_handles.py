"""Handles are pickled by name and options, and the receiver opens them again."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def handed(handle, protocol=2):
    """The handle as the receiver gets it; this one is closed."""
    sent = pickle.dumps(handle, protocol)
    handle.close()
    return pickle.loads(sent)


class Scaled(NumpyShare):
    """A share with one argument less and one attribute more."""

    def __init__(self, name, factor):
        super(Scaled, self).__init__(name, "1M", "put", consumers=3)
        self._factor = factor

    def put(self, array):
        super(Scaled, self).put(np.asarray(array) * self._factor)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_handles_are_opened_anew_with_their_options(name, new_name, protocol):
    put = handed(Scaled(name, 5), protocol)
    assert type(put) is Scaled and put.mode == "put" and put.name == name
    get = handed(NumpyShare(name, "1M", "get", consumer_name="viewer"), protocol)
    put.put([1, 2])
    assert get.get(timeout=20).tolist() == [5, 10] and put.capacity >= 1 << 20
    assert handed(io_shared.observe(name), protocol).copy().tolist() == [5, 10]
    typed = new_name()
    producer = io_shared.producer(typed, [("a", "i8")], tail=("b", "f8"), capacity=999)
    puts = handed(producer, protocol)
    gets = handed(io_shared.consumer(typed, [("a", "i8")], tail=("b", "f8")), protocol)
    puts.put(a=1, b=[2, 3])
    assert gets.get(timeout=20).b.tolist() == [2, 3]
    assert handed(gets, protocol).latest().a == 1
    assert handed(io_shared.open(typed), protocol).latest()["a"] == 1
    for kind in (io_shared.UnsafeSharedMMap, io_shared.SharedMMap):
        again = handed(kind(new_name(), 99), protocol)
        assert type(again) is kind and len(again) == 99
    bytes_ = handed(io_shared.RWSharedMMap(new_name(), 99, max_readers=2), protocol)
    with bytes_.lock_write():
        bytes_.write(b"abc")
    locked = handed(io_shared.LockedBytes(new_name(), 99, rw=False), protocol)
    with locked.lock():
        assert locked.write(b"abc") == 3


def test_a_handle_of_a_file_is_one_of_the_file_again(tmpdir):
    path = io_shared.File(str(tmpdir.join("map")))
    for protocol in PROTOCOLS:
        assert type(pickle.loads(pickle.dumps(path, protocol))) is io_shared.File
        put = handed(NumpyShare(path, "1M", "put"), protocol)
        put.put(np.arange(3))
        put.close()
    assert io_shared.observe(path).copy().tolist() == [0, 1, 2]


def test_a_role_that_is_still_held_is_told_as_such(name):
    put = NumpyShare(name, "1M", "put")
    with pytest.raises(io_shared.RoleTaken) as error:
        pickle.loads(pickle.dumps(put))
    assert "this process" in str(error.value)
    put.put(1)


def test_a_handle_of_another_process_waits_for_its_role_to_be_given_up(name, monkeypatch):
    put = NumpyShare(name, "1M", "put")
    build, (kind, opening, _) = put.__reduce_ex__(2)
    another = os.getpid() + 1
    naps = []

    def nap(seconds):
        naps.append(seconds)
        put.close()  # by whoever sent it, while this one waits

    monkeypatch.setattr(time, "sleep", nap)
    build(kind, opening, another).put(1)
    assert len(naps) == 1


def echo(get, put, queue):
    """In another process: puts twice what it gets."""
    try:
        put.put(get.get(timeout=60) * 2)
        queue.put("%s %s" % (type(get).__name__, put.wait_taken(timeout=60)))
    except Exception as error:
        queue.put(repr(error))


@pytest.mark.skipif(str is bytes, reason="Python 2 forks alone")
@pytest.mark.parametrize("kind", ["spawn", "forkserver"])
def test_a_process_is_started_with_handles(name, new_name, kind):
    context = multiprocessing.get_context(kind)
    back, queue = new_name(), context.Queue()
    get, put = NumpyShare(name, "1M", "get"), NumpyShare(back, "1M", "put")
    mine, answers = NumpyShare(name, "1M", "put"), NumpyShare(back, "1M", "get")
    process = context.Process(target=echo, args=(get, put, queue))
    process.start()
    get.close()
    put.close()
    mine.put(np.arange(3))
    assert answers.get(timeout=60).tolist() == [0, 2, 4]
    assert queue.get(timeout=60) == "NumpyShare 1"
    process.join(60)
    assert process.exitcode == 0


def test_another_interpreter_gets_a_handle_by_a_pipe(name):
    code = (
        "import pickle, sys\n"
        "stdin = getattr(sys.stdin, 'buffer', sys.stdin)\n"
        "pickle.load(stdin).put([1, 2, 3])\n"
    )
    put, get = NumpyShare(name, "1M", "put"), NumpyShare(name, "1M", "get")
    sent = pickle.dumps(put)
    put.close()
    program = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    program.communicate(sent)
    assert program.returncode == 0 and get.get(timeout=20).tolist() == [1, 2, 3]
