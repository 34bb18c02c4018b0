"""Memory for NumPy arrays: shared memory, whose owner lives as long as any array made of it; and
buffers, which are memory of this process for loans."""

import ctypes
import sys

import numpy as np

from io_shared import _library, errors

ALIGNMENT = 64


class Memory(object):
    """``length`` bytes at the address ``data``. ``numpy.asarray`` makes an array whose base is this
    object, as is that of every array made from it, so they all keep ``keeps`` alive."""

    __slots__ = ("__array_interface__", "keeps", "__weakref__")

    def __init__(self, data, length, read_only, keeps):
        self.__array_interface__ = {
            "shape": (length,),
            "typestr": "|u1",
            "data": (data, read_only),
            "version": 3,
        }
        self.keeps = keeps


def address(array):
    """The address of the elements of a contiguous array."""
    return array.__array_interface__["data"][0]


def aligned_bytes(make, length):
    """``length`` aligned bytes of this process; ``make`` is ``numpy.empty`` or ``numpy.zeros``."""
    base = make(length + ALIGNMENT, np.uint8)
    start = -address(base) % ALIGNMENT
    return base[start : start + length]


class Buffer(object):
    """Memory to fill and put: ``bytes``."""

    __slots__ = ("base", "bytes")

    def __init__(self, length):
        # Zeros, since old memory of this process is not for other processes to read.
        self.bytes = aligned_bytes(np.zeros, length)
        self.base = self.bytes.base

    def others(self):
        """How many references to it there are besides this object's own."""
        return sys.getrefcount(self.base) - _OWN

    def set_writeable(self, is_writeable):
        """Sets whether arrays that are made of it can be made writeable."""
        self.base.flags.writeable = self.bytes.flags.writeable = is_writeable


#: A buffer's own references to its base.
_OWN = 0
_OWN = Buffer(1).others() if _library.COUNTS else 0


class Buffers(object):
    """Buffers that are used again when their reference count says that nobody uses them any more.

    This is for speed only. If a count is wrong, only code that kept an address is affected, since a
    buffer is copied at the put."""

    #: While one is filled, the variable of the previous loop may still refer to the other.
    _MOST = 2

    def __init__(self):
        self._buffers = []

    def take(self, length):
        """A buffer for ``length`` bytes. It contains an earlier loan, or zeros."""
        for found in list(self._buffers):
            if len(found.bytes) >= length and not found.others():
                try:
                    self._buffers.remove(found)
                except ValueError:  # another thread has taken it
                    continue
                found.set_writeable(True)
                return found
        return Buffer(length)

    def give_back(self, buffer):
        """Takes a buffer back, to be used when nobody refers to it any more."""
        if _library.COUNTS:
            self._buffers.append(buffer)
            del self._buffers[: -self._MOST]

    def clear(self):
        """Forgets all buffers."""
        del self._buffers[:]


class Lent(object):
    """A buffer in shared memory that a producer lent, until it is put or cancelled."""

    __slots__ = ("memory", "_loan", "_window", "_words")

    def __init__(self, producer, length, words):
        self._loan, self._words = None, words
        loan, window, data = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        status = _library.producer_loan_window(
            producer, length, ctypes.byref(loan), ctypes.byref(window), ctypes.byref(data)
        )
        if status != _library.OK:
            del producer  # an exception that is kept keeps no handle
            raise _library.failure(status, words)
        self._loan = loan.value
        self._window = _library.Handle(window.value, _library.window_drop)
        #: Stays mapped while any array made of it is alive, whatever happens to the channel.
        self.memory = Memory(data.value, length, False, self._window)

    def put(self, length, label):
        """Publishes it with a label, and returns its sequence number."""
        loan, self._loan = self._loan, None
        seq = ctypes.c_uint64()
        tag, number, stamp = label
        try:
            if tag:
                _library.check(_library.loan_tag(loan, tag), self._words)
            if number:
                _library.check(_library.loan_number(loan, number, stamp), self._words)
        except errors.Error:
            self._loan = loan
            raise
        _library.check(_library.loan_put(loan, length, ctypes.byref(seq)), self._words)
        return seq.value

    def cancel(self, is_kept):
        """Publishes nothing. ``is_kept``: somebody may still write to it, so it becomes memory of
        this process alone."""
        if self._loan is not None:
            if is_kept:
                _library.check(_library.window_sever(self._window), self._words)
            loan, self._loan = self._loan, None
            _library.loan_drop(loan)

    def __del__(self):
        # It was neither put nor cancelled; who has its arrays is not known.
        self.cancel(True)
