"""The lock beside shared bytes: a region of the library's own, which knows its owner."""

import os
from ctypes import byref, c_void_p

from io_shared import _library, errors
from io_shared._wait import Deadline

RW = 2


class Lock(object):
    """One handle of the lock ``name``; ``handles``: how many may be open at once."""

    def __init__(self, name, handles):
        made = _library.options(name, capacity=1, consumers=handles)
        self._handle = _library.open_handle(_library.mmap_open, _library.mmap_close, made, RW)
        self._process = os.getpid()
        self._name = _library.native(name)

    def is_inherited(self):
        """Whether a fork has made this a copy of the parent's: it has no lock, whatever it says."""
        return os.getpid() != self._process

    def close(self):
        self._handle = None

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
                if deadline.is_over():
                    raise errors.Timeout(
                        "%s: it was not to be had within %s s" % (self._name, timeout)
                    )
                continue
            if status not in (_library.OK, _library.OWNER_DIED):
                raise _library.failure(status)
            guard = Guard(guard.value)
            if status == _library.OWNER_DIED and not repair:
                guard.release()
                raise errors.OwnerDied(
                    "%s: a writer was killed in the middle, and what it left may be half-written: "
                    "make it right in a block of lock(repair=True) or lock_write(repair=True)"
                    % self._name
                )
            return guard


class Guard(object):
    """The lock, held until ``release``."""

    __slots__ = ("_pointer", "_drop")

    def __init__(self, pointer):
        self._pointer, self._drop = pointer, _library.mmap_guard_drop

    def mark_consistent(self):
        _library.check(_library.mmap_mark_consistent(self._pointer))

    def release(self):
        pointer, self._pointer = self._pointer, None
        self._drop(pointer)

    def __del__(self):
        self.release()
