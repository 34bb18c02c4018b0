"""Shared bytes as files with an end, ways around their lock, and blocks that fail under it."""

import contextlib
import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import io_shared
from conftest import pythons
from io_shared import LockedBytes, RWSharedMMap, SharedMMap, UnsafeSharedMMap


@contextlib.contextmanager
def _all(shm):
    yield shm


KINDS = pytest.mark.parametrize("kind", [UnsafeSharedMMap, SharedMMap, RWSharedMMap, LockedBytes])
LOCKED = pytest.mark.parametrize("kind", [SharedMMap, RWSharedMMap, LockedBytes])


def writing(shm, **options):
    """The block in which this kind of bytes is written."""
    if isinstance(shm, SharedMMap):
        return shm.lock(**options)
    return shm.lock_write(**options) if hasattr(shm, "lock_write") else _all(shm)


@KINDS
@pytest.mark.parametrize("size", ["64K", "3M"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_saved_and_loaded_by_name_whatever_was_there_before(name, kind, size, save):
    shm, other = kind(name, size), kind(name, size)
    for length in (5000, 3, 400):
        a = np.arange(length, dtype=np.float64)
        with writing(shm):
            shm.seek(0)
            save(shm, a=a, b=a[:2])
            shm.seek(0)
            with np.load(shm) as found:
                assert sorted(found.keys()) == ["a", "b"]
        with writing(other):
            other.seek(0)
            with np.load(other) as found:
                assert (found["a"] == a).all() and (found["b"] == a[:2]).all()
            assert zipfile.ZipFile(other).testzip() is None


@KINDS
def test_zip_files_end_where_their_table_does(name, kind):
    shm = kind(name, "1M")
    inner, plain = io.BytesIO(), np.arange(100)
    np.savez(inner, plain=plain)
    with writing(shm):
        shm.seek(0)
        # Arrays that contain the bytes of a zip file, and another file after them.
        np.savez(shm, inner=np.frombuffer(inner.getvalue(), np.uint8), plain=plain + 1)
        end = shm.tell()
        shm.seek(end + 100)
        shm.write(inner.getvalue())
        behind = shm.tell()
        for start, where, shift in ((0, end, 1), (end + 100, behind, 0), (0, end, 1)):
            shm.seek(start)
            with np.load(shm) as found:
                assert (found["plain"] == plain + shift).all()
            shm.seek(start)
            shm.seek(0, 2)
            assert shm.tell() == where
        shm.seek(0)
        shm.write(b"no zip")
        shm.seek(0, 2)
        assert shm.tell() == 1 << 20
        shm.seek(-3, 2)
        assert shm.tell() == (1 << 20) - 3
        for cut in (b"PK\x03\x04", b"PK\x05\x06"):
            shm[0 : 1 << 20] = b"\0" * (1 << 20)
            shm[0:4] = cut
            shm.seek(0, 2)
            assert shm.tell() == (1 << 20 if cut == b"PK\x03\x04" else 22)
            shm.seek(0)
    assert shm.seekable()


def test_named_arrays_are_loaded_in_another_python(name):
    shm = RWSharedMMap(name, "1M")
    for python in pythons():
        with shm.lock_write():
            shm.seek(0)
            np.savez(shm, first=np.arange(3), second=np.arange(4))
        code = (
            "import numpy as np, io_shared\n"
            "shm = io_shared.RWSharedMMap(%r, '1M')\n"
            "with shm.lock_read():\n"
            "    found = np.load(shm)\n"
            "    print(found['first'].sum() + found['second'].sum())\n" % name
        )
        assert subprocess.check_output([python, "-c", code]).split() == [b"9"]


VIEWS = [
    memoryview,
    bytearray,
    lambda shm: np.frombuffer(shm, np.uint8),
    lambda shm: io.BytesIO().write(shm),
]


@pytest.mark.parametrize("kind", [SharedMMap, RWSharedMMap])
def test_no_view_goes_around_the_lock(name, kind):
    if sys.version_info < (3, 12):
        pytest.skip("nobody is asked for a view before 3.12")
    shm = kind(name, 16)
    for view in VIEWS:
        with pytest.raises(io_shared.ReadAccessError) as error:
            view(shm)
        assert "UnsafeSharedMMap" in str(error.value) and name in str(error.value)
        with writing(shm):
            with pytest.raises(io_shared.ReadAccessError):
                view(shm)
    with writing(shm):
        assert bytearray(shm[:]) == bytearray(16)
        shm[0:4] = np.arange(4, dtype=np.uint8)
    shm.close()
    unguarded = UnsafeSharedMMap(name, 16)
    np.frombuffer(unguarded, np.uint8)[8] = 7
    with writing(kind(name, 16)) as shm:
        assert shm[0:9] == b"\0\1\2\3\0\0\0\0\7"


class Failed(Exception):
    pass


@LOCKED
@pytest.mark.parametrize("kind_of_error", [Failed, KeyboardInterrupt, GeneratorExit])
def test_an_exception_in_the_block_of_a_writer_is_told_as_a_death_is(name, kind, kind_of_error):
    shm, other = kind(name, 16), kind(name, 16)
    with pytest.raises(kind_of_error):
        with writing(shm):
            shm.write(b"half")
            raise kind_of_error
    ways = [lambda shm: writing(shm, timeout=0)]
    if kind is not SharedMMap:
        ways.append(lambda shm: shm.lock_read(timeout=0))
    for handle in (shm, other, kind(name, 16)):
        for way in ways:
            with pytest.raises(io_shared.OwnerDied) as error:
                way(handle).__enter__()
            assert "exception" in str(error.value) and name in str(error.value)
    with pytest.raises(Failed):  # that was no repair
        with writing(other, repair=True):
            raise Failed
    with pytest.raises(io_shared.OwnerDied):
        writing(shm, timeout=0).__enter__()
    with writing(other, repair=True, timeout=0):
        other.write(b"mend")
    with writing(shm, timeout=0):
        assert shm[0:4] == b"mend"


@LOCKED
def test_an_exception_that_leaves_nothing_half_written_is_none(name, kind):
    shm = kind(name, 16)
    with pytest.raises(io_shared.OOMError):
        with writing(shm):
            shm.write(b"0123456789abcdefg")
    with writing(shm, timeout=0):
        pass
    if kind is not SharedMMap:
        with pytest.raises(Failed):
            with shm.lock_read():
                raise Failed
    with writing(shm, timeout=0):
        pass
    with pytest.raises(io_shared.OOMError):
        with writing(shm):
            shm.write(b"0123")
            shm.write(b"0123456789abcdefg")
    with pytest.raises(io_shared.OwnerDied):
        writing(shm, timeout=0).__enter__()
