"""The package that this one began as, at the other end, unchanged: legacy_peer.py, with posix_ipc,
on each interpreter that has it."""

import gc
import os
import random
import re
import select
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import io_shared
from conftest import pythons, timed
from io_shared import LegacyLockStuck, NumpyShare, RWSharedMMap, SharedMMap, Timeout, _legacy
from legacy_arrays import array, check

SIZE = 1 << 20
#: How many times a peer is killed.
KILLS = 300 if os.environ.get("IO_SHARED_SLOW") else 20
SOON = 5.0
GUIDE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "guide", "migrating.md")


def _originals():
    """The interpreters that have posix_ipc."""
    found = []
    for python in pythons():
        has = subprocess.call([python, "-c", "import posix_ipc"], stderr=subprocess.PIPE) == 0
        found += [python] if has else []
    return found


ORIGINALS = _originals()


def test_there_is_a_peer():
    assert ORIGINALS, "no interpreter has posix_ipc: run ci/python.sh"


@pytest.fixture
def name():
    """A name whose objects are removed afterwards."""
    made = "/test-legacy-%d-%d" % (os.getpid(), random.randrange(1 << 30))
    yield made
    remove(made)


def files(name):
    bare = name[1:]
    sems = ["sem." + bare + added for added in ("", "_np", "_write", "_read")]
    return ["/dev/shm/" + file for file in [bare] + sems]


def remove(name):
    for of in (name, name + "_back"):
        for file in files(of):
            if os.path.exists(file):
                os.remove(file)


class Peer(object):
    def __init__(self, script, python, *arguments):
        pipe = subprocess.PIPE
        self.program = script(python, "legacy_peer.py", *arguments, stdin=pipe, stdout=pipe,
                              stderr=pipe, bufsize=0)
        self._read = b""

    def hear(self, timeout=SOON):
        """Its next line; None if there is none in time, or ever."""
        out, until = self.program.stdout.fileno(), time.time() + timeout
        while b"\n" not in self._read:
            ready, _, _ = select.select([out], [], [], max(0, until - time.time()))
            read = os.read(out, 65536) if ready else b""
            if not read:
                return None
            self._read += read
        line, self._read = self._read.split(b"\n", 1)
        return line.decode()

    def ready(self):
        heard = self.hear(60)
        assert heard == "ready", self.program.stderr.read()
        return self

    def kill(self, signal_=signal.SIGKILL):
        """Ends it. It ended by that, and by no error of its own."""
        assert self.program.poll() is None, self.program.stderr.read()
        self.program.send_signal(signal_)
        self.program.wait()
        said = self.program.stderr.read()
        assert b"Error" not in said, said
        for pipe in (self.program.stdin, self.program.stdout, self.program.stderr):
            pipe.close()


@pytest.fixture(params=ORIGINALS or [None], ids=lambda python: python or "none")
def peer(request, script, name):
    if request.param is None:
        pytest.fail("no interpreter has posix_ipc: run ci/python.sh")

    def start(role, *arguments):
        return Peer(script, request.param, role, name, SIZE, *arguments).ready()

    return start


DTYPES = [
    "?", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16",
    ">i4", ">f8", "S5", "<U3", "V7", "<M8[ns]", "<m8[s]",
    [("x", "<f4"), ("y", "<f4"), ("label", "u1")],
    [("pose", [("at", "<f8", (3,)), ("name", "S4")]), ("seen", "?")],
]
SHAPES = [(), (0,), (1,), (7,), (3, 4), (2, 3, 4), (0, 5), (5, 0, 2), (1, 1, 1, 2, 1, 1)]


def arrays():
    """An array of each dtype, shape and order."""
    random_ = np.random.RandomState(1)
    for dtype in map(np.dtype, DTYPES):
        for shape in SHAPES:
            count = int(np.prod(shape)) if shape else 1
            raw = random_.randint(0, 2, count * dtype.itemsize).astype(np.uint8)
            if dtype.kind == "U":
                raw = (raw.view("<u1").astype("<u4") + 65)[: count * dtype.itemsize // 4]
            elements = np.frombuffer(raw.tobytes(), dtype, count).reshape(shape)
            yield elements
            if len(shape) > 1:
                yield np.asfortranarray(elements)
    yield np.arange(24).reshape(4, 6)[::2, 1::2]


def same(found, sent):
    assert found.dtype == sent.dtype and found.shape == sent.shape
    contiguous = sent.flags.c_contiguous or sent.flags.f_contiguous
    assert not contiguous or found.flags.f_contiguous == sent.flags.f_contiguous
    assert found.tobytes("A") == sent.tobytes("A" if contiguous else "C")
    assert found.flags.writeable


def test_arrays_of_all_dtypes_orders_and_shapes_go_there_and_back(name, peer):
    peer("echo")
    put = NumpyShare(name, SIZE, "put", legacy=True)
    get = NumpyShare(name + "_back", SIZE, "get", legacy=True)
    count = 0
    for sent in arrays():
        put.put(sent)
        same(get.get(SOON), sent)
        count += 1
    assert count > len(DTYPES) * len(SHAPES)


def test_the_code_of_the_migration_page_runs_with_the_original_at_the_other_end(name, peer):
    with open(GUIDE, "rb") as file:
        code = re.search("```python\n(.*?)```", file.read().decode("utf-8"), re.S).group(1)
    for before, after in (("/cloud_share", name), ("/label_share", name + "_back"), ("5M", "1M")):
        assert before in code
        code = code.replace(before, after)
    ends = {"NumpyShare": NumpyShare}
    exec(code, ends)
    peer("echo")
    for count in range(1, 4):
        ends["clouds"].put(array(count))
        assert check(ends["labels"].get(SOON)) == count


def lock_is_taken(name):
    with open("/dev/shm/sem." + name[1:], "rb") as file:
        return struct.unpack("<I", file.read(4))[0] == 0


def help_out(name, error):
    """What a person does about a stuck lock: what the error says. It really was stuck."""
    assert lock_is_taken(name), error
    command = str(error).split("`")[3]
    assert command.startswith("rm /dev/shm/")
    subprocess.check_call(command, shell=True)


def how(random_):
    """How a peer ends: mostly killed, sometimes by Ctrl-C, after which it unlinks everything."""
    return random_.choice([signal.SIGKILL] * 4 + [signal.SIGINT])


def test_a_peer_that_puts_is_killed_at_random_and_nothing_hangs_or_is_torn(name, peer):
    random_, last, stuck, received = random.Random(1), 0, 0, 0
    share = NumpyShare(name, SIZE, "get", legacy=True, lock_timeout=0.3)

    def get(timeout):
        began = time.time()
        try:
            number = check(share.get(timeout))
        except Timeout:
            return None
        finally:
            assert time.time() - began < timeout + 2, "it was to end in time"
        assert number >= last
        return number

    for _ in range(KILLS):
        putter = peer("put", last + 1)
        # By itself, as the lock is free.
        heard = get(SOON)
        assert heard is not None, "nothing came of a peer that puts"
        last, received = heard, received + 1
        until = time.time() + random_.uniform(0, 0.05)
        while time.time() < until:
            last = get(0.02) or last
        putter.kill(how(random_))
        while True:
            try:
                heard = get(0.4)
            except LegacyLockStuck as error:
                stuck += 1
                help_out(name, error)
                break
            if heard is None:
                break
            last = heard
        if os.path.exists("/dev/shm/sem." + name[1:]) and lock_is_taken(name):
            # It died in a put, and there was nothing to get: nobody has noticed yet.
            stuck += 1
            remove(name)
    print("%d kills, %d of them under the lock, %d restarts with arrays" % (KILLS, stuck, received))


def test_a_peer_that_gets_is_killed_at_random_and_nothing_hangs_or_is_torn(name, peer):
    random_, number, stuck = random.Random(2), 0, 0
    share = NumpyShare(name, SIZE, "put", legacy=True, lock_timeout=0.3)

    def put():
        began = time.time()
        try:
            share.put(array(number))
        finally:
            assert time.time() - began < 3, "it was to end in time"

    for _ in range(KILLS):
        getter, heard, until = peer("get"), None, time.time() + SOON
        while heard is None:
            assert time.time() < until, "a peer that gets was told of nothing"
            number += 1
            put()
            heard = getter.hear(0.05)
        assert 0 < int(heard) <= number
        until = time.time() + random_.uniform(0, 0.05)
        while time.time() < until:
            number += 1
            put()
        getter.kill(how(random_))
        try:
            number += 1
            put()
        except LegacyLockStuck as error:
            stuck += 1
            help_out(name, error)
        except Timeout as error:  # it was killed while it unlinked
            assert "missing" in str(error)
    print("%d kills, %d of them under the lock" % (KILLS, stuck))


def test_an_exception_under_the_lock_is_told_with_what_to_do(name, peer):
    fails = peer("fails")
    share = NumpyShare(name, SIZE, "put", legacy=True, lock_timeout=0.2)
    with pytest.raises(LegacyLockStuck) as error:
        share.put(array(1))
    assert isinstance(error.value, io_shared.Error)
    assert "/dev/shm/sem.%s was not given back within 200 ms" % name[1:] in str(error.value)
    fails.kill()
    help_out(name, error.value)
    share.put(array(2))
    assert peer("get").hear() == "2"


@pytest.mark.parametrize("role, kind", [("lock", SharedMMap), ("rw", RWSharedMMap)])
def test_bytes_under_the_originals_locks_are_changed_by_one_at_a_time(name, peer, role, kind):
    times = 300
    shm = kind(name, SIZE, legacy=True)
    other = peer(role, times)
    lock_write = shm.lock if kind is SharedMMap else shm.lock_write
    for _ in range(times):
        with lock_write(timeout=SOON):
            one, two = struct.unpack("<QQ", shm[:16])
            assert one == two
            shm[:8] = struct.pack("<Q", one + 1)
            time.sleep(0)
            shm[8:16] = struct.pack("<Q", two + 1)
        if kind is RWSharedMMap:
            with shm.lock_read(timeout=SOON):
                assert shm[:8] == shm[8:16]
    assert other.hear(60) == "done", other.program.stderr.read()
    with lock_write():
        assert struct.unpack("<QQ", shm[:16]) == (2 * times, 2 * times)


def test_legacy_bytes_are_used_like_a_file(name):
    for make, lock in (
        (lambda: SharedMMap(name, "4K", legacy=True), "lock"),
        (lambda: RWSharedMMap(name, "4K", legacy=True, max_readers=3), "lock_write"),
    ):
        with make() as shm:
            with pytest.raises(io_shared.ReadAccessError):
                shm.read()
            with pytest.raises(io_shared.WriteAccessError):
                shm.write(b"x")
            assert (len(shm), shm.tell()) == (4096, 0)
            with getattr(shm, lock)():
                shm[:] = b"\0" * 4096
                shm.write(b"one two one\n")
                assert shm.find(b"one", 0) == 0 and shm.rfind(b"one", 0) == 8
                shm.move(20, 0, 3)
                assert shm[20:23] == b"one" and shm[::10][:2] == b"oe"
                shm[20:26:2] = b"ABC"
                assert shm[20:25] == b"AnB\0C"
                shm[0] = shm[20]
                assert shm[:3] == b"Ane" and shm[-1:] == b"\0"
                shm[0] = shm[8]
                shm.seek(0)
                assert shm.readline() == b"one two one\n"
                shm.seek(-2, 2)
                with pytest.raises(io_shared.OOMError):
                    shm.write(b"123")
                shm.seek(0)
                np.save(shm, array(5)[:100])
                shm.seek(0)
                assert np.array_equal(np.load(shm), array(5)[:100])
            with pytest.raises(RuntimeError):
                with getattr(shm, lock)():
                    raise RuntimeError("the lock is given back all the same")
            with getattr(shm, lock)(timeout=1):
                with pytest.raises(io_shared.WouldDeadlock):
                    with getattr(shm, lock)():
                        pass
        with pytest.raises(io_shared.Closed):
            with getattr(shm, lock)():
                pass


def test_what_only_channels_have_is_refused(name):
    put = NumpyShare(name, SIZE, "put", legacy=True)
    get = NumpyShare(name, SIZE, "get", legacy=True)
    with pytest.raises(io_shared.WriteAccessError):
        put.get()
    with pytest.raises(io_shared.WriteAccessError):
        get.put(array(1))
    for call in (
        lambda: put.put(array(1), tag=3),
        lambda: put.put(array(1), seq=3),
        lambda: put.loan(3),
        lambda: put.wait_taken(),
        lambda: get.borrow(),
        lambda: get.latest(),
        lambda: get.since(3),
        lambda: get.missed,
        lambda: NumpyShare(name, None, "put", legacy=True),
        lambda: NumpyShare(name, SIZE, "put", legacy=True, consumers=3),
        lambda: NumpyShare(name, SIZE, "put", legacy=True, wait_for_role=3),
        lambda: NumpyShare(name, SIZE, "get", legacy=True, wait_for_role=None),
        lambda: NumpyShare(name, SIZE, "get", legacy=True, open_timeout=None),
        lambda: NumpyShare(name, SIZE, "both", legacy=True),
    ):
        with pytest.raises(io_shared.Invalid) as error:
            call()
        assert name in str(error.value)
    for call in (
        lambda: NumpyShare(name, SIZE, "put", legacy=True, lock_timeout=None),
        lambda: NumpyShare(name, SIZE, "get", legacy=True, lock_timeout=None),
        lambda: SharedMMap(name, SIZE, legacy=True, lock_timeout=None),
    ):
        with pytest.raises(io_shared.WrongFields) as error:
            call()
        text = "%s: lock_timeout must be a number of seconds, not None: " % name
        assert str(error.value).startswith(text)
    with pytest.raises(io_shared.OOMError) as error:
        put.put(np.zeros(SIZE))
    assert "size" in str(error.value) and ".size(" not in str(error.value)
    with pytest.raises(io_shared.Invalid):
        put.put(np.array([object()]))
    assert get.try_get() is None
    put.put(array(1))
    assert check(get.try_get()) == 1
    put.close()
    get.close()
    with pytest.raises(io_shared.Closed):
        get.get()
    assert get.closed and put.closed


def test_what_is_no_array_is_corrupt(name):
    get = NumpyShare(name, SIZE, "get", legacy=True)
    put = NumpyShare(name, SIZE, "put", legacy=True)
    for wrong in (b"PK\3\4", b"\x93NUMPY\1\0\xff\xff", b"\x93NUMPY\1\0\x0a\0{'descr': "):
        put.put(array(1))
        with open("/dev/shm" + name, "r+b") as file:
            file.write(wrong)
        with pytest.raises(io_shared.Corrupt):
            get.get(SOON)
    put.put(array(2))
    assert check(get.get(SOON)) == 2


def test_an_array_is_whole_if_a_signal_handler_closes_the_share_during_the_copy(name, monkeypatch):
    put = NumpyShare(name, SIZE, "put", legacy=True)
    get = NumpyShare(name, SIZE, "get", legacy=True)
    handle, parse, alive = weakref.ref(get._end._handle), _legacy._npy.parse, []

    def closes(address, length):
        get.close()
        alive.append(handle() is not None)
        return parse(address, length)

    put.put(array(1))
    monkeypatch.setattr(_legacy._npy, "parse", closes)
    assert check(get.get(SOON)) == 1 and alive == [True]
    gc.collect()
    assert get.closed and handle() is None


def test_a_wait_that_is_over_names_the_time_that_was_asked_for(name):
    get = NumpyShare(name, SIZE, "get", legacy=True)
    one, other = SharedMMap(name, SIZE, legacy=True), SharedMMap(name, SIZE, legacy=True)
    with pytest.raises(Timeout) as no_array:
        get.get(timeout=0.12)
    with one.lock(), pytest.raises(Timeout) as no_lock:
        other.lock(timeout=0.13).__enter__()
    assert "%s: timed out after 0.12 s waiting for " % name in str(no_array.value)
    assert "%s: timed out after 0.13 s waiting for " % name in str(no_lock.value)


@timed
def test_a_wait_ends_by_its_timeout_an_interrupt_and_ctrl_c(name, script):
    get = NumpyShare(name, SIZE, "get", legacy=True)
    began = time.time()
    with pytest.raises(Timeout):
        get.get(timeout=0.3)
    assert 0.3 <= time.time() - began < 1
    thread = threading.Timer(0.2, get.interrupt)
    thread.start()
    with pytest.raises(io_shared.Interrupted):
        get.get()
    thread.join()
    code = "import io_shared\nprint('ready')\nimport sys\nsys.stdout.flush()\n"
    code += "io_shared.NumpyShare(%r, 10, 'get', legacy=True).get()" % name
    waits = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    assert waits.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    began = time.time()
    waits.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in waits.communicate()[1]
    assert time.time() - began < 2
