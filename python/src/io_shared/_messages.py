"""Messages as Python values: arrays with their header, and typed fields.

Both kinds answer the same questions: how long a message is, what its bytes look like (``view``), and
a private copy of it (``copy``).
"""

from ctypes import string_at

import numpy as np

from io_shared import _fields, _library, _npy, _schema, errors
from io_shared._memory import address, room
from io_shared._message import Message, parts  # noqa: F401

#: Up to so many bytes one more copy is quicker than to ask where an array lies.
SHORT = 16 << 10


def of(schema):
    """What the messages of that schema are."""
    return Arrays() if _schema.is_array(schema) else Typed(schema)


class Arrays(object):
    """``.npy`` messages: arrays of any dtype and shape."""

    schema = _schema.ARRAY

    def read(self, data, length):
        """What is to be known of the message of ``length`` bytes at the address ``data``: for
        ``view``. ValueError if it is no array."""
        return _npy.parse(data, length)

    def view(self, root, read):
        """The array in the message ``root`` (bytes), sharing its memory."""
        dtype, shape, fortran, offset = read
        return np.ndarray(shape, dtype, root, offset, order="F" if fortran else "C")

    def copy(self, data, length):
        """The array in the message of ``length`` bytes at the address ``data``, as one's own; and the
        message's header, if another array of the same header may be copied as this one was."""
        dtype, shape, fortran, offset = _npy.parse(data, length)
        order = "F" if fortran else "C"
        if dtype.itemsize == 0 or 0 in shape:
            # numpy.empty makes room for texts of one character of such a dtype, and there are none; and
            # that of 1.16 counts the elements without the axis that has none.
            return np.ndarray(shape, dtype, bytearray(1), order=order), None
        own = np.empty(shape, dtype, order)
        _library.check(_library.copy(address(own), data + offset, own.nbytes))
        # (Those that are alike share a dtype, and nobody can change one without fields.)
        is_plain = dtype.names is None and offset + own.nbytes == length
        return own, string_at(data, offset) if is_plain else None

    def frame(self, shape, dtype, order):
        """The header of such an array's message, and the message's length."""
        if order not in ("C", "F"):
            raise errors.Invalid("order is 'C' or 'F', not %r" % (order,))
        dtype = np.dtype(dtype)
        # One axis has no order, and numpy.save writes that it is C's.
        fortran = order == "F" and len(shape) > 1
        header = _npy.header(dtype, shape, fortran)
        length = dtype.itemsize
        for n in shape:
            length *= n
        return header, len(header) + length


def aligned(data, length):
    """A copy of the ``length`` bytes at the address ``data``, aligned as they are there."""
    own = room(np.empty, length)
    _library.check(_library.copy(address(own), data, length))
    return own


class Typed(object):
    """Messages of the fields that a schema describes."""

    def __init__(self, schema):
        self.schema = schema
        self.layout = _schema.layout(schema)

    def length(self, elements=0):
        """The bytes of a message with so many elements in its tail."""
        if self.layout.tail is None:
            return self.layout.header.itemsize
        return self.layout.offset + elements * self.layout.tail.itemsize

    def read(self, data, length):
        """(There is nothing to be read in such a message.)"""

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
        """The message of ``length`` bytes at the address ``data``, as one's own."""
        # No array is ever made of that address: a traceback could keep it for longer than it is mapped.
        own = self.view(aligned(data, length))
        # A number of its own is a number.
        is_number = not isinstance(own, Message) and not own.ndim
        value = own[()] if is_number else own
        return (_fields.text(value) if isinstance(value, bytes) else value), None
