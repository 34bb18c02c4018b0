"""Messages as Python values: arrays with their header, and typed fields.

Both kinds offer the same: the length of a message, its bytes as a value (``view``), and a private
copy of it (``copy``).

"""

from ctypes import string_at

import numpy as np

from io_shared import _enums, _fields, _library, _lists, _members, _npy, _schema, errors
from io_shared._memory import address, aligned_bytes
from io_shared._message import Message, parts  # noqa: F401

#: Up to this many bytes, one more copy is faster than asking for the address of an array.
SHORT = 16 << 10


def of(schema):
    """The kind of messages that ``schema`` describes."""
    if _schema.is_array(schema):
        return Arrays()
    return typed(schema, _schema.layout(schema))


def declared(dtype, tail, name):
    """The kind of messages that the arguments of ``producer`` declare."""
    if tail is None and _lists.is_fields(dtype):
        return typed(*_schema.of_fields(dtype, name))
    schema = _schema.schema(dtype, tail, name)
    return typed(schema, _schema.layout(schema))


def typed(schema, layout):
    """The kind of messages of a schema that has this layout."""
    return (Typed if layout.lists is None else Lists)(schema, layout)


class Arrays(object):
    """``.npy`` messages: arrays of any dtype and shape."""

    schema = _schema.ARRAY
    has_lists = False
    is_array = True

    def read(self, data, length):
        """Parses the message of ``length`` bytes at the address ``data``, for ``view``. ValueError
        if it is not an array."""
        return _npy.parse(data, length)

    def view(self, root, read):
        """The array in the message ``root`` (bytes), which shares its memory."""
        dtype, shape, fortran, offset = read
        return np.ndarray(shape, dtype, root, offset, order="F" if fortran else "C")

    def copy(self, data, length):
        """A copy of the array in the message of ``length`` bytes at the address ``data``; and the
        message's header, if other arrays with this header can be copied in the same way."""
        dtype, shape, fortran, offset = _npy.parse(data, length)
        order = "F" if fortran else "C"
        if dtype.itemsize == 0 or 0 in shape:
            # numpy.empty makes room for texts of one character of such a dtype, and there are none;
            # and that of 1.16 counts the elements without the axis that has none.
            return np.ndarray(shape, dtype, bytearray(1), order=order), None
        own = np.empty(shape, dtype, order)
        _library.check(_library.copy(address(own), data + offset, own.nbytes))
        # Similar arrays may share a dtype: without fields, nobody can change it.
        is_plain = dtype.names is None and offset + own.nbytes == length
        return own, string_at(data, offset) if is_plain else None

    def frame(self, shape, dtype, order):
        """The header of the message of such an array, and the length of the message."""
        if order not in ("C", "F"):
            raise errors.Invalid("order must be 'C' or 'F', not %r" % (order,))
        dtype = np.dtype(dtype)
        # One axis has no order; numpy.save writes C's.
        fortran = order == "F" and len(shape) > 1
        header = _npy.header(dtype, shape, fortran)
        length = dtype.itemsize
        for n in shape:
            length *= n
        return header, len(header) + length


def aligned(data, length):
    """A copy of the ``length`` bytes at the address ``data``, aligned in the same way."""
    own = aligned_bytes(np.empty, length)
    _library.check(_library.copy(address(own), data, length))
    return own


class Typed(object):
    """Messages of the fields that a schema describes."""

    has_lists = is_array = False

    def __init__(self, schema, layout):
        self.schema, self.layout = schema, layout
        parts = [part for part in (layout.header, layout.tail) if part is not None]
        self._has_checks = any(_enums.has_checks(part) for part in parts)
        #: A header that is the whole message is what a consumer gets.
        self._header_class = np.ndarray if layout.fields else _members.array_class(layout.header)
        self._tail_class = _members.array_class(layout.tail)

    def length(self, elements=0):
        """The length of a message with that many elements in its tail."""
        if self.layout.tail is None:
            return self.layout.header.itemsize
        return self.layout.offset + elements * self.layout.tail.itemsize

    def read(self, data, length):
        """Nothing: such a message has no header to parse."""

    def view(self, root, read=None):
        layout = self.layout
        header = tail = None
        if layout.header is not None:
            header = self._header_class((), layout.header, root)
        if layout.tail is not None:
            count = (len(root) - layout.offset) // layout.tail.itemsize
            tail = self._tail_class((count,), layout.tail, root, layout.offset)
        if not layout.fields:
            return header if tail is None else tail
        return Message(layout, header, {} if tail is None else {layout.tail_name: tail})

    def copy(self, data, length):
        """A copy of the message of ``length`` bytes at the address ``data``."""
        # No array is ever made of that address: a traceback could keep it for longer than it is
        # mapped.
        bytes_ = aligned(data, length)
        own = self.view(bytes_, self.read(address(bytes_), length))
        if self._has_checks:
            # It was checked where it lies, and may have been changed before it was copied.
            for part in parts(own):
                _enums.check(part)
        # A message that is one number is returned as a number.
        is_number = not isinstance(own, Message) and not own.ndim
        value = own[()] if is_number else own
        return (_fields.text(value) if isinstance(value, bytes) else value), None


class Lists(Typed):
    """Messages with lists."""

    has_lists = True

    def read(self, data, length):
        """The places of the lists, read once from the message of ``length`` bytes at the address
        ``data``, for ``view``. :class:`Corrupt` if they are not within it."""
        return _lists.places(self.layout, string_at(data, self.layout.offset), length)

    def view(self, root, read=None):
        layout = self.layout
        if read is None:
            read = self.read(address(root), len(root))
        header = None if layout.header is None else np.ndarray((), layout.header, root)
        return Message(layout, header, _lists.arrays(layout, read, root))

    def lay_out(self, shapes):
        """The length of a message whose lists have these shapes, and what fills its header and
        shows it, as ``view`` does."""
        places, length = _lists.lay_out(self.layout, shapes)

        def begin(root):
            _lists.write(self.layout, places, root)
            return self.view(root, places)

        return length, begin
