"""What Python expects of classes, modules and errors: inheritance, mocks, help; no silent waits."""

import errno
import inspect
import logging
import pickle
import pydoc
import subprocess
import sys
import time

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare

try:
    from unittest import mock
except ImportError:  # Python 2
    mock = None


class Doubling(NumpyShare):
    """A share of a subclass."""

    def put(self, array):
        super(Doubling, self).put(np.asarray(array) * 2)

    def get(self, timeout=None):
        return super(Doubling, self).get(timeout) + 1

    def try_get(self):
        raise KeyError("mine")


def test_a_share_may_be_subclassed(name):
    put, get = Doubling(name, "1M", "put"), Doubling(name, "1M", "get")
    put.put([1, 2])
    assert get.get(timeout=5).tolist() == [3, 5]
    with pytest.raises(KeyError):
        get.try_get()


@pytest.mark.skipif(mock is None, reason="Python 2 has no mocks of its own")
def test_a_share_may_be_mocked(name):
    put, get = NumpyShare(name, "1M", "put"), NumpyShare(name, "1M", "get")
    with mock.patch.object(NumpyShare, "get", return_value="mocked"):
        assert get.get() == "mocked"
    with mock.patch.object(NumpyShare, "put") as putting:
        put.put(1)
    assert putting.called and put.seq == 0
    mocked = mock.create_autospec(NumpyShare, instance=True)
    mocked.get.return_value = 7
    assert mocked.get(timeout=1) == 7
    with pytest.raises(TypeError):
        mocked.tagged(1, 2, 3)


def test_a_share_knows_its_consumers_its_producer_and_its_end(name):
    put = NumpyShare(name, "1M", "put")
    assert (put.connected, put.has_producer, put.closed) == (0, True, False)
    get = NumpyShare(name, "1M", "get")
    assert (put.connected, get.has_producer, get.closed) == (1, True, False)
    with pytest.raises(io_shared.WriteAccessError):
        get.connected
    put.close()
    assert (put.closed, get.has_producer, put.has_producer) == (True, False, False)
    for kind in (io_shared.open, io_shared.observe):
        with kind(name) as end:
            assert not end.closed
        assert end.closed


def test_what_is_shown_of_a_handle_has_its_name(new_name):
    name, bytes_ = new_name(), new_name()
    ends = [NumpyShare(name, "1M", "put"), NumpyShare(name, "1M", "get")]
    ends += [io_shared.open(name), io_shared.observe(name)]
    ends += [io_shared.RWSharedMMap(bytes_, 9), io_shared.LockedBytes(new_name(), 9)]
    for end in ends:
        assert end.name in repr(end) and type(end).__name__ in repr(end)
        assert "closed" not in repr(end)
        end.close()
        assert end.closed and "(closed)" in repr(end)


def test_errors_are_what_python_calls_them(name):
    get = NumpyShare(name, "1M", "get")
    with pytest.raises(io_shared.Timeout) as late:
        get.get(timeout=0)
    with pytest.raises(io_shared.NotFound) as missing:
        io_shared.open(name + "-none", open_timeout=0)
    assert missing.value.errno == errno.ENOENT and late.value.errno == errno.ETIMEDOUT
    assert str(missing.value).startswith(name + "-none does not exist")
    if str is not bytes:
        assert isinstance(late.value, TimeoutError)
        assert isinstance(missing.value, FileNotFoundError)
        assert issubclass(io_shared.Denied, PermissionError)
    for kind in vars(io_shared).values():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert issubclass(kind, io_shared.Error), kind
    import pickle
    for error in (late.value, missing.value):
        again = pickle.loads(pickle.dumps(error, 2))
        assert (type(again), str(again), again.errno) == (type(error), str(error), error.errno)
    for wrong in (
        lambda: NumpyShare("a//b", "1M", "put"),
        lambda: NumpyShare(name, "1M", "both"),
        lambda: io_shared.producer(name, "O"),
        lambda: get.get(timeout=-1),
    ):
        with pytest.raises(ValueError) as error:
            wrong()
        assert isinstance(error.value, io_shared.Error)


@pytest.mark.skipif(str is bytes, reason="Python 2 chains nothing")
def test_no_error_comes_with_one_of_the_packages_insides(name):
    put, get = NumpyShare(name, "1M", "put"), NumpyShare(name, "1M", "get")

    def chained(call, *kinds):
        with pytest.raises(kinds) as error:
            call()
        shown = error.value.__context__ is not None and not error.value.__suppress_context__
        return shown or error.value.__cause__ is not None

    assert not chained(lambda: get.get(timeout=0), io_shared.Timeout)
    put.put(1)
    kept = [get.borrow(), get.latest()]
    put._end._put_bytes(b"no array, of course")
    assert not chained(get.get, io_shared.Corrupt)
    assert not chained(io_shared.observe(name).copy, io_shared.Corrupt)
    assert not chained(lambda: io_shared.remove(name + "-none"), io_shared.NotFound)
    get.close()
    assert not chained(get.get, io_shared.Closed)
    del kept


def test_a_star_leaves_pythons_own_open_alone():
    space = {}
    exec("from io_shared import *", space)
    assert space["NumpyShare"] is NumpyShare and "open" not in space
    assert set(io_shared.__all__) <= set(vars(io_shared))
    assert io_shared.__all__[0] == "NumpyShare"
    text = pydoc.plain(pydoc.render_doc(io_shared))
    assert text.index("NumpyShare") < text.index("AlreadyHeld")
    assert text.index("class NumpyShare") > 0 and "LockedBytes" in text


@pytest.mark.parametrize("size", [None, 0, "0"])
def test_a_share_without_a_size_says_so_in_time(name, size):
    before = time.time()
    for mode in ("put", "get") if size is not None else ("get",):
        with pytest.raises(io_shared.NotFound) as error:
            NumpyShare(name, size, mode, open_timeout=0.2)
        assert "size=" in str(error.value) and "open_timeout=" in str(error.value)
    assert time.time() - before < 3


def test_an_end_of_a_channel_that_nobody_makes_does_not_wait_for_ever(name):
    from io_shared import _wait

    assert 1 <= _wait.OPEN_TIMEOUT <= 30
    code = (
        "import io_shared as i, threading\n"
        "said = []\n"
        "typed = lambda name: i.producer(name, tail=('points', 'f4'))\n"
        "def waiting(call):\n"
        "    try: call(%r)\n"
        "    except i.NotFound as e: said.append(str(e).split(':')[0])\n"
        "calls = i.open, i.observe, typed, i.consumer\n"
        "threads = [threading.Thread(target=waiting, args=(call,)) for call in calls]\n"
        "[thread.start() for thread in threads], [thread.join() for thread in threads]\n"
        "print('\\n'.join(said))\n" % name
    )
    started = time.time()
    out = subprocess.check_output([sys.executable, "-c", code]).decode()
    assert out.splitlines() == ["%s does not exist" % name] * 4
    assert 4 < time.time() - started < 90


def test_a_wait_of_over_a_second_says_once_what_it_waits_for(name, new_name, caplog):
    put, get = NumpyShare(name, "1M", "put"), NumpyShare(name, "1M", "get")
    state, none = new_name(), new_name()
    one, other = io_shared.LockedBytes(state, 8), io_shared.LockedBytes(state, 8)

    def said(call):
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="io_shared"):
            with pytest.raises((io_shared.Timeout, io_shared.NotFound)):
                call()
        assert len(caplog.records) == 1 and caplog.records[0].name == "io_shared"
        return caplog.records[0].getMessage()

    assert "a producer is alive" in said(lambda: get.get(timeout=1.3))
    put.put(1)
    assert "value 1" in said(lambda: put.wait_taken(timeout=1.3))
    get.get()
    put.close()
    assert name in said(lambda: get.get(timeout=1.3))
    assert "there is no producer" in said(lambda: get.borrow(timeout=1.3))
    assert none in said(lambda: io_shared.open(none, open_timeout=1.3))
    with one.lock():
        assert "the lock" in said(lambda: other.lock(timeout=1.3).__enter__())
    caplog.clear()
    with pytest.raises(io_shared.Timeout):
        get.get(timeout=0.1)
    assert not caplog.records


def test_names_with_a_nul_are_refused_everywhere(new_name, tmpdir):
    name = new_name()
    NumpyShare(type(u"")(name), "1M", "put").close()
    cloud = name + u"-\u043e\u0431\u043b\u0430\u043a\u043e"
    io_shared.UnsafeSharedMMap(cloud, 8).close()
    io_shared.remove(cloud)
    bad = name + "\0more"
    for call in (
        lambda: NumpyShare(bad, "1M", "put"),
        lambda: NumpyShare(name, "1M", "get", consumer_name="a\0b"),
        lambda: io_shared.open(bad, open_timeout=0),
        lambda: io_shared.observe(bad, open_timeout=0),
        lambda: io_shared.producer(bad, "f8"),
        lambda: io_shared.remove(bad),
        lambda: io_shared.UnsafeSharedMMap(bad, 8),
        lambda: io_shared.RWSharedMMap(bad, 8),
        lambda: io_shared.LockedBytes(bad, 8),
        lambda: io_shared.File(str(tmpdir) + "/a\0b"),
        lambda: NumpyShare(name, "5\0M", "get"),
        lambda: NumpyShare(bad.encode(), "1M", "put"),
    ):
        with pytest.raises(ValueError) as error:
            call()
        assert isinstance(error.value, io_shared.Error) and "NUL" in str(error.value)
    with pytest.raises(TypeError):
        NumpyShare(7, "1M", "put")


def test_a_subclass_may_call_its_methods_anything(name):
    put, get = Named(name, "4K", "put"), NumpyShare(name, "4K", "get")
    names = "_put _loan _sync _get _try_get _latest _borrow _end _side"
    for method in names.split():
        assert getattr(put, method)() == "mine", method
    put.put([1])
    assert get.get(timeout=20).tolist() == [1] and put.seq == 1 and put.connected == 1
    sent = pickle.dumps(put)
    put.close()
    again = pickle.loads(sent)
    assert again.label == "kept" and again._put() == "mine" and not again.closed
    again.close()


class Named(NumpyShare):
    def __init__(self, *arguments):
        super(Named, self).__init__(*arguments)
        self.label = "kept"

    def _put(self, *_):
        return "mine"

    _loan = _sync = _get = _try_get = _latest = _borrow = _wait_taken = _end = _side = _put


def test_a_handle_that_was_never_opened_can_be_shown_and_closed():
    for kind in (NumpyShare, io_shared.Consumer, io_shared.ArrayProducer, io_shared.TypedProducer,
                 io_shared.Observer, io_shared.LockedBytes):
        handle = kind.__new__(kind)
        assert handle.closed and kind.__name__ in repr(handle)
        handle.close()


def test_what_is_no_name_is_told_in_words_of_the_package():
    wrong = [None, 5]
    if str is not bytes:
        wrong += [u"/a\ud800", b"/a\xff"]
    for name in wrong:
        for call in (
            io_shared.remove, io_shared.open, io_shared.observe,
            lambda n: NumpyShare(n, "4K", "put"),
            lambda n: io_shared.RWSharedMMap(n, 64), lambda n: io_shared.LockedBytes(n, 64),
            lambda n: io_shared.UnsafeSharedMMap(n, 64), lambda n: io_shared.producer(n, "u4"),
        ):
            with pytest.raises(io_shared.Error) as error:
                call(name)
            assert isinstance(error.value, (ValueError, TypeError)), error.value
            assert "name" in str(error.value) and "NULL" not in str(error.value)
    for path in (None, 5):
        with pytest.raises(TypeError) as error:
            io_shared.File(path)
        assert isinstance(error.value, io_shared.Error)


def test_shared_bytes_raise_errors_of_the_package_that_say_the_size(new_name):
    for kind in (io_shared.UnsafeSharedMMap, io_shared.SharedMMap, io_shared.RWSharedMMap,
                 io_shared.LockedBytes):
        with pytest.raises(io_shared.Invalid) as error:
            kind(new_name(), 0)
        assert "size=0" in str(error.value)
    locked = io_shared.LockedBytes(new_name(), 64)
    plain = io_shared.UnsafeSharedMMap(new_name(), 64)
    for wrong in (lambda: locked.seek(0, 9), lambda: locked.seek(65)):
        with pytest.raises(io_shared.Invalid):
            wrong()
    plain.seek(4)
    with pytest.raises(io_shared.OOMError) as error:
        plain.write(b"x" * 100)
    assert "size=104" in str(error.value)
    with pytest.raises(io_shared.OOMError) as error, locked.lock():
        locked.seek(4)
        locked.write(b"x" * 100)
    assert "size=104" in str(error.value)


@pytest.mark.parametrize("mode", ["put", "get"])
def test_a_share_that_is_open_can_be_looked_at_and_mocked(name, mode):
    with NumpyShare(name, "4K", mode) as share:
        found = dict(inspect.getmembers(share))
        assert ("missed" in found) == (mode == "get") and ("connected" in found) == (mode == "put")
        with pytest.raises(io_shared.WriteAccessError) as error:
            share.missed if mode == "put" else share.connected
        assert name in str(error.value)
        if mock is not None:
            double = mock.create_autospec(share)
            double.put([1])
            double.put.assert_called_once_with([1])
