"""Typed state: one value that several programs read and change, under a lock."""

import contextlib
from ctypes import byref, c_bool, c_void_p

import numpy as np

from io_shared import _fields, _library, _messages, errors
from io_shared._lock import Guard
from io_shared._memory import address, aligned_bytes
from io_shared._wait import Deadline, opened, timed_out

#: ``IOS_MMAP_STATE``.
KIND = 4


class State(_library.Closing):
    """One value that Python, Rust (``Shared<T>``) and C programs (``IOS_MMAP_STATE``) read and
    change. The first to open it creates it.

    ``dtype``: its fields, or one number, as for :func:`io_shared.producer`; its size is fixed, so
    there are no lists. ``initial``: the value that it has if this handle creates it (``created``
    says so), as :meth:`set` takes one; all zeros by default. ``max_readers``: how many handles may
    be open at once (default 64, at most 1000). ``permissions``: of the shared memory (default
    0o600). ``message``: the struct's name, for display. A handle is for one thread.

    If the state is removed or replaced, its handles go on in the one of that name: the first that
    reads or writes creates it anew.

    >>> robot = State("/robot", {"x": "f8", "y": "f8", "parked": "?"}, initial={"x": 0.5})
    >>> robot.set(x=1.5, y=2.0, parked=False)
    >>> with robot.update() as state:
    ...     state.parked = True
    >>> robot.get().x

    >>> display = State("/robot", {"x": "f8", "y": "f8", "parked": "?"})  # in another program
    >>> while True:
    ...     display.wait_changed()
    ...     show(display.get())
    """

    def __init__(self, name, dtype, initial=None, max_readers=None, permissions=None,
                 message="Message"):
        self.name = _library.native(name)
        self._opened = State, (name, dtype, initial, max_readers, permissions, message)
        self._messages = _messages.declared(dtype, None, message)
        if self._messages.has_lists:
            raise errors.Invalid(
                "%s: a state has a fixed size, and no lists: give an array of as many elements as "
                "there may be, or use a channel" % self.name
            )
        value = None if initial is None else self._bytes((initial,), {})
        made = _library.options(name, schema=self._messages.schema, max_readers=max_readers,
                                permissions=permissions)
        if value is not None:
            made.initial, made.initial_length = address(value), len(value)

        def open_within(*_):
            return _library.open_handle(_library.mmap_open, _library.mmap_close, made, KIND)

        self._handle = opened(open_within, 0, self.name)

    @property
    def created(self):
        """Whether this handle created the state, when it opened it or when it went on."""
        return bool(_library.number(_library.mmap_created, self._open(), c_bool))

    def get(self, timeout=None):
        """A copy of the value. Waits while a writer has the lock: ``timeout`` seconds, then
        :class:`Timeout`; None waits for ever. If a writer was killed in the middle, this raises
        :class:`OwnerDied`, until somebody sets a whole value or repairs it."""
        guard, dirty = self._lock(_library.mmap_lock_read, timeout)
        try:
            return self._read(guard, dirty)
        finally:
            guard.release()

    def set(*value, **fields):
        """Writes a whole value: all fields by name, or one mapping or number. It looks at nothing
        of what there is, and repairs what a killed writer has left.

        >>> robot.set(x=1.5, y=2.0, parked=False)
        """
        self, value = value[0], value[1:]  # a field may be called self or value
        own = self._bytes(value, fields)
        deadline = Deadline(None)
        while True:
            status = _library.mmap_set(self._open(), address(own), len(own), deadline.slice())
            if status not in (_library.TIMEOUT, _library.WOULD_BLOCK):
                return _library.check(status)
            deadline.tell(self.name, lambda: "the lock, which another handle has")

    @contextlib.contextmanager
    def update(self, timeout=None, repair=False):
        """A block that changes the value, while nobody else reads or writes it.

        The block has a copy of the value, which is written when it ends. If it ends by an
        exception, nothing is written. A value without fields is an array: ``value[()] = 3``, or
        ``value[:] = 0``. ``timeout`` and :class:`OwnerDied` are as for :meth:`get`; with ``repair``
        the block gets what a killed writer has left, and its value is whole.

        >>> with robot.update() as state:
        ...     state.x += 0.5
        """
        guard, dirty = self._lock(_library.mmap_lock, timeout)
        try:
            if dirty and not repair:
                raise self._owner_died()
            own = aligned_bytes(np.empty, self._size())
            _library.check(_library.copy(address(own), guard.data, len(own)))
            yield self._messages.view(own)
            self._check(own)
            _library.check(_library.copy(guard.data, address(own), len(own)))
            if repair:
                guard.mark_consistent()
        finally:
            guard.release()

    def changed(self):
        """Whether another handle has finished a write since this handle's last :meth:`get` or
        :meth:`update`. To one that has read nothing yet, whatever was written before is a
        change."""
        return bool(_library.number(_library.mmap_changed, self._open(), c_bool))

    def wait_changed(self, timeout=None):
        """Sleeps until :meth:`changed` is true. ``timeout``: seconds, then :class:`Timeout`; None
        waits for ever. No write is missed, but there may be several until the next :meth:`get`. If
        a writer is killed in the middle, this returns within 100 ms, and :meth:`get` raises
        :class:`OwnerDied`."""
        deadline = Deadline(timeout)
        while True:
            status = _library.mmap_wait_changed(self._open(), deadline.slice())
            if status != _library.TIMEOUT:
                return _library.check(status)
            if deadline.is_over():
                raise timed_out(status, timeout)
            deadline.tell(self.name, lambda: "another program to write")

    def close(self):
        """Closes the handle. The state stays."""
        _library.close(self)

    def _open(self):
        if self._handle is None:
            raise errors.Closed("%s: it was closed" % self.name)
        return self._handle

    def _size(self):
        return self._messages.length()

    def _lock(self, lock, timeout):
        """A guard, and whether the content is dirty."""
        handle, deadline = self._open(), Deadline(timeout)
        guard, data = c_void_p(), c_void_p()
        while True:
            status = lock(handle, deadline.slice(), byref(guard), byref(data))
            if status not in (_library.TIMEOUT, _library.WOULD_BLOCK):
                break
            deadline.tell(self.name, lambda: "the lock, which another handle has")
            if deadline.is_over():
                raise errors.Timeout(
                    "%s: the lock was not free within %s s" % (self.name, timeout)
                )
        if status not in (_library.OK, _library.OWNER_DIED):
            raise _library.failure(status)
        return Guard(guard.value, data.value, handle), status == _library.OWNER_DIED

    def _read(self, guard, dirty):
        if dirty:
            raise self._owner_died()
        return self._messages.copy(guard.data, self._size())[0]

    def _owner_died(self):
        return errors.OwnerDied(
            "%s: a writer was killed while it was writing, so the value may be half-written: set a "
            "whole one, or repair it in a block of update(repair=True)" % self.name
        )

    def _bytes(self, value, fields):
        """The bytes of a whole value, as :meth:`set` takes it."""
        layout = self._messages.layout
        own = aligned_bytes(np.zeros, self._size())
        out = self._messages.view(own)
        if layout.fields:
            given = _fields.given(layout.fields, value, fields, self.name)
            for name in layout.header_names:
                if name in given:
                    out[name] = given[name]
        elif fields or len(value) != 1:
            raise errors.WrongFields(
                "%s: it has no fields, but one value, %s" % (self.name, layout.header)
            )
        else:
            _fields.assign(out, value[0], self.name)
        self._check(own)
        return own

    def _check(self, own):
        """Refuses what is no value of an enum: what is written is not checked again."""
        self._messages.copy(address(own), len(own))
