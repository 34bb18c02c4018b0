"""The other side of the package that this one began as, which is left as it is: its shares of
arrays and its locked bytes, under its own semaphores.

Waits are in slices, so that Ctrl-C works. None of them holds a semaphore meanwhile.
"""

import ctypes
import os
from ctypes import byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

from io_shared import _kinds, _library, _messages, _npy, errors
from io_shared._library import _POINTER, _declare
from io_shared._locked import LockedBytes
from io_shared._wait import LOCK_TIMEOUT, Deadline, timed_out
from io_shared.errors import OOMError

_open_objects = _declare("legacy_open", c_char_p, c_uint32, c_uint64, c_uint32, c_int64, _POINTER)
_close = _declare("legacy_close", c_void_p, returns=None)
_put = _declare("legacy_put", c_void_p, c_char_p, c_size_t, c_void_p, c_size_t, c_int64)
_get = _declare("legacy_get", c_void_p, c_int64, _POINTER, c_void_p)
_lock = _declare("legacy_lock", c_void_p, c_int32, c_int64)
_unlock = _declare("legacy_unlock", c_void_p)
_size = _declare("legacy_size", c_void_p, c_void_p)
_read = _declare("legacy_read", c_void_p, c_uint64, c_void_p, c_size_t)
_write = _declare("legacy_write", c_void_p, c_uint64, c_void_p, c_size_t)

_PUT, _GET, _LOCKED, _RW = 0, 1, 2, 3
_OUT_OF_BOUNDS, _OTHER = 18, 106


def _open(name, kind, size=0, max_readers=0, lock_timeout=LOCK_TIMEOUT):
    out = c_void_p()
    if lock_timeout is None:
        raise errors.WrongFields(
            "%s: lock_timeout must be a number of seconds, not None: a program that died with a "
            "semaphore never gives it back (float('inf') waits for ever)" % _library.native(name)
        )
    lock_timeout = _library.nanoseconds(lock_timeout)
    name = _library.encoded(_library.native(name))
    _check(_open_objects(name, kind, size, max_readers, lock_timeout, byref(out)))
    return _library.Handle(out.value, _close)


def _failure(status):
    if status == _OUT_OF_BOUNDS:
        return OOMError(str(_library.failure(status, _library.SHARE)))
    if status == _OTHER:  # of what lies there: no array, or a damaged one
        return errors.Corrupt(str(_library.failure(status, _library.SHARE)))
    return _library.failure(status, _library.SHARE)


def _check(status):
    if status != _library.OK:
        raise _failure(status)


class _NotHere(errors.Invalid, AttributeError):
    """What only channels have."""


class _End(_library.Closing):
    """One end of a share of arrays. It has what the original's shares had."""

    _interrupted = False

    def _call(self, function, timeout, what):
        """Calls ``function(handle, nanoseconds)`` in slices until it returns anything but that the
        time was over. Returns the handle."""
        deadline = Deadline(timeout)
        while True:
            handle = self._handle
            if handle is None:
                raise errors.Closed("%s: it was closed" % self.name)
            if self._interrupted:
                self._interrupted = False
                raise errors.Interrupted(
                    "%s: this program interrupted the wait, and nothing was taken: call again to "
                    "go on waiting" % self.name
                )
            status = function(handle, deadline.slice())
            if status != _library.TIMEOUT:
                _check(status)
                return handle
            if deadline.is_over():
                raise timed_out(status, timeout, _library.SHARE)
            deadline.tell(self.name, lambda: what)

    def interrupt(self):
        """Ends the current wait of this end within 0.1 seconds, or else its next one."""
        self._interrupted = True

    def close(self):
        """Closes it. The object and its semaphores stay."""
        _library.close(self)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise _NotHere(
            "%s: there is no `%s` with legacy=True: the original's shares have arrays alone, which "
            "are put and got one by one" % (self.name, name)
        )


def _without(name):
    """A method that only channels have."""

    def absent(self, *args, **kwargs):
        return self.__getattr__(name)

    return absent


class Putter(_End):
    """The end that puts."""

    def __init__(self, name, size, lock_timeout):
        self.name, self._patience = _library.native(name), lock_timeout
        if size is None:
            raise errors.Invalid("%s: size is not given: the size of the other side" % self.name)
        self._handle = _open(name, _PUT, _library.size(size), lock_timeout=lock_timeout)

    def put(self, array, tag=0, seq=None, stamp=None):
        if tag or seq is not None or stamp is not None:
            raise errors.Invalid(
                "%s: tag, seq and stamp are for channels: the original's shares have arrays alone"
                % self.name
            )
        array = _kinds.plain(array, self.name)
        if not (array.flags.c_contiguous or array.flags.f_contiguous):
            array = np.ascontiguousarray(array)
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        header = _npy.header(array.dtype, array.shape, fortran)
        data = _messages.address(array)

        def put(handle, wait):
            return _put(handle, header, len(header), data, array.nbytes, wait)

        # A lock that is stuck is reported before this is over.
        self._call(put, self._patience + 1, "the lock, which another program has")


class Getter(_End):
    """The end that gets."""

    def __init__(self, name, lock_timeout):
        self.name = _library.native(name)
        self._handle = _open(name, _GET, lock_timeout=lock_timeout)

    def get(self, timeout=None):
        npy, length = c_void_p(), c_size_t()

        def get(handle, wait):
            return _get(handle, wait, byref(npy), byref(length))

        # A signal handler may close this end meanwhile, and the bytes are the handle's.
        handle = self._call(get, timeout, "an array")
        try:
            dtype, shape, fortran, start = _npy.parse(npy.value, length.value)
            array = np.empty(shape, dtype, "F" if fortran else "C")
        except ValueError as error:
            raise errors.alone(errors.Corrupt("%s: %s" % (self.name, error)))
        if array.nbytes:
            ctypes.memmove(_messages.address(array), npy.value + start, array.nbytes)
        del handle
        return array

    def try_get(self):
        try:
            return self.get(0)
        except errors.Timeout:
            return None


for _name in ("loan", "wait_taken", "sync"):
    setattr(Putter, _name, _without(_name))
for _name in ("latest", "borrow"):
    setattr(Getter, _name, _without(_name))


class _Lock(object):
    """The lock of bytes, as :class:`LockedBytes` uses one."""

    def __init__(self, name, size, max_readers, lock_timeout):
        kind = _LOCKED if max_readers is None else _RW
        self._handle = _open(name, kind, size, max_readers or 0, lock_timeout)
        self._name, self._process = _library.native(name), os.getpid()
        self._patience = lock_timeout

    @property
    def size(self):
        out = c_size_t()
        _check(_size(self._open(), byref(out)))
        return int(out.value)

    def is_inherited(self):
        return os.getpid() != self._process

    def close(self):
        _library.close(self)

    def acquire(self, exclusive, timeout, repair):
        # A lock that is stuck is reported before this is over.
        timeout = self._patience + 1 if timeout is None else timeout
        deadline = Deadline(timeout)
        while True:
            handle = self._open()
            status = _lock(handle, exclusive, deadline.slice())
            if status != _library.TIMEOUT:
                _check(status)
                return _Guard(handle)
            if deadline.is_over():
                raise timed_out(status, timeout, _library.SHARE)
            deadline.tell(self._name, lambda: "the lock, which another program has")

    def _open(self):
        handle = self._handle
        if handle is None:
            raise errors.Closed("%s: it was closed" % self._name)
        return handle


class _Guard(object):
    """A lock that was taken, until ``release``."""

    def __init__(self, handle):
        self.handle = handle

    def release(self):
        handle, self.handle = self.handle, None
        if handle is not None:
            _check(_unlock(handle))

    __del__ = release

    def mark_dirty(self):
        """Nothing: the original's locks know nothing of their holders."""

    mark_consistent = flush = mark_dirty


class _Bytes(object):
    """The bytes under a lock, read and written by copies."""

    def __init__(self, handle, size):
        self._handle, self._size = handle, size

    def tobytes(self):
        return self[:].tobytes()

    def __getitem__(self, index):
        if not isinstance(index, slice):
            return self._read(self._at(index), 1)[0]
        start, stop, step = index.indices(self._size)
        if step != 1:
            return self._read(0, self._size)[index]
        return self._read(start, max(stop - start, 0))

    def __setitem__(self, index, value):
        if not isinstance(index, slice):
            start, value = self._at(index), np.array([value], np.uint8)
        else:
            start, _, step = index.indices(self._size)
            if step != 1:
                whole = self[:]
                whole[index] = value
                start, value = 0, whole
        value = np.ascontiguousarray(value)
        _check(_write(self._handle, start, value.ctypes.data, value.nbytes))

    def _read(self, start, length):
        read = np.empty(length, np.uint8)
        _check(_read(self._handle, start, read.ctypes.data, length))
        return read

    def _at(self, index):
        at = index + self._size if index < 0 else index
        if not 0 <= at < self._size:
            raise IndexError("%d is not within %d bytes" % (index, self._size))
        return at


class LegacyMMap(LockedBytes):
    """The bytes of the original's ``SharedMMap`` or, with ``max_readers``, its ``RWSharedMMap``,
    under its own semaphores. ``SharedMMap(.., legacy=True)`` and ``RWSharedMMap(.., legacy=True)``
    make it. It has the methods of :class:`LockedBytes`; ``repair`` means nothing here."""

    def __init__(self, name, size, max_readers=None, lock_timeout=LOCK_TIMEOUT):
        self.name = _library.native(name)
        self._opened = LegacyMMap, (name, size, max_readers, lock_timeout)
        self._lock = _Lock(name, _library.size(size), max_readers, lock_timeout)
        self._position = 0

    @property
    def _bytes(self):
        return _Bytes(self._guard.handle, len(self))
