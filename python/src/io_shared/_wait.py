"""Waiting in slices: between two of them the interpreter handles signals, Ctrl-C among them."""

import ctypes

from io_shared import _library, errors

try:
    from time import monotonic as _seconds
except ImportError:  # Python 2

    class _Timespec(ctypes.Structure):
        _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]

    _clock_gettime = ctypes.CDLL(None).clock_gettime
    _clock_gettime.argtypes = [ctypes.c_int, ctypes.c_void_p]
    _MONOTONIC = 1

    def _seconds():
        now = _Timespec()
        _clock_gettime(_MONOTONIC, ctypes.byref(now))
        return now.seconds + now.nanoseconds * 1e-9


def monotonic():
    """CLOCK_MONOTONIC in seconds: the clock of the stamps."""
    return _seconds()


def age(stamp):
    """Seconds since ``stamp``, if it is one."""
    return monotonic() - stamp * 1e-9 if stamp else None


def opened(open_, timeout):
    """What ``open_(seconds)`` opens, which waits for so long where another has to make it first."""
    deadline = Deadline(timeout)
    while True:
        try:
            return open_(deadline.slice() * 1e-9)
        except errors.NotFound:
            if deadline.is_over():
                raise


class Deadline(object):
    """When a wait of ``timeout`` seconds ends; None never does, 0 tries once."""

    __slots__ = ("_end",)

    def __init__(self, timeout):
        self._end = None
        if timeout is not None:
            self._end = _seconds() + _library.nanoseconds(timeout) * 1e-9

    def slice(self):
        """The nanoseconds to wait now."""
        if self._end is None:
            return _library.SLICE
        return max(0, min(_library.SLICE, int((self._end - _seconds()) * 1e9)))

    def is_over(self):
        return self._end is not None and _seconds() >= self._end
