"""How values become messages: arrays with their header, and typed fields.

Producers put messages in this way, and so do clients and servers. Each has a ``name`` and
``_messages``, and these methods:

- ``_put_data(header, data, length, label)`` puts the message of ``header``, followed by the
  ``length`` bytes at the address ``data``;
- ``_lend(length)`` lends memory for a message, to be filled and put by ``_put_lent(lent, length,
  label)``, or ended by its ``cancel(False)``.
"""

import numpy as np

from io_shared import _fields, _kinds, _lists, _loan, _messages, errors

_ndarray = np.ndarray


class Arrays(object):
    """Puts arrays."""

    def _put_plain(self, array, label, learn=None):
        """Puts ``array`` with a label. ``learn`` is told a contiguous array and its header."""
        if type(array) is not _ndarray:
            array = _kinds.array(array, self.name)
        header, _, is_contiguous = self._frame(array)
        if not is_contiguous and array.nbytes > _messages.SHORT:
            return self._put_scattered(array, header, label)
        array = array if is_contiguous else array.copy()
        self._put_data(header, _messages.address(array), array.nbytes, label)
        if learn is not None and is_contiguous:
            learn(array, header)

    def _frame(self, array):
        """The header of messages of arrays like ``array``, its order, and whether its elements lie
        in one piece."""
        flags = array.flags
        order = "F" if flags.f_contiguous and not flags.c_contiguous else "C"
        header, _ = self._messages.frame(array.shape, array.dtype, order)
        return header, order, flags.c_contiguous or flags.f_contiguous

    def _put_scattered(self, array, header, label):
        length = len(header) + array.nbytes
        lent = self._lend(length)
        try:
            root = np.asarray(lent.memory)
            _loan.fill(root, header)
            # An array of a subclass could run code of its own that keeps the buffer.
            np.copyto(np.ndarray(array.shape, array.dtype, root, len(header)), np.asarray(array))
            self._put_lent(lent, length, label)
        finally:
            lent.cancel(False)


class Fields(object):
    """Puts messages with fields."""

    def _put_message(self, layout, value, fields, label):
        """Puts the message with these ``fields``, or with those of the one ``value``."""
        if not layout.fields:
            return self._put_value(layout, value, fields, label)
        fields = _fields.given(layout.fields, value, fields, self.name)
        (self._put_fields if layout.lists is None else self._put_lists)(layout, fields, label)

    def _put_fields(self, layout, fields, label):
        """Puts the message with these fields. A tail of the right dtype is copied only once."""
        tail = fields[layout.tail_name] if layout.tail is not None else ()
        lies = type(tail) is _ndarray and tail.dtype == layout.tail and tail.ndim == 1
        lies = lies and tail.flags.c_contiguous
        count = 0 if lies else _fields.count(tail, "field `%s`" % layout.tail_name)
        own = np.zeros(self._messages.length(count), np.uint8)
        out = self._messages.view(own)
        for name in layout.header_names + ((layout.tail_name,) if layout.tail is not None else ()):
            if name in fields and (not lies or name != layout.tail_name):
                out[name] = fields[name]
        if lies:
            self._put_data(own.tobytes(), _messages.address(tail), tail.nbytes, label)
        else:
            self._put_data(b"", _messages.address(own), len(own), label)

    def _put_lists(self, layout, fields, label):
        """Puts the message with these fields. Arrays of the right dtype are copied only once."""
        arrays = [_lists.given(each, fields[each.name]) for each in layout.lists]
        shapes = [
            array.shape[: len(each.axes)] for each, array in zip(layout.lists, arrays)
        ]
        length, begin = self._messages.lay_out(shapes)
        is_short = length <= _messages.SHORT
        lent = None if is_short else self._lend(length)
        try:
            root = np.zeros(length, np.uint8) if is_short else np.asarray(lent.memory)
            out = begin(root)
            for name in layout.header_names:
                if name in fields:
                    out[name] = fields[name]
            for each, array in zip(layout.lists, arrays):
                np.copyto(out[each.name], array)
            del out
            if is_short:
                self._put_data(b"", _messages.address(root), length, label)
            else:
                self._put_lent(lent, length, label)
        finally:
            if lent is not None:
                lent.cancel(False)

    def _put_value(self, layout, value, fields, label):
        dtype = layout.header if layout.tail is None else layout.tail
        if fields or len(value) != 1:
            raise errors.WrongFields(
                "%s: its messages have no fields: pass one value, %s" % (self.name, dtype)
            )
        value = value[0]
        shape = dtype.shape
        if layout.tail is not None:
            shape = (_fields.count(value, self.name),) + shape
        # A list of records has no shape of its own.
        is_array = isinstance(value, np.ndarray) or dtype.base.names is None
        if is_array and not (0 in shape and _fields.is_nothing(value)):
            found = _fields.shape(value, self.name)
            if found != shape:
                raise errors.Invalid(
                    "%s: a message is %s, not an array of shape %s" % (self.name, dtype, found)
                )
        own = np.zeros(shape, dtype.base)
        _fields.assign(own, value, self.name)
        self._put_data(own.tobytes(), None, 0, label)
