"""The lock of shared bytes, in or beside them: a region of the library's own, which knows its owner."""

import contextlib
import os
from ctypes import byref, c_size_t, c_void_p

from io_shared import _library, errors
from io_shared._wait import Deadline, opened
from io_shared.errors import OOMError, ReadAccessError, WriteAccessError

ONE, RW = 1, 2


class Lock(object):
    """One handle of the lock ``name`` and of the bytes in it; ``handles``: how many may be open at
    once."""

    def __init__(self, name, handles, size=1, kind=RW, permissions=None, open_timeout=0):
        def open_within(seconds):
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
        """Whether a fork has made this a copy of the parent's: it has no lock, whatever it says."""
        return os.getpid() != self._process

    def close(self):
        _library.close(self)

    def acquire(self, exclusive, timeout, repair):
        """A :class:`Guard`, waited for in slices so that Ctrl-C works."""
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
                deadline.tell(self._name, lambda: "the lock, which another has")
                if deadline.is_over():
                    raise errors.Timeout(
                        "%s: it was not to be had within %s s" % (self._name, timeout)
                    )
                continue
            if status not in (_library.OK, _library.OWNER_DIED):
                raise _library.failure(status, _library.BYTES)
            guard = Guard(guard.value, data.value, handle)
            if status == _library.OWNER_DIED and not repair:
                guard.release()
                raise errors.OwnerDied(
                    "%s: a writer was killed in the middle, or left its block by an exception, and "
                    "what it left may be half-written: make it right in a block of lock(repair=True) or lock_write(repair=True)"
                    % self._name
                )
            return guard


class Guard(object):
    """The lock, held until ``release``. ``data``: where the bytes in its region lie meanwhile."""

    __slots__ = ("_pointer", "_drop", "data", "_keeps")

    def __init__(self, pointer, data, keeps):
        self._pointer, self._drop, self.data = pointer, _library.mmap_guard_drop, data
        #: What has the bytes mapped, for as long as an array made of them lives.
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
    """What is read and written under a lock: ``_lock``."""

    #: What the lock is held for: "", "r" or "w"; and its guard.
    _held, _guard = "", None
    #: How many writes there were, or were to be, since it is.
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
            # It did not get to its end, as if it was killed; but nothing is half-written if its one
            # write did not fit.
            is_whole = isinstance(error, OOMError) and self._writes <= 1
            if how == "w" and not is_whole and not self._lock.is_inherited():
                guard.mark_dirty()
            raise
        finally:
            self._held, self._guard = "", None
            guard.release()
