"""The side that looks on."""

from ctypes import byref

from io_shared import _library, _messages, errors
from io_shared._wait import OPEN_TIMEOUT, age, opened


class Observer(_library.Closing):
    """Copies of a channel's latest value, without taking part: it takes no consumer's place, wakes
    nobody, waits for nothing, and needs read permission only. Any number of them may look on."""

    def __init__(self, name, open_timeout=OPEN_TIMEOUT):
        self.name = _library.native(name)
        self._opened = Observer, (name, open_timeout)

        def open_within(seconds):
            made = _library.options(name, open_timeout=seconds)
            return _library.open_handle(_library.observer_open, _library.observer_close, made)

        self._handle = opened(open_within, open_timeout, self.name)
        self._messages = _messages.of(_library.text(_library.observer_schema, self._handle))
        #: What was copied last: its numbers; its guard is over.
        self._last = _library.Value()

    def copy(self):
        """The latest value, as one's own and writable; None if nothing was ever put. The same one
        comes again and again until there is a newer: ``seq`` tells.

        :class:`Busy` if the producer kept changing what was being copied: try again."""
        handle, value = self._handle, _library.Value()
        if handle is None:
            raise errors.Closed("%s: it was closed" % self.name)
        status = _library.observer_copy(handle, byref(value))
        if status == _library.EMPTY:
            return None
        _library.check(status)
        self._last = value
        try:
            copy, _ = self._messages.copy(value.data, value.length)
            return copy
        except ValueError as error:
            text = "%s: value %d is no array: %s" % (self.name, value.seq, error)
            raise errors.alone(errors.Corrupt(text))
        finally:
            _library.guard_drop(value.guard)

    @property
    def seq(self):
        """The number of the value copied last; 0 before the first."""
        return int(self._last.seq)

    @property
    def age(self):
        """Seconds since the value copied last was put; None before the first, and for one that was stamped
        by another clock: before the machine was started, in another time namespace, or later than now."""
        return age(self._last.stamp)

    def close(self):
        """Ends looking on; copies stay."""
        _library.close(self)


def observe(name, open_timeout=OPEN_TIMEOUT):
    """An observer of the channel ``name``, whatever its messages are and whoever made it.

    ``open_timeout``: seconds to wait for the channel to be there (5), then :class:`NotFound`; None
    waits for ever. When it was removed, copying is :class:`Replaced`: observe anew.

    >>> clouds = observe("/cloud_share")
    >>> cloud = clouds.copy()
    """
    return Observer(name, open_timeout)
