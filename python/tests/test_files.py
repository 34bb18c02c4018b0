# -*- coding: utf-8 -*-
"""Channels and shared bytes in files."""

import os
import shutil
import struct
import time

import numpy as np
import pytest

import io_shared
from conftest import pythons
from io_shared import File, NumpyShare, _wait
from test_typed import clouds, points


@pytest.fixture
def file(tmp_path):
    return File(str(tmp_path / "clouds.io"))


def test_a_channel_in_a_file_keeps_its_value_without_any_process(file):
    with NumpyShare(file, "1M", "put") as put:
        assert put.name == str(file)
        put.put(np.arange(1000))
    assert os.path.exists(file)
    with NumpyShare(file, "1M", "get") as get:
        assert np.array_equal(get.get(), np.arange(1000))
        assert get.seq == 1 and 0 <= get.age < 60
        assert get.try_get() is None
    with io_shared.observe(file) as observer:
        assert np.array_equal(observer.copy(), np.arange(1000))
    with NumpyShare(file, "1M", "put") as put:
        put.put([2])
        assert put.seq == 2
    with io_shared.open(file) as get:
        assert get.borrow().tolist() == [2]


def test_a_file_crosses_interpreters(tmp_path, file, script):
    back = File(str(tmp_path / "back.io"))
    array = np.random.RandomState(1).rand(30, 4).astype(np.float32)
    for python in pythons():
        with NumpyShare(file, "5M", "put") as put, NumpyShare(back, "5M", "get") as get:
            other = script(python, "echo.py", "files", file, back, 1)
            put.put(array)
            assert np.array_equal(get.get(timeout=60), array)
            assert other.wait() == 0


def test_typed_messages_lie_in_files_too(file):
    with clouds(file) as put:
        put.put(frame=7, stamp_ns=8, points=points(5))
    cloud = io_shared.open(file).get()
    assert cloud.frame == 7 and np.array_equal(cloud.points, points(5))


def test_shared_bytes_and_their_lock_lie_in_files_too(file):
    shm = io_shared.RWSharedMMap(file, 100)
    with shm.lock_write():
        shm.write(b"hello")
        with pytest.raises(io_shared.Timeout):
            with io_shared.SharedMMap(file, 100).lock(timeout=0):
                pass
    shm.close()
    with open(file, "rb") as bytes_:
        assert bytes_.read(6) == b"hello\0"
    assert os.path.exists(file + ".lock")


def test_a_value_from_before_the_machine_was_started_has_no_age(file):
    with open("/proc/sys/kernel/random/boot_id") as text:
        digits = text.read().strip().replace("-", "")
    boot = struct.pack("<2Q", int(digits[:16], 16), int(digits[16:], 16))
    with NumpyShare(file, "1M", "put") as put:
        put.put(np.zeros(5000))
    with open(file, "rb") as region:
        content = region.read()
    assert content.count(boot) == 1
    with open(file, "wb") as region:
        region.write(content.replace(boot, b"\1" * 16))
    get, observer = NumpyShare(file, "1M", "get"), io_shared.observe(file)
    for reader, take in ((get, get.borrow), (get, get.latest), (observer, observer.copy)):
        assert len(take()) == 5000
        assert reader.age is None
    with NumpyShare(file, "1M", "put") as put:
        put.put([1])
        for take in (get.borrow, get.latest, observer.copy):
            take()
        assert 0 <= get.age < 60 and 0 <= observer.age < 60


def _of_another(region, what, other):
    """The file with ``other`` in place of ``what``, which it contains once."""
    with open(region, "rb") as before:
        content = before.read()
    assert content.count(what) == 1
    with open(region, "wb") as after:
        after.write(content.replace(what, other))


def _boot():
    with open("/proc/sys/kernel/random/boot_id") as text:
        digits = text.read().strip().replace("-", "")
    return struct.pack("<2Q", int(digits[:16], 16), int(digits[16:], 16))


def test_a_value_is_given_after_a_reboot_if_it_was_synced_and_else_none_was_ever_put(file):
    put = NumpyShare(file, "1M", "put")
    put.put(np.arange(5000))
    put.put(np.arange(5001))
    for synced in (False, True):
        if synced:
            put.sync()
        copy = File(str(file) + "-copy")
        shutil.copyfile(file, copy)  # while the producer lives: it has not left in order
        _of_another(copy, _boot(), b"\1" * 16)
        with io_shared.observe(copy, open_timeout=0) as observer:
            observed = observer.copy()
        with NumpyShare(copy, "1M", "get") as get:
            got = get.latest()
        if synced:
            assert np.array_equal(observed, np.arange(5001)) and np.array_equal(got, observed)
        else:
            assert observed is None and got is None
    put.close()
    with pytest.raises(io_shared.Closed):
        put.sync()


def test_a_typed_value_is_synced_too(file):
    with io_shared.producer(file, "<f8") as put:
        put.put(3.5)
        put.sync()
        copy = File(str(file) + "-copy")
        shutil.copyfile(file, copy)
    _of_another(copy, _boot(), b"\1" * 16)
    assert io_shared.open(copy, open_timeout=0).get(timeout=5) == 3.5


def test_a_value_stamped_in_another_time_namespace_or_in_the_future_has_no_age(file):
    try:
        own = os.stat("/proc/self/ns/time").st_ino
    except OSError:
        return  # this kernel has none
    with NumpyShare(file, "1M", "put") as put:
        put.put(np.zeros(5000))
    _of_another(file, struct.pack("<Q", own), struct.pack("<Q", own + 1))
    get, observer = NumpyShare(file, "1M", "get"), io_shared.observe(file)
    for reader, take in ((get, get.borrow), (get, get.latest), (observer, observer.copy)):
        assert len(take()) == 5000
        assert reader.age is None
    now = time.time() if not hasattr(time, "monotonic") else time.monotonic()
    assert _wait.age(0) is None
    assert _wait.age(int((now + 1e6) * 1e9)) is None
    assert _wait.age(int((_wait.monotonic() + 1e-6) * 1e9)) is not None


def test_a_path_may_be_any_text_or_path(tmp_path, file):
    assert isinstance(file, str) and file == str(file)
    folder = str(tmp_path) + "/"
    text = folder.encode("ascii").decode("ascii")
    paths = [folder + "a", (folder + "b").encode("ascii"), text + u"\xfc"]
    if hasattr(os, "fspath"):
        paths.append(tmp_path / "d")
    for path in paths:
        with NumpyShare(File(path), "1K", "put") as put:
            put.put([1])
        with NumpyShare(File(path), "1K", "get") as get:
            assert get.get().tolist() == [1]
    assert len(os.listdir(folder)) == len(paths)
    assert os.path.exists(File(paths[2]))
    with pytest.raises(ValueError):
        File("")


def test_a_file_is_removed_like_any_and_nothing_else_is(tmp_path, file, monkeypatch):
    NumpyShare(file, "1K", "put").close()
    with pytest.raises(ValueError) as error:
        io_shared.remove(file)
    assert "os.remove" in str(error.value)
    get = io_shared.open(file, reopen=False)
    os.remove(file)
    with pytest.raises(io_shared.Replaced):
        get.get(timeout=20)
    with pytest.raises(io_shared.NotFound):
        io_shared.observe(file, open_timeout=0)
    (tmp_path / "other").write_text(u"not a region, and some more bytes of it")
    with pytest.raises(io_shared.Error) as error:
        NumpyShare(File(str(tmp_path / "other")), "1K", "put")
    assert str(tmp_path / "other") in str(error.value)
    assert (tmp_path / "other").read_text().endswith("bytes of it")
