"""The lock of shared bytes: a region of the library that knows who owns the lock. It contains the
bytes, or stands next to them."""

import contextlib
import os
from ctypes import byref, c_size_t, c_void_p

from io_shared import _library, errors
from io_shared._wait import Deadline, opened
from io_shared.errors import OOMError, ReadAccessError, WriteAccessError

ONE, RW = 1, 2


class Lock(object):
    """A handle of the lock ``name``, and of the bytes in its region. ``handles``: how many may be
    open at once."""

    def __init__(self, name, handles, size=1, kind=RW, permissions=None, open_timeout=0):
        def open_within(seconds, _):
            made = _library.options(name, capacity=size, max_readers=handles,
                                    permissions=permissions, open_timeout=seconds)
            return _library.open_handle(
                _library.mmap_open, _library.mmap_close, made, kind, words=_library.BYTES
            )

        self._handle = opened(open_within, open_timeout, _library.native(name))
        #: How many bytes there are.
        self.size = int(_library.number(_library.mmap_size, self._handle, c_size_t))
        self._process = os.getpid()
        self._name = _library.native(name)

    def is_inherited(self):
        """Whether this is a copy of the parent's handle after a fork, and so has no lock."""
        return os.getpid() != self._process

    def close(self):
        _library.close(self)

    def acquire(self, exclusive, timeout, repair):
        """Waits in slices for a :class:`Guard`, so that Ctrl-C works."""
        handle = self._handle
        if handle is None:
            raise errors.Closed("%s: it was closed" % self._name)
        lock = _library.mmap_lock if exclusive else _library.mmap_lock_read
        guard, data = c_void_p(), c_void_p()
        deadline = Deadline(timeout)
        while True:
            wait = deadline.slice()
            status = lock(handle, wait, byref(guard), byref(data))
            if status in (_library.TIMEOUT, _library.WOULD_BLOCK):
                deadline.tell(self._name, lambda: "the lock, which another handle has")
                if deadline.is_over():
                    raise errors.Timeout(
                        "%s: the lock was not free within %s s" % (self._name, timeout)
                    )
                continue
            if status not in (_library.OK, _library.OWNER_DIED):
                raise _library.failure(status, _library.BYTES)
            guard = Guard(guard.value, data.value, handle)
            if status == _library.OWNER_DIED and not repair:
                guard.release()
                raise errors.OwnerDied(
                    "%s: a writer was killed while it was writing, or left its block by an "
                    "exception, so the bytes may be half-written: repair them in a block of "
                    "lock(repair=True) or lock_write(repair=True)"
                    % self._name
                )
            return guard


class Guard(object):
    """A lock that was taken, until ``release``. ``data``: the address of the bytes in its
    region."""

    __slots__ = ("_pointer", "_drop", "data", "_keeps")

    def __init__(self, pointer, data, keeps):
        self._pointer, self._drop, self.data = pointer, _library.mmap_guard_drop, data
        #: Keeps the bytes mapped while an array made of them is alive.
        self._keeps = keeps

    def mark_consistent(self):
        _library.check(_library.mmap_mark_consistent(self._pointer))

    def mark_dirty(self):
        _library.check(_library.mmap_mark_dirty(self._pointer))

    def flush(self):
        _library.check(_library.mmap_guard_flush(self._pointer))

    def release(self):
        pointer, self._pointer = self._pointer, None
        self._drop(pointer)

    def __del__(self):
        self.release()


class Locking(object):
    """Bytes that are read and written under a lock, ``_lock``."""

    #: How the lock is held ("", "r" or "w"), and its guard.
    _held, _guard = "", None
    #: How many writes were tried since it was taken.
    _writes = 0

    def _may_read(self):
        return bool(self._held) and not self._lock.is_inherited()

    def _reading(self):
        if not self._held or self._lock.is_inherited():
            raise ReadAccessError()

    def _writing(self):
        if self._held != "w" or self._lock.is_inherited():
            raise WriteAccessError()
        self._writes += 1

    @contextlib.contextmanager
    def _locked(self, how, timeout, repair):
        guard = self._lock.acquire(how == "w", timeout, repair)
        self._held, self._guard, self._writes = how, guard, 0
        try:
            yield self
            if repair:
                guard.mark_consistent()
        except BaseException as error:
            # The block did not finish, as if it was killed. But if its only write did not fit,
            # nothing is half-written.
            is_whole = isinstance(error, OOMError) and self._writes <= 1
            if how == "w" and not is_whole and not self._lock.is_inherited():
                guard.mark_dirty()
            raise
        finally:
            self._held, self._guard = "", None
            guard.release()
