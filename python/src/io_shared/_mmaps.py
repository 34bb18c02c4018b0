"""Shared bytes used like a file: without a lock, under one lock, or under a reader-writer lock.

All three are an ``mmap.mmap`` over the bytes of the shared-memory object itself, so all three, and
C programs, see the same bytes under one name. The lock is in a region of its own, ``<name>.lock``.
It knows its owner, so it is released when the owner is killed.
"""

import contextlib
import ctypes
import mmap
import os

from io_shared import _library, errors
from io_shared._library import in_bytes
from io_shared._lock import Lock, Locking
from io_shared._removal import lock_name
from io_shared._wait import LOCK_TIMEOUT
from io_shared._zip import Ending
from io_shared.errors import OOMError, ReadAccessError

_BYTES, _LOCKED_ELSEWHERE = 0, 3
_MADV_DONTDUMP = 16


@contextlib.contextmanager
def _streams_taken():
    """Keeps descriptors that are opened meanwhile from becoming standard streams, in a program that
    closed those: the next ``print`` would write over shared bytes."""
    taken = []
    try:
        while not taken or taken[-1] < 3:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)


def _leave_out_of_dumps(shared):
    """Leaves the bytes out of core dumps, as the library does with its own mappings. (Linux does so
    by itself while they have a name.)"""
    # If it fails, a dump is larger, and nothing else happens.
    if hasattr(mmap.mmap, "madvise"):
        try:
            mmap.mmap.madvise(shared, _MADV_DONTDUMP)
        except (OSError, ValueError):
            pass
        return
    bytes_ = (ctypes.c_char * len(shared)).from_buffer(shared)
    start, size = ctypes.c_void_p(ctypes.addressof(bytes_)), ctypes.c_size_t(len(shared))
    ctypes.CDLL(None).madvise(start, size, _MADV_DONTDUMP)


class UnsafeSharedMMap(_library.Closing, Ending, mmap.mmap):
    """The bytes of the shared-memory object ``name``, created if missing, without a lock.

        ``size``: bytes, or digits and one of K, M, G. A smaller object grows; a larger one keeps
        its size, and its first ``size`` bytes are used. Others may write at any time.

    The name is taken as it is, as that of any POSIX object: it has no slash after the first
    character, and lies in no domain.

    >>> shm = UnsafeSharedMMap("/state", 8)
    >>> shm[:5] = b"hello"
    """

    _kind = _BYTES

    def __new__(cls, name, size, *args, **kwargs):
        size = _library.size(size)
        if not size:
            raise errors.Invalid(
                "%s: size=%r is not valid: there must be at least one byte"
                % (_library.native(name), size)
            )
        made = _library.options(name, flags=_library.EXTEND, capacity=size)
        handle = _library.open_handle(_library.mmap_open, _library.mmap_close, made, cls._kind,
                                      words=_library.BYTES)
        try:
            file = _library.number(_library.mmap_fd, handle, ctypes.c_int32)
            # mmap.mmap duplicates the descriptor.
            with _streams_taken():
                return super(UnsafeSharedMMap, cls).__new__(cls, file, size)
        finally:
            handle.close()

    def __init__(self, name, size):
        super(UnsafeSharedMMap, self).__init__()
        self.name = _library.native(name)
        _leave_out_of_dumps(self)
        self._opened = type(self), (name, size)

    @property
    def closed(self):
        """Whether it was closed."""
        try:
            return self.tell() < 0
        except ValueError:
            return True

    def seek(self, pos, whence=0):
        """Moves the position: from the start, from the position (1), or from the end (2). If the
        bytes are a zip file (``numpy.savez``), its end counts."""
        self._sought_from = None
        if whence == 2:
            end = self._sought_from = self._end()
            pos, whence = end + pos, 0
        return super(UnsafeSharedMMap, self).seek(pos, whence)

    def resize(self, newsize):
        """Refused: other processes have these bytes mapped."""
        text = "other processes have these bytes mapped: open a larger one instead"
        raise NotImplementedError(text)

    def write(self, data):
        """Writes at the position, all or nothing. Returns the number of bytes."""
        self._writing()
        length = length_of(data)
        if length > len(self) - self.tell():
            raise OOMError(
                "%s: %s do not fit into the %d from %d on: open it with size=%d or more"
                % (self.name, in_bytes(length), len(self) - self.tell(), self.tell(),
                   self.tell() + length)
            )
        super(UnsafeSharedMMap, self).write(data)
        return length

    def write_byte(self, byte):
        """Writes the byte at the position, as ``mmap.mmap`` does."""
        self._writing()
        if self.tell() >= len(self):
            raise OOMError("%s: there is no byte left" % self.name)
        super(UnsafeSharedMMap, self).write_byte(byte)

    def move(self, dest, src, count):
        """Copies ``count`` bytes from ``src`` to ``dest``; they may overlap."""
        self._writing()
        super(UnsafeSharedMMap, self).move(dest, src, count)

    def flush(self, *args):
        """Writes the changes to the file, if there is one."""
        self._writing()
        return super(UnsafeSharedMMap, self).flush(*args)

    def __setitem__(self, index, value):
        self._writing()
        super(UnsafeSharedMMap, self).__setitem__(index, value)

    def __getitem__(self, index):
        self._reading()
        return super(UnsafeSharedMMap, self).__getitem__(index)

    if str is bytes:
        # Python 2 has methods of their own for slices without a step.
        def __setslice__(self, start, end, value):
            self[slice(start, end)] = value

        def __getslice__(self, start, end):
            return self[slice(start, end)]

    def find(self, *args):
        """The first location of ``sub``, from the position or ``start`` on; -1 if there is none."""
        self._reading()
        return super(UnsafeSharedMMap, self).find(*args)

    def rfind(self, *args):
        """The last location of ``sub``, from the position or ``start`` on; -1 if there is none."""
        self._reading()
        return super(UnsafeSharedMMap, self).rfind(*args)

    def read(self, n=None):
        """At most ``n`` bytes from the position on; all of them without ``n``."""
        self._reading()
        if n is None or n < 0:
            n = self._left()
        return super(UnsafeSharedMMap, self).read(min(n, len(self) - self.tell()))

    def read_byte(self):
        """Reads the byte at the position, as ``mmap.mmap`` does."""
        self._reading()
        return super(UnsafeSharedMMap, self).read_byte()

    def readline(self):
        """Reads up to and including the next line feed, or all that is left."""
        self._reading()
        return super(UnsafeSharedMMap, self).readline()

    def _may_read(self):
        return True

    def _reading(self):
        """Raises if reading is not allowed now."""

    def _writing(self):
        """Raises if writing is not allowed now."""


class _Locked(Locking, UnsafeSharedMMap):
    """Bytes with a lock in a region of its own."""

    _kind = _LOCKED_ELSEWHERE

    def _open_lock(self, handles):
        self._lock = Lock(lock_name(self.name), handles)

    def __buffer__(self, flags):
        # Python calls this from 3.12 on.
        raise ReadAccessError(
            "%s: a view of these bytes would bypass the lock and outlive it: copy them by read() "
            "or a slice, write them by write() or to a slice; UnsafeSharedMMap allows views"
            % self.name
        )

    def close(self):
        """Closes the handle. The bytes stay."""
        self._lock.close()
        super(_Locked, self).close()


class SharedMMap(_Locked):
    """The bytes of the shared-memory object ``name`` under one lock.

    A handle is for one thread. ``size``: as for :class:`UnsafeSharedMMap`. ``legacy``: the lock is
    the semaphore of the package that this one began as, so that its programs, unchanged, are on the
    other side. A lock that is not given back within ``lock_timeout`` seconds is then
    :class:`LegacyLockStuck`.

    >>> shm = SharedMMap("/state", "1M")
    >>> with shm.lock():
    ...     shm[:5] = b"hello"
    """

    def __new__(cls, name, size, legacy=False, lock_timeout=LOCK_TIMEOUT):
        if legacy:
            return _legacy_bytes(name, size, None, lock_timeout)
        return super(SharedMMap, cls).__new__(cls, name, size)

    def __init__(self, name, size, legacy=False, lock_timeout=None):
        super(SharedMMap, self).__init__(name, size)
        self._open_lock(None)

    def lock(self, timeout=None, repair=False):
        """Locks the bytes to read and write them, alone: ``with shm.lock():``.

        ``timeout``: seconds, then :class:`Timeout`; None waits for ever. If a writer was killed
        while it was writing, or left its block by an exception, this raises :class:`OwnerDied`,
        until a block of ``lock(repair=True)`` repairs the bytes and ends without an exception.
        """
        return self._locked("w", timeout, repair)


class RWSharedMMap(_Locked):
    """The bytes of the shared-memory object ``name`` under a lock for one writer or many readers.

    A handle is for one thread. ``max_readers``: how many handles may be open at once (default 64,
    at most 1000). ``size``: as for :class:`UnsafeSharedMMap`. ``legacy``, ``lock_timeout``: as for
    :class:`SharedMMap`; ``max_readers`` is then the number of the other side (default 1000).

    >>> shm = RWSharedMMap("/state", "1M")
    >>> with shm.lock_read():
    ...     array = np.load(shm)
    """

    def __new__(cls, name, size, max_readers=None, legacy=False,
                lock_timeout=LOCK_TIMEOUT):
        if legacy:
            return _legacy_bytes(name, size, max_readers or 1000, lock_timeout)
        return super(RWSharedMMap, cls).__new__(cls, name, size)

    def __init__(self, name, size, max_readers=None, legacy=False, lock_timeout=None):
        super(RWSharedMMap, self).__init__(name, size)
        self._opened = type(self), (name, size, max_readers)
        self._open_lock(max_readers)

    def lock_read(self, timeout=None):
        """Locks the bytes to read them, together with other readers: ``with shm.lock_read():``.
        ``timeout``: as for :meth:`SharedMMap.lock`."""
        return self._locked("r", timeout, False)

    def lock_write(self, timeout=None, repair=False):
        """Locks the bytes to read and write them, alone: ``with shm.lock_write():``. The arguments
        are those of :meth:`SharedMMap.lock`."""
        return self._locked("w", timeout, repair)


FastSharedMMap = RWSharedMMap


def _legacy_bytes(name, size, max_readers, lock_timeout):
    """Bytes under the semaphores of the package that this one began as."""
    from io_shared._legacy import LegacyMMap  # which needs this module

    return LegacyMMap(name, size, max_readers, lock_timeout)


def length_of(data):
    """How many bytes ``data`` has."""
    try:
        view = memoryview(data)
    except TypeError:  # a text of Python 2, or something that write refuses
        return len(data)
    length = view.itemsize
    for n in view.shape:
        length *= n
    return length
