"""Observers take no part in a channel."""

import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare
from test_arrays import DTYPES, assert_same, ends, filled
from test_typed import clouds, points


def test_an_observer_copies_the_latest_and_takes_nobodys_place(name):
    put, get = ends(name)  # of one consumer
    eyes = [io_shared.observe(name) for _ in range(5)]
    for observer in eyes:
        assert observer.copy() is None
        assert (observer.seq, observer.age) == (0, None)
    for i in range(1, 4):
        put.put(np.full(3000, i))
        for observer in eyes + eyes:
            copy = observer.copy()
            assert (copy == i).all() and copy.flags.writeable
            copy[:] = 9  # one's own
            assert observer.seq == i and 0 <= observer.age < 60
    assert get.get()[0] == 3 and get.missed == 2  # nothing was taken from it
    for observer in eyes:
        observer.close()
        with pytest.raises(io_shared.Closed):
            observer.copy()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_observer_has_arrays_of_any_dtype(name, dtype):
    with NumpyShare(name, "1M", "put") as put, io_shared.observe(name) as observer:
        for shape in ((), (0, 3), (30, 40)):
            put.put(filled(dtype, shape))
            assert_same(observer.copy(), filled(dtype, shape))


def test_an_observer_has_typed_messages(name):
    put = clouds(name)
    observer = io_shared.observe(name)
    put.put(frame=7, stamp_ns=8, points=points(5))
    cloud = observer.copy()
    assert cloud.frame == 7 and np.array_equal(cloud.points, points(5))
    cloud.points["x"] = 9


def test_an_observer_waits_for_the_channel_and_ends_with_it(name):
    with pytest.raises(io_shared.NotFound):
        io_shared.observe(name, open_timeout=0.2)
    code = "import sys, io_shared; print(io_shared.observe(sys.argv[1]).copy())"
    early = subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE)
    observer = None
    try:
        put = NumpyShare(name, "1M", "put")
        assert early.communicate()[0].strip() == b"None"
        observer = io_shared.observe(name)
        faithful = io_shared.observe(name, reopen=False)
        put.put([1])
        assert observer.copy().tolist() == faithful.copy().tolist() == [1]
        io_shared.remove(name)
        assert observer.copy() is None
        with pytest.raises(io_shared.Replaced):
            faithful.copy()
        put.put([2])  # in a new channel
        assert observer.copy().tolist() == [2]
        with pytest.raises(io_shared.Replaced):
            faithful.copy()
    finally:
        if early.poll() is None:
            early.kill()


def test_an_observer_needs_read_permission_only(name):
    put = NumpyShare(name, "1M", "put", permissions=0o644)
    put.put([5])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setuid(65534)
            try:
                io_shared.open(name, open_timeout=0)
            except io_shared.Error:
                status = 0 if io_shared.observe(name).copy().tolist() == [5] else 2
        finally:
            os._exit(status)
    if os.getuid() != 0:
        os.waitpid(child, 0)
        pytest.skip("only root becomes another user")
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("act", ["observe", "open", "consumer"])
def test_waiting_for_a_channel_ends_at_a_signal(name, act):
    def interrupt(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        started = time.time()
        with pytest.raises(KeyboardInterrupt):
            getattr(io_shared, act)(name)
        assert time.time() - started < 5
    finally:
        signal.signal(signal.SIGALRM, old)


def test_an_observer_from_before_a_fork_says_so(name):
    with NumpyShare(name, "1M", "put") as put, io_shared.observe(name) as observer:
        put.put([1])
        child = os.fork()
        if child == 0:
            status = 1
            try:
                observer.copy()
            except io_shared.ForkedHandle:
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert observer.copy().tolist() == [1]


def test_an_observer_reads_a_part_of_a_value_by_its_path(name):
    put = clouds(name)
    with io_shared.observe(name) as observer:
        assert observer.field("frame") is None
        cloud = points(5)
        cloud["x"][1] = np.nan
        put.put(frame=2 ** 60 + 1, stamp_ns=8, points=cloud, tag=9)
        assert observer.field("frame") == 2 ** 60 + 1
        assert (observer.seq, observer.tag) == (1, 9) and 0 <= observer.age < 60
        assert observer.field("points[3].x") == cloud["x"][3]
        assert np.isnan(observer.field("points[1].x"))
        assert observer.field("points[0:3].x") == [cloud["x"][0], None, cloud["x"][2]]
        assert observer.field(u"points[-1]")["z"] == cloud["z"][4]
        with pytest.raises(io_shared.Invalid) as caught:
            observer.field("points[5].x")
        assert "`points` has 5 elements, so there is no [5]" in str(caught.value)
        with pytest.raises(io_shared.Invalid):
            observer.field("points[")
    with pytest.raises(io_shared.Closed):
        observer.field("frame")


@pytest.mark.parametrize("wrong", ["frame\0x", "\0", u"\ud800", b"\xff", 3, None])
def test_what_is_no_path_is_refused(name, wrong):
    put = clouds(name)
    put.put(frame=1, stamp_ns=2, points=points(5))
    with io_shared.observe(name) as observer:
        with pytest.raises((io_shared.Invalid, io_shared.WrongFields)) as caught:
            observer.field(wrong)
        assert "path" in str(caught.value)


def test_an_observer_of_a_producer_that_pauses_is_idle(name):
    put = io_shared.producer(name, "u8")
    with io_shared.observe(name) as observer:
        for value in range(20):
            put.put(value)
            assert observer.wait(timeout=5) == value
            time.sleep(0.0005)
        with pytest.raises(io_shared.Timeout):
            observer.wait(timeout=1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        with pytest.raises(io_shared.Timeout):
            observer.wait(timeout=1)
        # It looks every 10 ms.
        assert resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before < 400


def test_an_observer_reads_a_part_of_an_array(name):
    with NumpyShare(name, "1M", "put") as put, io_shared.observe(name) as observer:
        put.put(np.arange(12, dtype="u2").reshape(3, 4))
        assert observer.field("[2][3]") == 11
        assert observer.field("shape") == [3, 4]
        assert observer.field("[0:2, 1]") == [1, 5]
