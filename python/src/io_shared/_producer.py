"""The side that puts."""

import ctypes
import sys
from ctypes import byref, c_void_p

import numpy as np

from io_shared import _library, _messages, _schema, errors
from io_shared._library import put_like, put_short
from io_shared._memory import Lent, Memory
from io_shared._wait import OPEN_TIMEOUT, Deadline, opened

_ndarray = np.ndarray


class _Producing(_library.Closing):
    """What producers of arrays and of typed messages share."""

    def __init__(self, messages, name, capacity, consumers, holds, permissions, flags,
                 open_timeout=OPEN_TIMEOUT, words=_library.TYPED):
        self.name = _library.native(name)
        self._messages, self._words = messages, words
        stated = dict(
            flags=flags,
            schema=messages.schema,
            capacity=capacity,
            consumers=consumers,
            permissions=permissions,
        )
        self._handle = open_end(
            _library.producer_open, _library.producer_close, name, holds, stated, open_timeout, words
        )
        self._seq = ctypes.c_uint64(_library.number(_library.producer_seq, self._open()))
        self._seq_out = ctypes.byref(self._seq)
        self._like_last = _Like()

    def _open(self):
        handle = self._handle
        if handle is None:
            raise errors.Closed("%s: it was closed" % self.name)
        return handle

    @property
    def seq(self):
        """The number of the last value put, by this producer or one before it; 0 for none."""
        return int(self._seq.value)

    @property
    def capacity(self):
        """The most bytes that one message may have, header included."""
        return int(_library.number(_library.producer_capacity, self._open()))

    @property
    def consumers(self):
        """How many consumers live."""
        return int(_library.number(_library.producer_consumers, self._open(), ctypes.c_size_t))

    def wait_taken(self, timeout=None):
        """Waits until every consumer that is there now has had the last value; how many have.
        ``timeout`` in seconds, then :class:`Timeout` names those that have not."""
        deadline = Deadline(timeout)
        had = ctypes.c_size_t()
        while True:
            slice_ = deadline.slice()
            status = _library.producer_wait_taken(self._open(), slice_, ctypes.byref(had))
            if status != _library.TIMEOUT or deadline.is_over():
                _library.check(status)
                return int(had.value)
            deadline.tell(self.name, lambda: "consumers to have had value %d" % self.seq)

    def close(self):
        """Gives the role back; the channel and its last value stay. An array of a loan that still
        lives keeps the role until it is gone."""
        self._like_last = _Like()
        _library.close(self)
        # Once more: a put of another thread may have remembered the handle in between.
        self._like_last = _Like()

    def _put_bytes(self, message):
        _library.check(
            _library.producer_put(self._open(), message, len(message), self._seq_out), self._words
        )

    def _lend(self, length):
        loan, data, handle = ctypes.c_void_p(), ctypes.c_void_p(), self._open()
        status = _library.producer_loan(handle, length, ctypes.byref(loan), ctypes.byref(data))
        if status != _library.OK:
            del handle  # as in put
            raise _library.failure(status, self._words)
        return Memory(data.value, length, False, Lent(loan.value, handle))

    def _put(self, lent, length):
        self._seq.value = lent.put(length)


class ArrayProducer(_Producing):
    """Puts arrays of any dtype and shape."""

    def put(self, array):
        """Puts a copy of ``array`` (anything that ``numpy.asanyarray`` takes): the newest value from
        now on. Never waits for anybody."""
        if type(array) is not _ndarray:
            array = np.asanyarray(array)
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
            return self._put_scattered(array, header)
        status = put(like.puts_in, data)
        if status != _library.OK:
            # A traceback keeps this frame, and no handle: close() ends the role all the same.
            del like
            raise _library.failure(status, self._words)

    def _like(self, array):
        """What is to be known of ``array``, and of others like it."""
        like = _Like()
        flags = array.flags
        like.order = "F" if flags.f_contiguous and not flags.c_contiguous else "C"
        like.is_contiguous = flags.c_contiguous or flags.f_contiguous
        like.header, length = self._messages.frame(array.shape, array.dtype, like.order)
        like.is_short = length <= _messages.SHORT
        like.handle, start = self._open(), len(like.header)
        like.puts_in = byref(_library.Puts(
            like.handle.value, like.header, start, length - start, ctypes.addressof(self._seq)
        ))
        # The names of fields may be changed in place; it would still be the same dtype.
        if array.dtype.names is None:
            like.dtype, like.shape, like.strides = array.dtype, array.shape, array.strides
            self._like_last = like
            if self._handle is None:  # closed meanwhile
                self._like_last = _Like()
        return like

    def _put_scattered(self, array, header):
        length = len(header) + array.nbytes
        memory = self._lend(length)
        root = np.asarray(memory)
        _fill(root, header)
        np.copyto(np.ndarray(array.shape, array.dtype, root, len(header)), array)
        self._put(memory.keeps, length)

    def loan(self, shape, dtype=np.float64, order="C"):
        """``with share.loan((n, 4), np.float32) as out:`` fills an array in shared memory, without a
        copy. Its content is undefined at first. At the end of the block ``out`` becomes read-only
        and is put; after an exception nothing is.

        Keep no other array made from ``out`` (a slice, a tensor), nor a second reference to it:
        while one lives, nothing can be put. That raises :class:`AlreadyLoaned`, and the buffer stays
        reserved until it is gone. ``out`` itself may stay; later puts change it.

        In PyPy, which does not know whether another lives, ``out`` is memory of its own, and what it
        has at the end of the block is copied."""
        shape = tuple(shape) if np.iterable(shape) else (shape,)
        header, length = self._messages.frame(shape, dtype, order)
        return Loan(self, length, header)


class _Like(object):
    """What the messages of arrays of one dtype and layout have in common: those with a ``dtype``."""

    __slots__ = ("dtype", "shape", "strides", "order", "is_contiguous", "is_short", "handle",
                 "header", "puts_in")

    def __init__(self):
        self.dtype = None


class TypedProducer(_Producing):
    """Puts messages of fields."""

    def put(self, *value, **fields):
        """Puts a message: ``put(frame=1, points=points)`` with all of its fields, or the one value of
        a message without field names. Never waits for anybody."""
        layout = self._messages.layout
        if not layout.fields:
            return self._put_value(layout, *value, **fields)
        if len(value) == 1 and not fields:
            fields = _fields_of(value[0], layout)
        elif value or set(fields) != set(layout.fields):
            raise errors.WrongFields("a message has the fields %s" % ", ".join(layout.fields))
        elements = len(fields[layout.tail_name]) if layout.tail is not None else 0
        with self.loan(elements) as out:
            for name in layout.fields:
                setattr(out, name, fields[name])
            del out

    def _put_value(self, layout, value):
        dtype = layout.header if layout.tail is None else layout.tail
        value = np.asarray(value, dtype.base)
        shape = dtype.shape if layout.tail is None else value.shape
        if value.shape != shape or layout.tail is not None and value.ndim != 1:
            raise errors.Invalid("a message is %s, not of shape %s" % (dtype, value.shape))
        self._put_bytes(value.tobytes())

    def loan(self, elements=0):
        """``with producer.loan(n) as out:`` fills a message with ``n`` elements in its tail, in shared
        memory: ``out.frame = 1``, ``out.points["x"] = x``. The rest is as for arrays."""
        return Loan(self, self._messages.length(elements), b"")


class Loan(object):
    """A message being filled in place: a context manager."""

    def __init__(self, producer, length, header):
        self._producer, self._length, self._header = producer, length, header
        self._memory = None

    def __enter__(self):
        if self._memory is not None:
            raise errors.AlreadyLoaned("%s: this loan was entered already" % self._producer.name)
        if _library.COUNTS:
            self._memory = self._producer._lend(self._length)
            root = np.asarray(self._memory)
        else:
            # Whether an array still lives cannot be known here: it gets memory of its own.
            self._memory = root = np.zeros(self._length, np.uint8)
        _fill(root, self._header)
        self._out = self._producer._messages.view(root)
        self._arrays = [root] + _messages.parts(self._out)
        del root
        self._counts = _counts(self._arrays)
        return self._out

    def __exit__(self, type_, value, trace):
        # Every array made from these has one of them as its base; most have the first. A reference
        # to one of the others may be the caller's own: that of a loan without fields is `out`.
        alive = [now - then for now, then in zip(_counts(self._arrays), self._counts)]
        memory, arrays = self._memory, self._arrays
        self._memory, self._arrays, self._out = (), None, None
        if type_ is not None:
            return
        if not _library.COUNTS:
            for array in arrays:
                array.flags.writeable = False
            return self._producer._put_bytes(memory.tobytes())
        if alive[0] > 0 or max(alive) > 1:
            raise errors.AlreadyLoaned(
                "%s: nothing was put: an array made from the one on loan still lives (or a second "
                "reference to it), and could change the value later: let go of it inside the block"
                % self._producer.name
            )
        for array in arrays:
            array.flags.writeable = False
        self._producer._put(memory.keeps, self._length)


def _counts(arrays):
    return [sys.getrefcount(array) for array in arrays] if _library.COUNTS else []


def _fill(root, header):
    root[: len(header)] = np.frombuffer(header, np.uint8)


def _fields_of(value, layout):
    """The fields of a mapping, a structured value or a message."""
    if isinstance(value, _messages.Message):
        return {name: getattr(value, name) for name in layout.fields}
    if not isinstance(value, dict) and layout.header is not None:
        value = np.asarray(value, layout.header)
    return {name: value[name] for name in layout.fields}


def open_end(open_, close, name, holds, stated, open_timeout, words):
    """A handle of a channel that has two holds if it is made here, and any number if not.

    Where ``holds`` is stated it is at least that. (A producer that finds a channel with fewer, in
    which nobody lives, makes it anew.)"""
    if holds is None and "capacity" in stated:
        made = _library.options(name, holds=2, open_timeout=0, **stated)
        try:
            return _library.open_handle(open_, close, made, words=words)
        except (errors.Mismatch, errors.NotFound):
            pass

    def open_within(seconds):
        made = _library.options(name, holds=holds, open_timeout=seconds, **stated)
        return _library.open_handle(open_, close, made, words=words)

    return opened(open_within, open_timeout, _library.native(name))


def producer(name, dtype=None, tail=None, capacity=None, message="Message", consumers=None,
             holds=None, permissions=None, reopen=False, open_timeout=OPEN_TIMEOUT):
    """A producer of typed messages, which Rust opens with a struct of the same fields.

    ``dtype``: the fields, or one number. ``tail``: ``(field name, dtype)`` of the elements at the end,
    of which each message has its own number; ``capacity`` (bytes, or ``"5M"``) is then needed, as
    nobody else knows how long messages get. Without both, arrays of any dtype and shape.
    A producer that does not state it waits for a consumer that does: ``open_timeout`` seconds (5), then
    :class:`NotFound`; None waits for ever.
    ``message``: the struct's name, for display. The other options are those of ``NumpyShare``.

    >>> point = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("intensity", "f4")])
    >>> header = np.dtype([("frame", "u8"), ("stamp_ns", "u8")])
    >>> clouds = producer("/cloud_share", header, tail=("points", point), capacity="5M")
    >>> clouds.put(frame=1, stamp_ns=0, points=np.zeros(120000, point))
    """
    flags = _library.REOPEN if reopen else 0
    if dtype is None and tail is None:
        kind, messages = ArrayProducer, _messages.Arrays()
    else:
        kind, messages = TypedProducer, _messages.Typed(_schema.schema(dtype, tail, message))
    return kind(messages, name, capacity, consumers, holds, permissions, flags, open_timeout)
