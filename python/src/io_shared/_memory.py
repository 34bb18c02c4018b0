"""Memory as NumPy sees it: shared, with an owner that lives as long as any array made of it; and rooms
of this process's own, to be filled and put."""

import ctypes
import sys

import numpy as np

from io_shared import _library

ALIGNMENT = 64


class Memory(object):
    """``length`` bytes at the address ``data``: ``numpy.asarray`` of it is an array whose base, and
    the base of whatever is made from that, is this object, and so ``keeps``."""

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
    """Where the elements of a contiguous array start."""
    return array.__array_interface__["data"][0]


def room(make, length):
    """``length`` bytes of this process's own, aligned; ``make`` is ``numpy.empty`` or ``numpy.zeros``."""
    base = make(length + ALIGNMENT, np.uint8)
    start = -address(base) % ALIGNMENT
    return base[start : start + length]


class Room(object):
    """Memory to be filled and put: ``bytes``."""

    __slots__ = ("base", "bytes")

    def __init__(self, length):
        # Zeros, as this process's memory is not everybody's to read.
        self.bytes = room(np.zeros, length)
        self.base = self.bytes.base

    def others(self):
        """How many references to it there are but for this object's own."""
        return sys.getrefcount(self.base) - _OWN

    def set_writeable(self, is_writeable):
        """Whether arrays that are made of it can be made writeable."""
        self.base.flags.writeable = self.bytes.flags.writeable = is_writeable


#: A room's own references to its base.
_OWN = 0
_OWN = Room(1).others() if _library.COUNTS else 0


class Rooms(object):
    """Rooms that are used again when their count of references says that nobody has one any more.

    That is about speed: a count that is wrong costs whoever has kept an address, and nobody else,
    since what is in a room is copied where it is put."""

    #: While one is filled, the variable of the loop before may still have the other.
    _MOST = 2

    def __init__(self):
        self._rooms = []

    def take(self, length):
        """A room for so many bytes, its content whatever was filled in before, or zeros."""
        for found in list(self._rooms):
            if len(found.bytes) >= length and not found.others():
                try:
                    self._rooms.remove(found)
                except ValueError:  # another thread has taken it
                    continue
                found.set_writeable(True)
                return found
        return Room(length)

    def give_back(self, room):
        """To be taken when nobody has it any more."""
        if _library.COUNTS:
            self._rooms.append(room)
            del self._rooms[: -self._MOST]

    def clear(self):
        """Forgets all."""
        del self._rooms[:]


class Lent(object):
    """A buffer in shared memory that a producer has lent, until it is put or cancelled."""

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
        #: Stays mapped as long as any array made of it, whatever becomes of the channel.
        self.memory = Memory(data.value, length, False, self._window)

    def put(self, length):
        """Publishes it; its sequence."""
        loan, self._loan = self._loan, None
        seq = ctypes.c_uint64()
        _library.check(_library.loan_put(loan, length, ctypes.byref(seq)), self._words)
        return seq.value

    def cancel(self, is_kept):
        """Publishes nothing. ``is_kept``: somebody may still write to it, and will do so to memory of
        this process alone."""
        if self._loan is not None:
            if is_kept:
                _library.check(_library.window_sever(self._window), self._words)
            loan, self._loan = self._loan, None
            _library.loan_drop(loan)

    def __del__(self):
        # Forgotten in the middle: who has the arrays is not known.
        self.cancel(True)
