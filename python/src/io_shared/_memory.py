"""Shared memory as NumPy sees it: bytes with an owner that lives as long as any array made of them."""

import ctypes

from io_shared import _library


class Memory(object):
    """``length`` bytes at the address ``data``: ``numpy.asarray`` of it is an array whose base, and
    the base of whatever is made from that, is this object, and so ``keeps``."""

    __slots__ = ("__array_interface__", "keeps")

    def __init__(self, data, length, read_only, keeps):
        self.__array_interface__ = {
            "shape": (length,),
            "typestr": "|u1",
            "data": (data, read_only),
            "version": 3,
        }
        self.keeps = keeps


class Lent(object):
    """A buffer lent by a producer, until it is put or forgotten."""

    __slots__ = ("_pointer", "_producer", "_drop")

    def __init__(self, pointer, producer):
        # After the put the memory is still looked at, so the producer's mapping is kept.
        self._pointer, self._producer, self._drop = pointer, producer, _library.loan_drop

    def put(self, length):
        """Publishes it; gives the sequence."""
        pointer, self._pointer = self._pointer, None
        seq = ctypes.c_uint64()
        _library.check(_library.loan_put(pointer, length, ctypes.byref(seq)))
        return seq.value

    def __del__(self):
        if self._pointer is not None:
            self._drop(self._pointer)
