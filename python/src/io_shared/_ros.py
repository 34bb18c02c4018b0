"""Messages of ROS 1 and ROS 2 as messages of channels, and back: what ``io_shared.ros1`` and
``io_shared.ros2`` are made of.

``ros`` is 1 or 2. The names of types are ``pkg/msg/Name``, or ``pkg/Name`` in ROS 1. Definitions
are ``.msg`` texts, with those of the types in them after lines of ``=`` and ``MSG: pkg/Name``.
"""

import ctypes
import hashlib
import json
import re
import time
import weakref
from ctypes import byref, c_char_p, c_size_t, c_uint32, c_uint64, c_void_p, string_at

import numpy as np

from io_shared import _consumer, _library, _memory, _observer, _producer, _removal, errors
from io_shared._inspect import info
from io_shared._structs import RosMessage
from io_shared._wait import OPEN_TIMEOUT

_AS_CDR, _STAMP, _CUT = 1, 2, 4
_UNSUPPORTED = 26

_POINTER = ctypes.POINTER(c_void_p)
_from_open = _library._declare(
    "from_ros_open", c_uint32, c_char_p, c_char_p, c_char_p, c_uint32, _POINTER
)
_from_convert = _library._declare("from_ros_convert", c_void_p, c_void_p, c_size_t, c_void_p)
_from_schema = _library._declare("from_ros_schema", c_void_p, _POINTER)
_from_close = _library._declare("from_ros_close", c_void_p, returns=None)
_to_open = _library._declare(
    "to_ros_open", c_uint32, c_char_p, c_char_p, c_char_p, c_char_p, _POINTER
)
_to_convert = _library._declare(
    "to_ros_convert", c_void_p, c_void_p, c_size_t, c_uint64, c_char_p, c_uint32, c_void_p
)
_to_type = _library._declare("to_ros_type", c_void_p, _POINTER)
_to_definition = _library._declare("to_ros_definition", c_void_p, _POINTER)
_to_summed = _library._declare("to_ros_summed", c_void_p, _POINTER)
_to_frame = _library._declare("to_ros_frame", c_void_p, _POINTER)
_to_close = _library._declare("to_ros_close", c_void_p, returns=None)


def _check(status):
    if status == _UNSUPPORTED:
        raise errors.Invalid(str(_library.failure(status)))
    _library.check(status)


def _opened(open_, close, *arguments):
    out = c_void_p()
    _check(open_(*(arguments + (byref(out),))))
    return _library.Handle(out.value, close)


def _text(function, handle):
    """The text that ``function`` returns, or None."""
    out = c_void_p()
    status = function(handle, byref(out))
    if status == _library.EMPTY:
        return None
    _check(status)
    try:
        return _library.native(string_at(out.value))
    finally:
        _library.text_free(out)


class FromRos(object):
    """Turns the messages of one topic into messages of a channel.

    ``schema``: that of the channel, if there is one already (``schema_of``). ``cdr``: messages stay
    CDR, whatever they are."""

    def __init__(self, type, definition, ros=2, schema=None, cdr=False):
        arguments = [_library.encoded(text) for text in (type, definition, schema)]
        self._handle = _opened(_from_open, _from_close, *(
            [ros] + arguments + [_AS_CDR if cdr else 0]
        ))
        #: How often the schema has changed: 1 after the first message. Then the channel has to be
        #: opened anew.
        self.version = 0
        #: What the channel is to be opened with: its schema, and its capacity, None if all messages
        #: have the same length.
        self.schema = self.capacity = None
        #: Whether the channel is one of arrays, whose frame goes into another one.
        self.has_frame = False
        #: Whether the messages are CDR.
        self.is_cdr = False

    def convert(self, raw):
        """The :class:`Converted` message of the bytes ``raw``, valid until the next one.

        :class:`Corrupt`: they are no such message. :class:`Invalid`: the channel cannot have it."""
        if str is bytes and isinstance(raw, memoryview):  # NumPy cannot take it in Python 2
            raw = raw.tobytes()
        data = np.frombuffer(raw, np.uint8) if len(raw) else np.zeros(1, np.uint8)
        out = RosMessage()
        _check(_from_convert(self._handle, _memory.address(data), len(raw), byref(out)))
        if out.version != self.version:
            self.version, self.capacity = int(out.version), int(out.capacity) or None
            self.schema = _text(_from_schema, self._handle)
            root = _struct(self.schema)
            self.has_frame = root.get("struct") == "Array"
            self.is_cdr = root.get("struct") == "Cdr"
        return Converted(out, (data, self._handle))


class Converted(object):
    """A message of a channel: ``head``, followed by ``length`` bytes at the address ``data``."""

    __slots__ = ("head", "data", "length", "stamp_ns", "frame_id", "seq", "is_cut", "_keeps")

    def __init__(self, out, keeps):
        self.head = string_at(out.head, out.head_length)
        self.data, self.length = out.data, int(out.data_length)
        self.stamp_ns, self.seq = int(out.stamp_ns), int(out.seq)
        self.frame_id = None if out.frame_id is None else _library.native(out.frame_id)
        self.is_cut = bool(out.flags & _CUT)
        self._keeps = keeps

    def tobytes(self):
        """The whole message."""
        return self.head + string_at(self.data, self.length)


class ToRos(object):
    """Turns the messages of one channel, whose type is ``schema``, into messages of ROS.

    ``kind``: what the values are, whatever their producer says. ``type`` and ``definition``: a type
    that they become, by the names of the fields."""

    def __init__(self, schema, ros=2, kind=None, type=None, definition=None):
        arguments = [_library.encoded(text) for text in (schema, kind, type, definition)]
        self._handle = _opened(_to_open, _to_close, *([ros] + arguments))
        self._asked = 0
        self._about = None
        #: How often the type has changed: 1 after the first message.
        self.version = 0
        #: The frame that the channel's type names, or None.
        self.frame_id = _text(_to_frame, self._handle)

    def convert(self, address, length, stamp_ns, frame_id=None, force_stamp=False):
        """The message of ``length`` bytes at ``address`` as the bytes of one of ROS. ``stamp_ns``:
        nanoseconds since 1970, unless the type has a field for it (``force_stamp``: in any case).

        :class:`Corrupt`: it is no message of the channel. :class:`Invalid`: ROS cannot have it."""
        out = RosMessage()
        _check(_to_convert(
            self._handle, address, length, stamp_ns, _library.encoded(frame_id),
            _STAMP if force_stamp else 0, byref(out),
        ))
        self.version = int(out.version)
        return _joined(out)

    @property
    def type(self):
        """The name of the type; None before the first message of a channel of arrays."""
        return self._type()[0]

    @property
    def definition(self):
        """The definition of the type, or None."""
        return self._type()[1]

    @property
    def is_generated(self):
        """Whether the type is one that was generated for the channel."""
        return (self.type or "").startswith("io_shared_msgs/")

    @property
    def md5sum(self):
        """The MD5 sum of the type in ROS 1, or None."""
        if self.type is None:
            return None
        sums, last = {}, None
        for block in _text(_to_summed, self._handle).split("\n\n"):
            name, _, text = block.strip().partition("\n")
            if not name:
                continue
            for known, sum_ in sums.items():
                text = text.replace("{%s}" % known, sum_)
            coded = text if isinstance(text, bytes) else text.encode("utf-8")
            last = sums[name] = hashlib.md5(coded).hexdigest()
        return last

    def _type(self):
        if self._about is None or self._asked != self.version:
            self._asked = self.version
            self._about = _text(_to_type, self._handle), _text(_to_definition, self._handle)
        return self._about


#: Messages at least this large are made without a second copy.
_LARGE = 64 << 10
_new_bytes = None
if _library.COUNTS:
    _new_bytes = getattr(
        ctypes.pythonapi,
        "PyString_FromStringAndSize" if str is bytes else "PyBytes_FromStringAndSize",
    )
    _new_bytes.argtypes, _new_bytes.restype = (c_void_p, ctypes.c_ssize_t), ctypes.py_object


def _joined(out):
    """The parts of a message as bytes."""
    parts = (
        (out.head, out.head_length), (out.data, out.data_length), (out.tail, out.tail_length)
    )
    length = sum(size for _, size in parts)
    if length < _LARGE or _new_bytes is None:
        return b"".join(string_at(data, size) for data, size in parts if size)
    # Nobody has seen these bytes yet, so they can still be filled.
    made = _new_bytes(None, length)
    end = ctypes.cast(c_char_p(made), c_void_p).value
    for data, size in parts:
        _library.check(_library.copy(end, data, size))
        end += size
    return made


class Producer(_producer._Producer):
    """Puts the messages that ``converter`` has converted into the channel ``name``. A channel of
    another shape that came from ROS, and that nobody puts into, is replaced."""

    def __init__(self, name, converter, consumers=None, holds=None, permissions=None, reopen=True,
                 open_timeout=OPEN_TIMEOUT, wait_for_role=0, history=None):
        flags = 0 if reopen else _library.NO_REOPEN
        if converter.capacity is not None:
            flags |= _library.GROWING
        known = schema_of(name)
        if known is not None and known != converter.schema and is_from_ros(known):
            producer = info(name).get("producer") or {}
            if not producer.get("connected"):
                _removal.remove(name)
        _producer._Producer.__init__(
            self, _Raw(converter.schema), name, converter.capacity, consumers, holds, permissions,
            flags, open_timeout, _library.TYPED, wait_for_role, history
        )

    def put(self, message, tag=0, seq=None, stamp=None):
        """Puts a :class:`Converted` message. ``tag``, ``seq``, ``stamp``: as for any producer."""
        label = _library.label(self.name, tag, seq, stamp)
        self._put_data(message.head, message.data, message.length, label)


class _Raw(object):
    """Messages as bytes."""

    has_lists = is_array = False
    layout = None

    def __init__(self, schema):
        self.schema = schema


class Consumer(_consumer.Consumer):
    """A consumer of any channel, whose gets return ``convert(consumer, address, length)``, called
    while the value lies there."""

    def __init__(self, name, convert, consumer_name=None, open_timeout=OPEN_TIMEOUT, reopen=True,
                 wait_for_role=0, requires_producer=False, history=None):
        flags = 0 if reopen else _library.NO_REOPEN
        flags |= _library.REQUIRES_PRODUCER if requires_producer else 0
        _consumer.Consumer.__init__(
            self, None, name, flags=flags, consumer_name=consumer_name,
            open_timeout=open_timeout, wait_for_role=wait_for_role, history=history
        )
        #: The type of the channel, as JSON.
        self.schema = _library.text(_library.consumer_schema, self._open())
        self._messages = _Converting(weakref.ref(self), convert)
        self._begin_gets()  # again, for these

    @property
    def stamp(self):
        """CLOCK_MONOTONIC in nanoseconds at the put of the value got last, or of the one that is
        being converted; 0 if it is not known."""
        return int(self._last.stamp)


class _Converting(object):
    """Messages that become what a function makes of them."""

    is_array, layout = False, None

    def __init__(self, consumer, convert):
        self._consumer, self._convert = consumer, convert

    def copy(self, data, length):
        return self._convert(self._consumer(), data, length), None


def schema_of(name):
    """The type of the channel ``name`` as JSON; None if there is no channel."""
    made = _library.options(name, open_timeout=0)
    try:
        handle = _library.open_handle(_library.observer_open, _library.observer_close, made)
    except (errors.NotFound, errors.Timeout):
        return None
    return _library.text(_library.observer_schema, handle)


def _struct(schema):
    root = json.loads(schema)
    return root if isinstance(root, dict) else {}


_ROS_NAME = re.compile(r"[A-Za-z0-9_]+/(msg/)?[A-Za-z0-9_]+\n")


def is_from_ros(schema):
    """Whether the type of a channel came from ROS, which its struct remembers."""
    return _ROS_NAME.match(_struct(schema).get("doc") or "") is not None


#: What the channel next to one of arrays has for each value, with the value's number as its tag.
_FRAME = [("stamp_ns", "u8"), ("frame_id", "S248")]


class FrameProducer(object):
    """Puts the frames of the arrays of the channel ``name`` into ``name.frame``."""

    def __init__(self, name, **options):
        self._producer = _producer.producer(
            name + ".frame", np.dtype([(str(field), kind) for field, kind in _FRAME]),
            message="Frame", **options
        )

    def put(self, frame_id, stamp_ns, tag):
        """Puts the frame and the time of the value ``tag``. Put it before the value."""
        text = frame_id or ""
        coded = text if isinstance(text, bytes) else text.encode("utf-8")
        self._producer.put(stamp_ns=stamp_ns, frame_id=coded[:248], tag=tag)

    def close(self):
        self._producer.close()


class FrameConsumer(object):
    """Finds the frames of the arrays of the channel ``name`` in ``name.frame``, once it exists."""

    #: Seconds between two looks for a channel that is not there.
    _EVERY = 0.5

    def __init__(self, name):
        self._name, self._observer, self._next_look = name + ".frame", None, 0.0

    def of(self, seq):
        """The frame and the time of the value ``seq``; of another value only the frame, and 0;
        ``(None, 0)`` if there is none. It does not wait."""
        observer = self._open()
        if observer is None:
            return None, 0
        try:
            found, is_it = observer.tagged(seq), True
            if found is None:
                found, is_it = observer.copy(), False
        except errors.Error:  # removed, or being changed
            self.close()
            return None, 0
        if found is None:
            return None, 0
        return found.frame_id, int(found.stamp_ns) if is_it else 0

    def _open(self):
        if self._observer is None and time.time() >= self._next_look:
            self._next_look = time.time() + self._EVERY
            try:
                observer = _observer.observe(self._name, open_timeout=0)
            except errors.Error:
                return None
            self._observer = observer
        return self._observer

    def close(self):
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.close()
