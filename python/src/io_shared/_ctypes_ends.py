"""What producers and consumers do for each value, by ctypes. ``_native_ends`` has the same by the
native module."""

import ctypes
from ctypes import byref, c_void_p

import numpy as np

from io_shared import _forks, _kinds, _library, _messages
from io_shared._held import Value, has
from io_shared._library import consumer_get, get_like, put_like, put_short
from io_shared._memory import Memory

_OK = _library.OK
_ndarray = np.ndarray


class Puts(object):
    """The puts of an array producer."""

    def _begin_puts(self):
        self._like_last = _PutLike()

    def _end_puts(self):
        self._like_last = _PutLike()

    def _put_array(self, array, tag, seq, stamp):
        """Puts ``array``."""
        if tag or seq is not None or stamp is not None:
            return self._put_plain(array, _library.label(self.name, tag, seq, stamp))
        if type(array) is not _ndarray:
            array = _kinds.array(array, self.name)
        like = self._like_last
        if not (
            array.dtype is like.dtype
            and array.shape == like.shape
            and array.strides == like.strides
        ):
            like = self._like(array)
        if like.is_short:
            data, put = array.tobytes(like.order), put_short
        elif like.is_contiguous:
            data, put = c_void_p(_messages.address(array)), put_like
        else:
            header = like.header
            del like  # as below
            return self._put_scattered(array, header, _library.NO_LABEL)
        status = put(like.puts_in, data)
        if status != _OK:
            # A traceback keeps this frame, but no handle: close() still ends the role.
            del like
            raise _library.failure(status, self._words)

    def _loan_like(self, shape, dtype, tag):
        """A loan in place that needs no more preparation; None if there is none."""

    def _learn_loan(self, asked, header, length, shape, dtype):
        """Prepares for loans in place that are asked for alike. Whether they need no more."""
        return False

    def _like(self, array):
        """What arrays of the same dtype and layout as ``array`` have in common."""
        like = _PutLike()
        like.header, like.order, like.is_contiguous = self._frame(array)
        like.is_short = len(like.header) + array.nbytes <= _messages.SHORT
        like.handle, start = self._open(), len(like.header)
        like.puts_in = byref(_library.Puts(
            like.handle.value, like.header, start, array.nbytes, ctypes.addressof(self._seq),
            *_library.NO_LABEL
        ))
        # Names of fields may be changed in place, which leaves the dtype the same object.
        if array.dtype.names is None:
            like.dtype, like.shape, like.strides = array.dtype, array.shape, array.strides
            self._like_last = like
            if self._handle is None:  # closed meanwhile
                self._like_last = _PutLike()
        return like


class Typed(object):
    """The puts of a producer of messages."""

    def put(*value, **fields):
        """Puts a message: ``put(frame=1, points=points)`` with all of its fields, or one value that
        has them (a mapping, a structured value, a message, a tuple). For a message without field
        names, put its value. Never waits for anybody.

        ``tag=``, ``seq=`` and ``stamp=`` are as in :meth:`ArrayProducer.put`. If the message has a
        field of that name, it is the field; then a loan can have the value's.

        >>> clouds.put(frame=1, stamp_ns=0, points=points)
        """
        self, value = value[0], value[1:]  # a field may be called self or value
        self._put_any(value, fields)


class _PutLike(object):
    """What messages of arrays of one dtype and layout have in common; nothing while ``dtype`` is
    None."""

    __slots__ = ("dtype", "shape", "strides", "order", "is_contiguous", "is_short", "handle",
                 "header", "puts_in")

    def __init__(self):
        self.dtype = None


class Gets(object):
    """The gets of a consumer."""

    def get(self, timeout=None):
        """Waits for a value that this consumer has not seen yet, and returns a copy, which is
        writable.

        The first get of a new consumer returns the latest value at once, however old (``age``).
        ``timeout``: seconds, then :class:`Timeout`; None waits for ever. Ctrl-C interrupts it.

        >>> cloud = clouds.get(timeout=0.5)
        """
        value = self._next(_library.SLICE) if timeout is None else None
        return self._get(timeout) if value is None else value

    def try_get(self):
        """As ``get``, but returns None at once if there is no value that was not seen yet."""
        return self._next(0)

    def _begin_gets(self):
        #: The numbers of the value that was got last. Its guard is dropped.
        self._last = Value()
        #: Copies a value that has the same header as the last one; empty while a call uses it.
        self._like_last = []

    def _end_gets(self):
        self._like_last = []

    def _note(self, value):
        self._last = value

    def _learn(self, header, copy):
        """Copies values that begin with ``header`` in one call from now on, as this ``copy`` of
        one."""
        self._like_last.append(_GetLike(self._open(), header, copy))

    def _next(self, wait):
        """A copy of a value, after waiting for at most ``wait``; None if there is none."""
        idle = self._like_last
        try:
            like = idle.pop()  # other threads may run this too
        except IndexError:
            like = None
        if like is None:
            value = self._hold(wait)
            return None if value is None else self._copied(value)
        if like.buffer is None:
            like.make_buffer()
        if like.wait != wait:
            like.gets.timeout_ns = like.wait = wait
        status = get_like(like.gets_in)
        if status != _OK:
            idle.append(like)
            del like  # as in a producer's put
            return has(status) or None
        value = self._last = like.value
        if value.guard is not None:
            return self._copied(value)
        copy = like.take()
        idle.append(like)
        return copy

    def _hold(self, wait):
        """A value that is held, after waiting for at most ``wait``; None if there is none."""
        # One for each call: other threads may run this too.
        value = Value()
        return value if has(consumer_get(self._open(), wait, byref(value))) else None

    def _view(self, wait):
        """A value in place, after waiting for at most ``wait``; None if there is none."""
        value = self._hold(wait)
        if value is None:
            return None
        self._last = value
        if not _library.COUNTS:
            return self._view_of_copy(value)
        read = self._read(value)
        keeps = _library.Handle(value.guard, _library.guard_drop)
        root = np.asarray(_forks.kept(Memory(value.data, value.length, True, keeps)))
        return self._messages.view(root, read)


class _GetLike(object):
    """Copies values that have the same ``header`` as ``array``, in one call."""

    __slots__ = ("handle", "gets", "gets_in", "value", "wait", "kind", "is_short", "buffer")

    def __init__(self, handle, header, array):
        self.handle, self.value, self.wait = handle, Value(), 0
        self.gets = _library.Gets(
            handle.value, self.wait, header, len(header), None, array.nbytes,
            ctypes.addressof(self.value),
        )
        self.gets_in = byref(self.gets)
        is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        self.kind = array.shape, array.dtype, "F" if is_fortran else "C"
        self.is_short, self.buffer = array.nbytes <= _messages.SHORT, None

    def make_buffer(self):
        """Makes the array for the next value, before waiting for it."""
        self.buffer = np.empty(*self.kind)
        self.gets.data = _messages.address(self.buffer)

    def take(self):
        """The copied value, which the caller owns."""
        if self.is_short:
            return self.buffer.copy("K")
        buffer, self.buffer = self.buffer, None
        return buffer


class Share(object):
    """What shares are made from: nothing."""


def serve(share, end):
    """Has the methods of ``share`` that are called for each value go to ``end`` directly."""
