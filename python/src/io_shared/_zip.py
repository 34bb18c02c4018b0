"""Finds the end of a zip file in shared bytes.

`numpy.load` looks for the table of a file from `numpy.savez` at the end of the file. Shared bytes
end later, and may end with the rest of a longer file that was overwritten.
"""

import struct

_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_END, _LENGTH = b"PK\x05\x06", 22
_LARGE, _LARGE_LENGTH = b"PK\x06\x07", 76  # the two records of a large file before its end


class Ending(object):
    """Bytes whose ``seek(.., 2)`` starts at the end of the zip file in them, if there is one and it
    may be read: the one at the position, the one that was found last, or one at 0."""

    #: The start of the zip file that was found last; and the end that the last ``seek`` started
    #: from.
    _zip_start, _sought_from = 0, None

    def _end(self):
        """The end of the bytes as a file."""
        if not self._may_read():
            return len(self)
        for start in (self.tell(), self._zip_start):
            if self[start : start + 4] in _STARTS:
                self._zip_start = start
                return _end_of_zip(self, start)
        return len(self)

    def _left(self):
        """How many bytes ``read()`` reads: after a ``seek`` from the end, those up to that end."""
        position, end = self.tell(), self._sought_from
        return (len(self) if end is None or end < position else end) - position

    def seekable(self):
        """True: the bytes have positions."""
        return True


def _end_of_zip(bytes_, start):
    at = start
    while True:
        at = bytes_.find(_END, at)
        if at < 0 or at + _LENGTH > len(bytes_):
            return len(bytes_)
        size, offset, comment = struct.unpack("<IIH", bytes_[at + 12 : at + _LENGTH])
        is_large = bytes_[max(at - 20, 0) : max(at - 16, 0)] == _LARGE
        table = at - size - (_LARGE_LENGTH if is_large else 0)
        # The table lies right before the end record: similar bytes in an array are not one.
        if is_large and offset == 0xFFFFFFFF or table in (offset, start + offset):
            return min(at + _LENGTH + comment, len(bytes_))
        at += 1
