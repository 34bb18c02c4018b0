"""Error texts: in Python's words, with what to write instead."""

import os

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare


def said(call, *kinds):
    with pytest.raises(kinds) as error:
        call()
    for foreign in (".capacity(", ".size(", ".consumers(", ".holds(", "options.", "IOS_", "user 0"):
        assert foreign not in str(error.value)
    return str(error.value)


def test_sizes_that_will_not_do_are_told_the_one_to_write(name):
    for size, meant in (("5MB", "5M"), ("64 KiB", "64K"), ("1.5M", "1572864")):
        assert 'write "%s"' % meant in said(lambda: NumpyShare(name, size, "put"), ValueError)
    assert "5M" in said(lambda: io_shared.producer(name, capacity="5MB"), ValueError)
    assert "at most size=" in said(lambda: NumpyShare(name, 1 << 63, "put"), ValueError)
    text = said(lambda: io_shared.producer(name, capacity=1 << 62), ValueError)
    assert "at most capacity=" in text
    for mode in ("put", "get"):
        text = said(lambda: NumpyShare(name, 5, mode, holds=9), ValueError)
        assert "holds=9 is not valid" in text and "1 to 8" in text
    most = said(lambda: NumpyShare(name, 5, "put", consumers=500), ValueError)
    assert "consumers" in most and "at most" in most and "253" in most
    frame = np.zeros((100, 100))
    put = NumpyShare(name, frame.nbytes, "put")
    text = said(lambda: put.put(frame), io_shared.TooLarge)
    assert "size=80128" in text
    put.close()
    put = NumpyShare(name, 80128, "put")
    put.put(frame)
    for scattered in (frame[:, ::2].copy(), frame[::2]):
        put.put(scattered)
    text = said(lambda: put.put(np.zeros((101, 200))[:, ::2]), io_shared.TooLarge)
    assert "size=80928" in text
    text = said(lambda: put.loan((101, 100)).__enter__(), io_shared.TooLarge)
    assert "size=80928" in text
    put.close()
    put = io_shared.producer(name, capacity=100)
    assert "capacity=160128" in said(lambda: put.put(np.zeros(20000)), io_shared.TooLarge)


def test_a_role_that_this_process_has_is_said_to_be_its_own(name):
    old = NumpyShare(name, "1M", "put")
    text = said(lambda: NumpyShare(name, "1M", "put"), io_shared.RoleTaken)
    assert "held by this process, %d" % os.getpid() in text and "old.close()" in text
    viewer = NumpyShare(name, "1M", "get", consumer_name="viewer")
    text = said(lambda: NumpyShare(name, "1M", "get", consumer_name="viewer"), io_shared.RoleTaken)
    assert "slot 0 (viewer)" in text and "old.close()" in text
    others = [io_shared.open(name) for _ in range(63)]
    text = said(lambda: NumpyShare(name, "1M", "get"), io_shared.NoSlot)
    assert "consumers=65" in text and "old.close()" in text and "this process" in text
    for end in [old, viewer] + others:
        end.close()
    NumpyShare(name, "1M", "put").close()


def test_a_role_that_another_process_has_names_it(name, script):
    there = script(*[__import__("sys").executable, "hold.py", name], stdout=-1)
    pid = there.pid
    assert there.stdout.readline().strip() == b"held"
    text = said(lambda: NumpyShare(name, "1M", "put"), io_shared.RoleTaken)
    assert "(producer " in text and " (%d))" % pid in text and "old.close()" not in text
    text = said(lambda: NumpyShare(name, "1M", "get", consumer_name="viewer"), io_shared.RoleTaken)
    assert "(consumer viewer (%d))" % pid in text


def test_shared_bytes_speak_of_size_and_max_readers(new_name):
    name = new_name()
    kept = [io_shared.RWSharedMMap(name, 8, max_readers=1)]
    text = said(lambda: io_shared.RWSharedMMap(name, 8, max_readers=1), io_shared.NoSlot)
    assert "max_readers=2" in text
    with pytest.raises(io_shared.NotFound) as error:
        io_shared.LockedBytes(new_name())
    assert "size=" in str(error.value) and "open_timeout=" in str(error.value)
    kept[0].close()


def test_readers_of_shared_bytes_are_counted_by_max_readers(new_name):
    for opened in (io_shared.RWSharedMMap, io_shared.LockedBytes):
        for wrong in (-1, 2.5, 5000):
            text = said(lambda: opened(new_name(), 8, max_readers=wrong), ValueError, TypeError)
            assert "max_readers=" in text and "consumers" not in text, text


def test_a_channel_that_nobody_has_made_is_not_advised_an_argument_that_open_lacks(new_name):
    for opened in (io_shared.open, io_shared.observe):
        text = said(lambda: opened(new_name(), open_timeout=0), io_shared.NotFound)
        assert "does not exist" in text and "open_timeout=" in text
        assert "capacity" not in text and "size" not in text


def test_a_tail_that_is_no_pair_is_refused_in_words(name):
    header = np.dtype([("frame", "u8")])
    for wrong in (3, ("points",), ("points", "f4", 3), (3, "f4"), "f4"):
        text = said(
            lambda: io_shared.producer(name, header, tail=wrong, capacity=99), io_shared.Error
        )
        assert "tail must be (field name, dtype)" in text


def test_a_channel_in_use_names_what_differs_by_pythons_arguments(name):
    put = NumpyShare(name, "1M", "put")
    text = said(lambda: NumpyShare(name, "2M", "get", consumers=3), io_shared.Mismatch)
    assert "size=: channel has 1048576" in text and "consumers" not in text
    put.close()


@pytest.mark.parametrize("wrong", [
    dict(size=2 ** 70), dict(size=float("nan")), dict(size=[1]), dict(size=-1), dict(size=1.5),
    dict(consumers=-1), dict(consumers=2 ** 32 + 1), dict(consumers=2.5), dict(consumers="3"),
    dict(holds=-1), dict(holds=2 ** 32 + 1), dict(permissions=-1), dict(permissions="600"),
    dict(mode="w"),
])
def test_options_that_are_no_numbers_are_refused_by_name(name, wrong):
    options = dict(size="1M", mode="put")
    options.update(wrong)
    with pytest.raises((ValueError, TypeError)) as error:
        NumpyShare(name, **options)
    assert isinstance(error.value, io_shared.Error) and name in str(error.value)
    argument, value = list(wrong.items())[0]
    assert argument in str(error.value)
    if value == -1:
        assert "-1" in str(error.value)
    with pytest.raises(io_shared.NotFound):
        io_shared.remove(name)


def test_calls_with_what_they_do_not_take_say_so(name):
    put, get = NumpyShare(name, "1M", "put"), NumpyShare(name, "1M", "get")
    for wrong in (
        lambda: get.get(timeout="1"),
        lambda: get.get(timeout=float("nan")),
        lambda: get.get(timeout=[1]),
        lambda: io_shared.open(name + "-none", open_timeout="1"),
        lambda: put.wait_taken(timeout="1"),
        lambda: put.put([1, [2, 3]]),
        lambda: put.loan((-3,)),
        lambda: put.loan((3.5,)),
        lambda: put.loan(3, "zz"),
        lambda: io_shared.producer(name, "zz"),
        lambda: io_shared.producer(name, tail=("a", "b", "f4"), capacity=99),
        lambda: io_shared.producer(name, [("a", "zz")]),
    ):
        with pytest.raises((ValueError, TypeError)) as error:
            wrong()
        assert isinstance(error.value, io_shared.Error), error.value
    assert put.seq == 0


def test_an_end_of_arrays_is_told_that_a_channel_holds_messages_and_the_reverse(new_name):
    name = new_name()
    ends = [io_shared.producer(name, {"boxes": ("f4", (None, 4))}), io_shared.open(name)]
    for wrong in (
        lambda: NumpyShare(name, "1M", "get"), lambda: NumpyShare(name, mode="put"),
        lambda: io_shared.producer(name, kind="cloud"), lambda: io_shared.consumer(name),
    ):
        text = said(wrong, io_shared.Mismatch)
        assert "%s holds messages, not arrays: io_shared.open('%s')" % (name, name) in text
        assert "`npy`" not in text and "consumer in slot 0, held by this process" in text
    name = new_name()
    ends.append(NumpyShare(name, mode="put"))
    for wrong in ({"boxes": ["f4"]}, "f4"):
        text = said(lambda: io_shared.producer(name, wrong), io_shared.Mismatch)
        assert "%s holds arrays, not messages: io_shared.open('%s')" % (name, name) in text
        assert "`boxes`" not in text and "npy" not in text
    name = new_name()
    ends.append(io_shared.producer(name, "f4"))
    assert "holds messages, not arrays" in said(lambda: NumpyShare(name, "1M", "get"),
                                                io_shared.Mismatch)


def test_an_open_that_finds_nothing_names_what_is_near_and_how_to_wait(new_name):
    name = new_name()
    NumpyShare(name, mode="put").close()
    for opened in (io_shared.open, io_shared.observe):
        text = said(lambda: opened(name + "s", open_timeout=0.01), io_shared.NotFound)
        said_, _, near = text.partition("; there is ")
        assert said_.endswith("open_timeout=None waits for ever") and name in near.split(", ")
    text = said(lambda: io_shared.open("/" + "q" * 30, open_timeout=0.01), io_shared.NotFound)
    assert "there is" not in text


def test_a_mode_in_the_place_of_the_size_is_told(name):
    text = said(lambda: NumpyShare(name, "put"), ValueError)
    assert "the second argument is the size: write mode='put'" in text
    assert "second" not in said(lambda: NumpyShare(name, "1M"), ValueError)


@pytest.mark.parametrize("wrong", ["car", u"car", b"car", None])
def test_a_bare_text_is_no_array(name, wrong):
    put = NumpyShare(name, mode="put")
    for label in ({}, {"tag": 3}):
        assert "a value is an array" in said(lambda: put.put(wrong, **label), TypeError)
    put.put(np.array("car"))
    put.put(["car"])
    put.put(np.array(["car"])[0])
    assert put.seq == 3


def test_a_loan_that_is_used_without_its_block_says_so(new_name):
    put = NumpyShare(new_name(), mode="put")
    typed = io_shared.producer(new_name(), {"boxes": ["f4"], "n": "u8"})
    for loan in (put.loan(3), typed.loan(boxes=3)):
        for wrong in (
            lambda: loan[0], lambda: loan.__setitem__(0, 1), lambda: loan.boxes,
            lambda: setattr(loan, "n", 3),
        ):
            assert "`with .. .loan(..) as out`" in said(wrong, AttributeError)
        loan.tag = 5
        with loan as out:
            assert out is not None
        assert not hasattr(loan, "__len__")
    assert (put.seq, typed.seq) == (1, 1)


def test_a_cell_that_is_run_again_with_another_size_is_told_of_the_old_one(name):
    old = NumpyShare(name, "1M", "put")
    text = said(lambda: NumpyShare(name, "2M", "put"), io_shared.Mismatch)
    assert "this process" in text and "old.close()" in text and "size=" in text
    old.close()
    NumpyShare(name, "2M", "put").close()
