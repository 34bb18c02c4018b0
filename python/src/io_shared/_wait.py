"""Waiting in slices, between which the interpreter handles signals such as Ctrl-C."""

import ctypes
import difflib
import logging
import re

from io_shared import _inspect, _library, errors

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
if str is bytes:  # Python 2 warns of a logger without a handler
    _log.addHandler(logging.NullHandler())

#: How many seconds a handle that cannot create its channel waits for another to create it.
OPEN_TIMEOUT = 5.0
#: How many seconds a semaphore of the original package is waited for.
LOCK_TIMEOUT = 5.0
#: A wait of this many seconds is logged.
_LONG = 1.0


def monotonic():
    """CLOCK_MONOTONIC in seconds, the clock of the stamps."""
    return _seconds()


def age(stamp):
    """Seconds since ``stamp``; None if it is 0 or later than now."""
    if not stamp:
        return None
    seconds = monotonic() - stamp * 1e-9
    # A stamp may be off by two microseconds, and so may this reading of the clock.
    return max(seconds, 0.0) if seconds > -4e-6 else None


def opened(open_, timeout, name, wait_for_role=0):
    """Calls ``open_(seconds, seconds)`` in slices until it finds what another program creates, and
    the role in it is free."""
    there, free = Deadline(timeout), Deadline(wait_for_role)
    while True:
        began, slices = _seconds(), (there.slice() * 1e-9, free.slice() * 1e-9)
        try:
            return open_(*slices)
        except errors.NotFound as error:
            if there.is_over():
                if not timeout:
                    raise
                raise errors.alone(errors.NotFound("%s; open_timeout=None waits for ever%s" % (
                    error, _near(name)
                )))
            there.tell(name, lambda: "a program to create it")
        except errors.Mismatch as error:
            # It came at once if nothing that may come would change it. Otherwise a reader has waited
            # for a producer of its type, or a producer for its predecessor to leave.
            waited = _seconds() - began
            waits = [wait for wait, slice_ in zip((there, free), slices)
                     if waited >= slice_ and not wait.is_over()]
            if not waits:
                raise
            text = str(error)
            waits[0].tell(name, lambda: "another to replace it: %s" % text)
        except (errors.RoleTaken, errors.NoSlot) as error:
            if free.is_over():
                raise
            text = str(error)
            free.tell(name, lambda: "others to leave: %s" % text)


def _near(name):
    """What is said of channels whose names are like ``name``."""
    try:
        there = [each["name"] for each in _inspect.channels()]
    except errors.Error:
        return ""  # it is only advice
    near = difflib.get_close_matches(name, [_library.native(each) for each in there])
    return "; there is %s" % ", ".join(near) if near else ""


class Deadline(object):
    """The end of a wait of ``timeout`` seconds. None waits for ever, 0 tries once."""

    __slots__ = ("_end", "_begin")

    def __init__(self, timeout):
        self._end, self._begin = None, _seconds()
        if timeout is not None:
            self._end = self._begin + _library.nanoseconds(timeout) * 1e-9

    def slice(self):
        """The nanoseconds to wait next."""
        if self._end is None:
            return _library.SLICE
        return max(0, min(_library.SLICE, int((self._end - _seconds()) * 1e9)))

    def is_over(self):
        return self._end is not None and _seconds() >= self._end

    def tell(self, name, what):
        """Logs once that the wait has become long, and what it waits for: ``what()``."""
        if self._begin is not None and _seconds() - self._begin >= _LONG:
            self._begin = None
            _log.warning("%s: waiting for %s", name, what())


def timed_out(status, timeout, words=_library.TYPED):
    """What the library says of a wait that is over, with the ``timeout`` that was asked for: it
    knows that of the last slice."""
    text, own = str(_library.failure(status, words)), "timed out after %s s waiting" % timeout
    return errors.Timeout(re.sub(r"timed out after \S+ \S+ waiting", lambda _: own, text, count=1))
