"""Channels of arrays within one process: what goes in comes out."""

import ctypes
import os
import signal
import threading
import time

import numpy as np
import pytest

import io_shared
from conftest import ends
from io_shared import NumpyShare

DTYPES = (
    "? u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8 c8 c16 g >u2 >i4 >f4 >f8 >c16 S5 U3 >U3 M8[ns] m8[us] V7"
).split() + [
    [("x", "f4"), ("y", ">i2"), ("inner", [("a", "u1"), ("b", "f8", (2, 3))])],
    np.dtype([("a", "u1"), ("b", "f8")], align=True),
]


def filled(dtype, shape):
    dtype = np.dtype(dtype)
    count = int(np.prod(shape, dtype=int))
    data = np.random.RandomState(1).randint(0, 2, count * dtype.itemsize).astype("u1")
    return np.ndarray(shape, dtype, data.tobytes() or b"\0").copy()


def assert_same(found, put):
    assert found.dtype == put.dtype
    assert found.shape == put.shape
    if put.dtype.names is None:
        assert found.tobytes() == put.tobytes()
    for field in put.dtype.names or ():  # not what is between them
        assert found[field].tobytes() == put[field].tobytes()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (0,), (3, 4), (0, 3), (2, 1, 3)], ids=str)
def test_any_dtype_shape_and_order_goes_through(name, dtype, shape):
    put, get = ends(name)
    array = filled(dtype, shape)
    for sent in (array, np.asfortranarray(array), array[..., ::2] if shape else array):
        put.put(sent)
        found = get.get()
        assert_same(found, sent)
        assert found.flags.writeable
        fortran = sent.flags.f_contiguous and not sent.flags.c_contiguous
        assert found.flags.f_contiguous if fortran else found.flags.c_contiguous
        put.put(sent)
        borrowed = get.borrow()
        assert_same(borrowed, sent)
        assert not borrowed.flags.writeable
        if sent.flags.c_contiguous:
            with put.loan(sent.shape, sent.dtype) as out:
                out[...] = sent
            del borrowed, out
            assert_same(get.get(), sent)


def test_large_arrays_go_through_in_every_way(name):
    put, get = ends(name)
    array = np.random.RandomState(1).rand(400, 700)
    for sent in (array, array.T, array[::2, ::3], array.astype(">f4"), array.tolist()):
        put.put(sent)
        found = get.get()
        assert_same(found, np.asarray(sent))
        found[0, 0] = 5  # one's own
    assert found.ctypes.data % 8 == 0


ALIKE = [
    lambda n: np.full((4,), n, np.float32),
    lambda n: np.full((), n, ">i8"),
    lambda n: np.zeros((0, n // n * 3)),
    lambda n: np.asfortranarray(np.arange(12.0).reshape(3, 4) + n),
    lambda n: (np.arange(24) + n).reshape(4, 6)[::2, ::3],
    lambda n: np.full((3,), n, [("x", "f4"), ("y", ">i2")]),
    lambda n: np.full((200, 300), n, np.float64),
    lambda n: np.asfortranarray(np.arange(120000.0).reshape(300, 400) + n),
    lambda n: (np.arange(120000) + n).reshape(300, 400)[:, ::2],
]


@pytest.mark.parametrize("make", ALIKE)
def test_one_after_another_of_the_same_layout_they_are_each_ones_own(name, make):
    put, get = ends(name)
    found, sent = [], [make(n + 1) for n in range(6)]
    for n, array in enumerate(sent):
        put.put(array)
        put.put(array)
        found.append(get.get() if n % 2 else get.try_get())
        assert (put.seq, get.seq, get.missed) == (2 * n + 2, 2 * n + 2, 1)
        assert 0 <= get.age < 10
        assert get.try_get() is None
    for i, array in enumerate(found):
        assert_same(array, sent[i])
        assert type(array) is np.ndarray and array.flags.writeable
        array[...] = np.zeros((), array.dtype)
        for other, was in zip(found[i + 1:], sent[i + 1:]):
            assert_same(other, was)


def test_whatever_comes_after_some_of_the_same_layout_is_got_as_it_is(name):
    put, get = ends(name)
    small, large = np.arange(4.0), np.arange(40000.0)
    others = [small.astype("f4"), small.reshape(2, 2), small[:3], np.arange(5.0), large]
    others.append(np.array(1))
    others += [small.astype(">f8"), small.view("i8"), np.arange(8.0)[::2]]
    for like in (small, large):
        for other in others + [small, large]:
            for sent in (like, like, like, other, like):
                put.put(sent)
                assert_same(get.get(), sent)
    message = bytearray(get._end._messages.frame((4,), "f8", "C")[0] + small.tobytes())
    for wrong in (message[:-1], message[:128], message[:50]):
        put._end._put_bytes(bytes(wrong))
        with pytest.raises(io_shared.Corrupt):
            get.get()
        put.put(small)
        assert_same(get.get(), small)
    put._end._put_bytes(bytes(message + b"more"))
    assert_same(get.get(), small)


def test_waits_end_in_time_after_some_of_the_same_layout(name):
    put, get = ends(name)
    for _ in range(3):
        put.put(np.arange(4))
        get.get()
    for timeout in (0, 0.05, 0.5):
        before, times = time.time(), os.times()
        with pytest.raises(io_shared.Timeout):
            get.get(timeout=timeout)
        assert timeout * 0.9 <= time.time() - before < timeout + 5
        used = sum(os.times()[:2]) - sum(times[:2])
        assert used < 0.1 + timeout / 4, "it slept"
    later = threading.Timer(0.3, put.put, [np.arange(4) + 1])  # than a slice
    later.start()
    assert get.get().tolist() == [1, 2, 3, 4]
    later.join()  # its put may not be over yet
    put.put(np.arange(4))
    for end in (put, get):
        end.close()
    for use in (get.get, get.try_get, lambda: put.put(np.arange(4))):
        with pytest.raises(io_shared.Closed):
            use()
    put, get = ends(name)  # the roles were given back
    assert get.latest().tolist() == [0, 1, 2, 3]


def test_fields_that_are_renamed_in_place_are_those_of_one_array(name):
    put, get = ends(name)
    sent = np.zeros(3, [("x", "f4"), ("inner", [("y", ">i2")])])
    for names in (("x", "inner"), ("a", "b"), ("x", "inner")):
        sent.dtype.names = names
        for _ in range(4):
            put.put(sent)
            found = get.get()
            assert found.dtype == sent.dtype
            found.dtype.names = ("changed", "by the user")
            assert get.latest().dtype == sent.dtype


def test_what_is_borrowed_is_aligned_to_64_bytes(name):
    put, get = ends(name)
    for shape in ((3,), (1000, 7), ()):
        put.put(np.zeros(shape))
        assert get.borrow().__array_interface__["data"][0] % 64 == 0


def test_a_scalar_and_a_list_are_arrays(name):
    put, get = ends(name)
    put.put(5.5)
    assert get.get() == 5.5
    put.put([[1, 2], [3, 4]])
    assert get.get().tolist() == [[1, 2], [3, 4]]


def test_python_objects_are_refused_both_ways(name):
    put, get = ends(name)
    for objects in (np.array([None]), np.array([(1, "a")], [("n", "i4"), ("o", "O")])):
        with pytest.raises(ValueError) as error:
            put.put(objects)
        assert "another process" in str(error.value)
    with pytest.raises(ValueError):
        put.loan((3,), object)
    # No producer of this package puts a message with such a header.
    text = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    text += b" " * (117 - len(text)) + b"\n"
    message = b"\x93NUMPY\x01\x00" + bytearray([118, 0]) + text + b"\0" * 8
    put._end._put_bytes(bytes(message))
    with pytest.raises(io_shared.Corrupt) as error:
        get.get()
    assert "Python objects" in str(error.value)
    put._end._put_bytes(b"nonsense" * 20)
    with pytest.raises(io_shared.Corrupt):
        get.borrow()
    short = b"\x93NUMPY\x01\x00" + bytearray([118, 0])
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,), }"
    put._end._put_bytes(bytes(short + text + b" " * (117 - len(text)) + b"\n"))
    with pytest.raises(io_shared.Corrupt) as error:
        get.get()
    assert "8000000000120 bytes, found 128" in str(error.value)
    put.put(np.arange(3))
    assert get.get().tolist() == [0, 1, 2]


def test_texts_of_no_characters_have_no_bytes_however_many_there_are(name):
    put, get = ends(name)
    looking = io_shared.observe(name)
    for dtype, count in (("S0", 3), ("U0", 3), ("S0", 1 << 40), ("U0", 1 << 40)):
        header, length = put._end._messages.frame((count,), dtype, "C")
        assert length == len(header)
        for _ in range(4):
            put._end._put_bytes(header)
            for found in (get.get(), looking.copy()):
                assert found.shape == (count,) and found.nbytes == 0
                assert found.dtype == np.dtype(dtype) and found.flags.writeable


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("text", [
    "{'descr': '<f8', 'fortran_order': False, 'shape': (True,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': ('a',), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1.0,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 10000000000000000000000), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': 3, }",
    "{'descr': 3, 'fortran_order': False, 'shape': (1,), }",
    "{'descr': 'no', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f8', 'fortran_order': False, }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)",
    "{'descr': '<f8, 'fortran_order': False, 'shape': (1,), }",
])
def test_a_header_that_says_nothing_of_an_array_is_corrupt(name, version, text):
    put, get = ends(name)
    looking = io_shared.observe(name)
    start = b"\x93NUMPY" + bytearray([version, 0, 128 - (10 if version == 1 else 12), 0])
    start += b"" if version == 1 else b"\0\0"
    text = text.encode("ascii")
    message = start + text + b" " * (127 - len(start) - len(text)) + b"\n" + b"\0" * 8
    for take in (get.get, looking.copy, get.borrow):
        put._end._put_bytes(bytes(message))
        with pytest.raises(io_shared.Corrupt):
            take()
    put.put(np.arange(3))
    assert get.get().tolist() == [0, 1, 2]


def test_what_is_too_large_leaves_the_value_before(name):
    put, get = ends(name, "1K")
    put.put(np.arange(10))
    with pytest.raises(io_shared.TooLarge):
        put.put(np.zeros(1000))
    with pytest.raises(io_shared.TooLarge):
        with put.loan((1000,)):
            pass
    assert get.get().tolist() == list(range(10))
    put.put(np.zeros(112))  # with a header of 128 bytes, exactly 1 KiB
    assert get.get().shape == (112,)


def test_the_newest_wins_and_what_was_missed_is_told(name):
    put, get = ends(name)
    assert (put.seq, get.seq, get.missed, get.age) == (0, 0, 0, None)
    assert get.try_get() is None and get.latest() is None
    for i in range(5):
        put.put([i])
    assert get.get()[0] == 4
    assert (put.seq, get.seq, get.missed) == (5, 5, 4)
    assert 0 <= get.age < 60
    assert get.try_get() is None
    assert get.latest()[0] == 4 and get.missed == 0
    put.put([5])
    assert get.try_get()[0] == 5


def test_a_get_waits_for_its_timeout(name):
    put, get = ends(name)
    for wait in (0, 0.05, 0.25):
        started = time.time()
        with pytest.raises(io_shared.Timeout):
            get.get(timeout=wait)
        assert wait <= time.time() - started + 0.005 < wait + 2
    with pytest.raises(ValueError):
        get.get(timeout=-1)
    timer = threading.Timer(0.3, put.put, [[7]])
    timer.start()
    assert get.get(timeout=30)[0] == 7
    timer.join()


def test_other_threads_run_while_a_get_waits(name):
    put, get = ends(name)
    found = []
    thread = threading.Thread(target=lambda: found.append(get.get()))
    thread.start()
    put.put([1])
    thread.join(30)
    assert found[0][0] == 1


def test_ctrl_c_works_during_a_wait(name):
    _, get = ends(name)

    def interrupt(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        for wait in (get.get, get.borrow):
            signal.setitimer(signal.ITIMER_REAL, 0.15)
            with pytest.raises(KeyboardInterrupt):
                wait()
    finally:
        signal.signal(signal.SIGALRM, old)


def test_a_closed_share_says_so_and_is_closed_twice_without_harm(name):
    put, get = ends(name)
    put.put([1])
    for share in (put, get):
        share.close()
        share.close()
    with pytest.raises(io_shared.Closed):
        put.put([2])
    with pytest.raises(io_shared.Closed):
        get.get()
    with NumpyShare(name, "5M", "get") as again:
        assert again.get(timeout=0) is None or again.seq == 1


def test_a_closed_wait_of_another_thread_ends(name):
    _, get = ends(name)
    errors = []

    def wait():
        try:
            get.get()
        except io_shared.Closed as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    get.close()
    thread.join(30)
    assert len(errors) == 1


def test_a_second_producer_and_a_consumer_too_many_are_told_who_is_there(name):
    put, get = ends(name, "1K")
    others = [NumpyShare(name, "1K", "get") for _ in range(63)]
    for mode, error in (("put", io_shared.RoleTaken), ("get", io_shared.NoSlot)):
        with pytest.raises(error) as raised:
            NumpyShare(name, "1K", mode)
        assert str(os.getpid()) in str(raised.value)
    del get, others[1:]
    more = NumpyShare(name, "1K", "get")
    more.close()
    put.close()


def test_several_consumers_and_names(name):
    put = NumpyShare(name, "1M", "put")
    first = NumpyShare(name, "1M", "get", consumer_name="first")
    second = NumpyShare(name, "1M", "get")
    put.put([1])
    assert first.get()[0] == second.get()[0] == 1
    assert put.wait_taken(timeout=5) == 2
    put.put([2])
    with pytest.raises(io_shared.Timeout):
        put.wait_taken(timeout=0.12)
    first.get()
    first.close()
    again = NumpyShare(name, "1M", "get", consumer_name="first")
    assert again.try_get() is None
    put.put([3])
    assert again.get()[0] == 3


@pytest.mark.parametrize("get", ["get", "try_get", "latest", "borrow"])
def test_of_a_channel_that_another_has_taken_the_name_of_no_value_is_given(name, get):
    old = NumpyShare(name, "1M", "put")
    reopening = NumpyShare(name, "1M", "get")
    faithful = NumpyShare(name, "1M", "get", reopen=False)
    old.put([1])
    os.unlink("/dev/shm" + name)
    new = NumpyShare(name, "1M", "put")
    new.put([2])
    time.sleep(0.12)  # longer than a consumer goes without looking where its name leads
    assert getattr(reopening, get)()[0] == 2
    with pytest.raises(io_shared.Replaced):
        getattr(faithful, get)()
    for share in old, new, reopening, faithful:
        share.close()


def descriptors(name):
    """The open descriptors of this process for the region of that name."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.fstat(int(number)).st_ino == os.stat("/dev/shm" + name).st_ino:
                found.add(int(number))
        except OSError:  # the one of the directory
            pass
    return found


def take_away(numbers):
    """Closes them, as code does that closes all descriptors. The numbers stay in use, so that no
    others are closed with their handle."""
    null = os.open("/dev/null", os.O_RDONLY)
    for number in numbers:
        os.dup2(null, number)
    os.close(null)


def test_a_consumer_whose_slot_is_anothers_is_told(name):
    put = NumpyShare(name, "1M", "put")
    before = descriptors(name)
    old = NumpyShare(name, "1M", "get")
    take_away(descriptors(name) - before)
    new = NumpyShare(name, "1M", "get")
    put.put([1])
    for get in old.get, old.try_get, old.latest, old.borrow, lambda: old.get(timeout=5):
        with pytest.raises(io_shared.RoleLost) as error:
            get()
        assert "open a new consumer" in str(error.value)
    old.close()
    assert new.get()[0] == 1
    put.close(), new.close()


def test_a_removed_channel_says_so_where_it_is_not_to_be_reopened(name):
    put = NumpyShare(name, "1M", "put", reopen=False)
    get = NumpyShare(name, "1M", "get", reopen=False)
    io_shared.remove(name)
    with pytest.raises(io_shared.Replaced) as error:
        get.get(timeout=5)
    assert "reopen=False" in str(error.value)
    with pytest.raises(io_shared.Replaced):
        put.put([1])
    put.close(), get.close()


@pytest.mark.parametrize("get", ["get", "borrow"])
@pytest.mark.parametrize("length", [1, 100000])
def test_both_ends_of_a_removed_channel_go_on_in_a_new_one(name, get, length):
    put, end = NumpyShare(name, "1M", "put"), NumpyShare(name, "1M", "get")
    for value in (1, 3):
        put.put(np.full(length, value))
        io_shared.remove(name)
        # Nothing has the name, so the value is given once, and then the wait goes on.
        assert getattr(end, get)(timeout=5)[-1] == value
        assert end.try_get() is None and not end.has_producer
        with pytest.raises(io_shared.Timeout):
            getattr(end, get)(timeout=0.02)
        assert not os.path.exists("/dev/shm" + name)  # a get creates nothing
        put.put(np.full(length, value + 1))
        assert getattr(end, get)(timeout=5)[-1] == value + 1 and end.seq == 1
    put.close(), end.close()


@pytest.mark.parametrize("opened", ["open", "observe"])
def test_a_new_channel_of_another_type_is_not_read_as_the_old(name, opened):
    put = io_shared.producer(name, "f8")
    end = getattr(io_shared, opened)(name)
    get = end.try_get if opened == "open" else end.copy
    put.put(1.5)
    assert get() == 1.5
    put.close(), io_shared.remove(name)
    put = io_shared.producer(name, "i8")
    put.put(7)
    with pytest.raises(io_shared.Mismatch):
        get()
    put.close(), io_shared.remove(name)
    put = io_shared.producer(name, "f8")
    put.put(2.5)
    assert get() == 2.5
    put.close(), end.close()


def test_a_size_is_a_number_or_a_text(new_name):
    for size, bytes_ in ((1000, 1000), ("1000", 1000), ("2K", 2048), (u"1M", 1 << 20)):
        with NumpyShare(new_name(), size, "put") as share:
            assert share.capacity == bytes_
    for wrong in ("5X", "", 1.5, -1):
        with pytest.raises(ValueError):
            NumpyShare(new_name(), wrong, "put")
    with pytest.raises(ValueError):
        NumpyShare("a//b", "1M", "put")
