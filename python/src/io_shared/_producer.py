"""Producers: the side that puts."""

import ctypes
import itertools
import re
from ctypes import byref, c_void_p

import numpy as np

from io_shared import _encoding, _ends, _kinds, _library, _lists, _loan, _messages, _schema, errors
from io_shared._library import put_like, put_short
from io_shared._memory import Lent, Buffers
from io_shared._wait import OPEN_TIMEOUT, Deadline, opened, timed_out

#: What ``put`` takes besides the fields of a message.
_LABELS = frozenset(("tag", "seq", "stamp"))


class _Producer(_ends.Puts, _library.Closing):
    """What producers of arrays and of typed messages have in common."""

    #: None until it is opened.
    _buffers = None
    #: Whether the channel grows with its messages where nobody gave a capacity. One of messages
    #: with lists does, too.
    GROWS = False

    def __init__(self, messages, name, capacity, consumers, holds, permissions, flags,
                 open_timeout=OPEN_TIMEOUT, words=_library.TYPED, wait_for_role=0, history=None):
        self.name = _library.native(name)
        self._messages, self._words = messages, words
        if capacity is None and (self.GROWS or messages.has_lists):
            flags |= _library.GROWING
        self._opened = _Producer, (messages, name, capacity, consumers, holds, permissions, flags,
                                    open_timeout, words, wait_for_role, history)
        stated = dict(
            flags=flags,
            schema=messages.schema,
            capacity=capacity,
            consumers=consumers,
            permissions=permissions,
            history=history,
        )
        self._handle = open_end(
            _library.producer_open, _library.producer_close, name, holds, stated, open_timeout,
            words, wait_for_role
        )
        self._seq = ctypes.c_uint64(_library.number(_library.producer_seq, self._open()))
        self._begin_puts()
        #: The memory that loans are filled in.
        self._buffers = Buffers()

    def _open(self):
        handle = self._handle
        if handle is None:
            raise errors.Closed("%s: it was closed" % self.name)
        return handle

    @property
    def seq(self):
        """The sequence number of the last value put, by this producer or an earlier one; 0 if there
        is none."""
        return int(self._seq.value)

    @property
    def capacity(self):
        """The most bytes that one message may have now, header included."""
        return int(_library.number(_library.producer_capacity, self._open()))

    @property
    def connected(self):
        """How many consumers are alive."""
        return int(_library.number(_library.producer_connected, self._open(), ctypes.c_size_t))

    def wait_taken(self, timeout=None):
        """Waits until every consumer that is connected now has seen the last value; returns how
        many have. ``timeout``: seconds, then :class:`Timeout`, which names those that have not.

        >>> clouds.put(cloud)
        >>> clouds.wait_taken(timeout=1)
        """
        deadline = Deadline(timeout)
        seen = ctypes.c_size_t()
        while True:
            slice_ = deadline.slice()
            status = _library.producer_wait_taken(self._open(), slice_, ctypes.byref(seen))
            if status != _library.TIMEOUT:
                _library.check(status)
                return int(seen.value)
            if deadline.is_over():
                raise timed_out(status, timeout, self._words)
            deadline.tell(self.name, lambda: "consumers to see value %d" % self.seq)

    def interrupt(self):
        """Ends the current :meth:`wait_taken` with :class:`Interrupted`, or else the next one.

        It may be called by another thread, or by a signal handler, which Python runs within 100 ms
        of the signal."""
        handle = self._handle
        if handle is not None:
            _library.producer_interrupt(handle)

    def sync(self):
        """Writes the last value put to the channel's file, and returns when it is stored. It then
        survives a reboot and a power cut. Does nothing for a channel in memory. A value that is put
        afterwards needs a sync of its own."""
        _library.check(_library.producer_sync(self._open()))

    def close(self):
        """Gives the role back. The channel, its last value and the arrays of loans stay."""
        if self._buffers is None:
            return  # it was never opened
        self._buffers.clear()
        self._end_puts()
        _library.close(self)
        # Again: a put of another thread may have stored the handle meanwhile.
        self._end_puts()

    def _put_bytes(self, message, label=_library.NO_LABEL):
        self._put_data(message, None, 0, label)

    def _lend(self, length):
        return Lent(self._open(), length, self._words)

    def _put_data(self, header, data, length, label):
        """Puts the message of ``header``, followed by the ``length`` bytes at the address
        ``data``."""
        handle, seq = self._open(), ctypes.addressof(self._seq)
        puts = _library.Puts(handle.value, header, len(header), length, seq, *label)
        put = put_short if length <= _messages.SHORT else put_like
        status = put(byref(puts), c_void_p(data))
        if status != _library.OK:
            del handle  # as in put
            raise _library.failure(status, self._words)

    def _put_lent(self, lent, length, label):
        """Puts a buffer that was filled in shared memory."""
        self._seq.value = lent.put(length, label)


class ArrayProducer(_encoding.Arrays, _Producer):
    """Puts arrays of any dtype and shape. Made by ``producer`` without a dtype, and by
    ``NumpyShare``.

    >>> clouds = io_shared.producer("/cloud_share")
    >>> clouds.put(np.zeros((120000, 4), np.float32))
    """

    GROWS = True

    def put(self, array, tag=0, seq=None, stamp=None):
        """Puts a copy of ``array`` (anything that ``numpy.asanyarray`` takes), which becomes the
        newest value. Never waits for anybody.

        ``tag``: any number of yours, from 0 to 2**64 - 1, that consumers and observers find with
        the value. A stage of a pipeline tags its output with the ``seq`` of its input, so that the
        two can be paired.

        >>> labels.put(network(clouds.get()), tag=clouds.seq)

        ``seq``: puts the value under this number in place of the next one, for programs that pass
        on or replay what was numbered elsewhere. Numbers only go up, else :class:`BadSeq`;
        consumers count those that were left out as missed. ``stamp`` is then when the value was put
        at first, in nanoseconds of ``time.monotonic_ns()`` on this machine; without it, it is the
        time of this put. Pass 0 if that time is not known: then the value has no age.

        >>> copies.put(array, seq=original.seq, stamp=0)
        """
        self._put_array(array, tag, seq, stamp)

    def loan(self, shape, dtype=np.float64, order="C", in_place=False, tag=0, seq=None,
             stamp=None):
        """Lends an array to fill in a ``with`` block. It is put at the end of the block, and
        becomes read-only. After an exception, or ``cancel()`` of the loan, nothing is put. Its
        content is undefined at first.

        >>> with clouds.loan((120000, 4), np.float32) as out:
        ...     lidar.read_into(out)

        ``out`` is memory of this process, aligned to 64 bytes, and is copied at the put. So it may
        be kept and passed on like any array. Memory that nobody refers to any more is used for
        later loans.

        ``in_place=True`` lends shared memory instead, and nothing is copied. Use it only if no
        reference to the memory but ``out`` is left after the block: no slice, no tensor, no
        address. If another one is found, nothing is put and :class:`AlreadyLoaned` is raised. One
        that cannot be found (a ``memoryview`` after ``out`` was deleted, an address in ``ctypes``)
        can change what others read. While the block runs, this producer can put nothing else. PyPy,
        which counts no references, ignores ``in_place``.

        ``tag``, ``seq``, ``stamp``: as in :meth:`put`. The loan has the tag as ``tag``, which may
        be set until the block ends."""
        is_plain = in_place and order == "C" and seq is None and stamp is None
        asked = shape, dtype, tag
        loan = self._loan_like(*asked) if is_plain else None
        if loan is not None:
            return loan
        label = _library.label(self.name, tag, seq, stamp)
        shape = _kinds.axes(shape)
        dtype = _kinds.dtype(dtype)
        header, length = self._messages.frame(shape, dtype, order)
        _kinds.refuse_shape(shape, dtype)
        if is_plain and self._learn_loan(asked, header, length, shape, dtype):
            return self._loan_like(*asked)

        def view(data):
            return np.ndarray(shape, dtype, data, order=order)

        return _loan.Loan(self, header, length - len(header), view, in_place, label)


class TypedProducer(_ends.Typed, _encoding.Fields, _Producer):
    """Puts messages with fields. Made by ``producer`` with a dtype."""

    def _put_any(self, value, fields):
        """Puts the message of these ``fields``, or of the one in the tuple ``value``."""
        layout, label = self._messages.layout, _library.NO_LABEL
        if not _LABELS.isdisjoint(fields):
            given = [
                fields.pop(name, none) if name not in layout.fields else none
                for name, none in (("tag", 0), ("seq", None), ("stamp", None))
            ]
            label = _library.label(self.name, *given)
        self._put_message(layout, value, fields, label)

    def loan(self, elements=0, in_place=False, tag=0, seq=None, stamp=None, **shapes):
        """Lends a message with ``elements`` elements in its tail, as :meth:`ArrayProducer.loan`
        lends arrays.

        >>> with clouds.loan(len(x)) as out:
        ...     out.frame, out.points["x"] = 1, x

        Of a message with lists, it takes the shape of each by name (or all as one mapping); those
        that are not named are empty. The other fields are 0 at first.

        >>> with frames.loan(rgb=(480, 640, 3), names=2) as out:
        ...     out.stamp, out.names = 1, ["car", "person"]
        ...     camera.read_into(out.rgb)
        """
        if self._messages.has_lists:
            shapes = _lists.sizes(self._messages.layout, elements, shapes, self.name)
            length, begin = self._messages.lay_out(shapes)
            label = _library.label(self.name, tag, seq, stamp)
            return _loan.Loan(self, b"", length, begin, in_place, label)
        if shapes:
            raise errors.WrongFields(
                "%s: its messages have no lists %s" % (self.name, ", ".join(sorted(shapes)))
            )
        axes = _kinds.axes(elements)
        if len(axes) != 1:
            raise errors.WrongFields(
                "%s: a loan takes a number of elements, not %r" % (self.name, elements)
            )
        length = self._messages.length(*axes)
        label = _library.label(self.name, tag, seq, stamp)
        return _loan.Loan(self, b"", length, self._messages.view, in_place, label)


def open_end(open_, close, name, holds, stated, open_timeout, words, wait_for_role):
    """Opens a channel. A consumer holds two values at once, or ``holds``."""
    holds = 2 if holds is None else holds
    attempts = itertools.count()

    def open_within(seconds, role):
        made = _library.options(
            name, holds=holds, open_timeout=seconds, wait_for_role=role, **stated
        )
        collects = next(attempts) == 0
        return _library.open_handle(open_, close, made, words=words, collects=collects)

    name = _library.native(name)
    try:
        return opened(open_within, open_timeout, name, wait_for_role)
    except errors.Mismatch as error:
        raise errors.alone(errors.Mismatch(_in_words(str(error), name, stated.get("schema"))))


def _in_words(text, name, schema):
    """What a mismatch says. Between arrays and messages, the names of fields mean nothing."""
    differences, _, users = text.rpartition("\n")
    wants_arrays = schema is not None and _schema.is_array(schema)
    if wants_arrays and ("`npy`: channel has none" in text or "program struct Array of 0" in text):
        differences = "%s holds messages, not arrays: io_shared.open(%r) gets them" % (name, name)
    elif "`npy`: channel has [|u1]" in text or "channel has struct Array of 0" in text:
        differences = "%s holds arrays, not messages: io_shared.open(%r) gets them" % (name, name)
    # Slots are of consumers alone, which the number does not say.
    return "%s\n%s" % (differences, re.sub(r"\bslot (?=[0-9])", "consumer in slot ", users))


def producer(name, dtype=None, tail=None, capacity=None, message="Message", consumers=None,
             holds=None, permissions=None, reopen=True, open_timeout=OPEN_TIMEOUT, wait_for_role=0,
             history=None, kind=None):
    """A producer of typed messages. Rust opens the channel with a struct of the same fields.

    ``dtype``: the fields, or one number. A field of any length is a list: ``["S32"]``, or
    ``("u1", (None, None, 3))`` for an array of three axes of which the last has the length 3.
    ``[("f4", 4)]`` is a list of arrays of 4 numbers.
    ``tail``: ``(field name, dtype)`` of the elements at the end; each message may have another
    number of them. Without either, messages are arrays of any dtype and shape.

    >>> frames = producer("/frames", {"stamp": "u8", "rgb": ("u1", (None, None, 3)),
    ...                               "depth": ("f4", (None, None)), "names": ["S32"]})
    >>> frames.put(stamp=1, rgb=image, depth=depth, names=["car", "person"])

    The fields of a dict lie in an order of their own, so that there is no padding. To name them in
    the order of a struct in Rust or C, give a list of pairs: ``[("stamp", "u8"), ..]``.

    ``capacity``: the most bytes of one message (a number, or ``"5M"``). Without it, a channel of
    arrays, or of messages with lists, grows with them, to the next power of two. Messages with a
    tail need it: a producer of these without it waits for a consumer that has it, ``open_timeout``
    seconds (5), then :class:`NotFound`; None waits for ever.

    ``message``: the struct's name, for display. ``kind``: what the values are for recorders and
    viewers: ``"cloud"``, ``"image:bgr8"`` with any encoding of ROS, ``"depth"`` or ``"none"``. The
    program that creates the channel decides it. The other options are those of ``NumpyShare``.

    >>> point = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("intensity", "f4")])
    >>> header = np.dtype([("frame", "u8"), ("stamp_ns", "u8")])
    >>> clouds = producer("/cloud_share", header, tail=("points", point), capacity="5M")
    >>> clouds.put(frame=1, stamp_ns=0, points=np.zeros(120000, point))
    """
    flags = 0 if reopen else _library.NO_REOPEN
    if dtype is None and tail is None:
        end, messages = ArrayProducer, _messages.Arrays()
    else:
        end, messages = TypedProducer, _messages.declared(dtype, tail, message)
    if kind is not None:
        messages.schema = _schema.of_kind(messages.schema, kind, name)
    return end(messages, name, capacity, consumers, holds, permissions, flags, open_timeout,
               wait_for_role=wait_for_role, history=history)
