"""Messages as Python values: arrays with their header, and typed fields.

Both kinds offer the same: the length of a message, its bytes as a value (``view``), and a private
copy of it (``copy``).

"""

from ctypes import string_at

import numpy as np

from io_shared import _fields, _library, _npy, _schema, errors
from io_shared._memory import address, aligned_bytes
from io_shared._message import Message, parts  # noqa: F401

#: Up to this many bytes, one more copy is faster than asking for the address of an array.
SHORT = 16 << 10


def of(schema):
    """The kind of messages that ``schema`` describes."""
    return Arrays() if _schema.is_array(schema) else Typed(schema)


class Arrays(object):
    """``.npy`` messages: arrays of any dtype and shape."""

    schema = _schema.ARRAY

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

    def __init__(self, schema):
        self.schema = schema
        self.layout = _schema.layout(schema)

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
            header = np.ndarray((), layout.header, root)
        if layout.tail is not None:
            count = (len(root) - layout.offset) // layout.tail.itemsize
            tail = np.ndarray((count,), layout.tail, root, layout.offset)
        if not layout.fields:
            return header if tail is None else tail
        return Message(layout, header, tail)

    def copy(self, data, length):
        """A copy of the message of ``length`` bytes at the address ``data``."""
        # No array is ever made of that address: a traceback could keep it for longer than it is
        # mapped.
        own = self.view(aligned(data, length))
        # A message that is one number is returned as a number.
        is_number = not isinstance(own, Message) and not own.ndim
        value = own[()] if is_number else own
        return (_fields.text(value) if isinstance(value, bytes) else value), None
