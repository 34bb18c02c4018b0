"""Waiting in slices: between two of them the interpreter handles signals, Ctrl-C among them."""

import ctypes
import logging

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


_log = logging.getLogger("io_shared")
if str is bytes:  # Python 2 complains of a logger without a handler
    _log.addHandler(logging.NullHandler())

#: How long an end that cannot make its channel waits for another to make it.
OPEN_TIMEOUT = 5.0
#: A wait of so many seconds is told of.
_LONG = 1.0


def monotonic():
    """CLOCK_MONOTONIC in seconds: the clock of the stamps."""
    return _seconds()


def age(stamp):
    """Seconds since ``stamp``, if it is one: not 0, and not later than now."""
    if not stamp:
        return None
    seconds = monotonic() - stamp * 1e-9
    # A stamp may be two microseconds off, and the clock read as late.
    return max(seconds, 0.0) if seconds > -4e-6 else None


def opened(open_, timeout, name):
    """What ``open_(seconds)`` opens, which waits for so long where another has to make it first."""
    deadline = Deadline(timeout)
    while True:
        try:
            return open_(deadline.slice() * 1e-9)
        except errors.NotFound:
            if deadline.is_over():
                raise
        deadline.tell(name, lambda: "it to be there: no program has made it yet")


class Deadline(object):
    """When a wait of ``timeout`` seconds ends; None never does, 0 tries once."""

    __slots__ = ("_end", "_begin")

    def __init__(self, timeout):
        self._end, self._begin = None, _seconds()
        if timeout is not None:
            self._end = self._begin + _library.nanoseconds(timeout) * 1e-9

    def slice(self):
        """The nanoseconds to wait now."""
        if self._end is None:
            return _library.SLICE
        return max(0, min(_library.SLICE, int((self._end - _seconds()) * 1e9)))

    def is_over(self):
        return self._end is not None and _seconds() >= self._end

    def tell(self, name, what):
        """Says once, when the wait has become long, what it is for: ``what()``."""
        if self._begin is not None and _seconds() - self._begin >= _LONG:
            self._begin = None
            _log.warning("%s: waiting for %s", name, what())
