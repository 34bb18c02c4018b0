"""Observers, which read a channel without taking part in it."""

import ctypes
import json
from ctypes import byref, c_void_p

from io_shared import _library, _messages, _structs, errors
from io_shared._wait import OPEN_TIMEOUT, Deadline, age, opened


class Observer(_library.Closing):
    """Copies a channel's latest value without taking part. Made by ``observe``.

    An observer takes no consumer slot, wakes nobody, and needs read permission only. There may be
    any number of them.
    """

    def __init__(self, name, open_timeout=OPEN_TIMEOUT, reopen=True, history=None):
        self.name = _library.native(name)
        self._opened = Observer, (name, open_timeout, reopen, history)
        flags = 0 if reopen else _library.NO_REOPEN

        def open_within(seconds, _):
            made = _library.options(name, flags=flags, open_timeout=seconds, history=history)
            return _library.open_handle(_library.observer_open, _library.observer_close, made)

        self._handle = opened(open_within, open_timeout, self.name)
        self._messages = _messages.of(_library.text(_library.observer_schema, self._handle))
        #: The numbers of the value that was copied last. Its guard is dropped.
        self._last = _library.Value()

    def copy(self):
        """A writable copy of the latest value; None if nothing was ever put, or if the channel was
        removed and there is no new one. It returns the same value until a newer one is put: compare
        ``seq``.

        :class:`Busy`: the producer kept changing the value during the copy; try again.

        >>> cloud = eyes.copy()
        """
        return self._copy_by(_library.observer_copy)

    def field(self, path):
        """A part of the newest value, by its path; None if nothing was ever put. No more than the
        bytes of the part are copied, so this is quick also for large values.

        A number is an int or a float, a text a str, an enum its variant's name, a struct a dict,
        and an array or a range of elements a list, in which None stands for NaN and infinities. The
        empty path is the whole value. ``seq``, ``tag`` and ``age`` are those of the value.

        :class:`Invalid`: it is no path, or it leads nowhere in the newest value.

        >>> x = eyes.field("points[3].x")
        >>> first = eyes.field("points[0:5].x")
        """
        found = _structs.Field()
        status = _library.observer_field(self._open(), self._path(path), byref(found))
        if status == _library.EMPTY:
            return None
        _library.check(status)
        try:
            part = json.loads(ctypes.string_at(found.json).decode("utf-8"))
        finally:
            _library.text_free(c_void_p(found.json))
        self._last = _library.Value(seq=found.seq, stamp=found.stamp, tag=found.tag)
        # JSON has no NaN and no infinities.
        return found.number if part is None else part

    def _path(self, path):
        """``path`` as the library takes it."""
        if not isinstance(path, (bytes, type(u""))):
            raise errors.WrongFields("%s: a path must be a text, not %r" % (self.name, path))
        try:
            text = path if isinstance(path, bytes) else path.encode("utf-8")
        except UnicodeError as error:
            raise errors.alone(errors.Invalid("%s: %r is no path: %s" % (self.name, path, error)))
        if b"\0" in text:  # it would end there in C
            raise errors.Invalid("%s: %r is no path: it contains a NUL" % (self.name, path))
        return text

    def since(self, seq):
        """Copies of the values after number ``seq`` that still lie whole, oldest first. ``seq``,
        ``tag``, ``age`` and ``missed`` are those of the last one. Without a ``history`` there are
        few but the newest.

        >>> eyes = io_shared.observe("/cloud_share", history=14)
        >>> last = 0
        >>> for cloud in eyes.since(last):
        ...     last = eyes.seq
        """
        while True:
            copy = self._copy_by(_library.observer_since, _library.number_of(seq))
            if copy is None:
                return
            seq = self.seq
            yield copy

    def tagged(self, tag):
        """A copy of the newest value with this ``tag`` that still lies whole; None if there is
        none."""
        return self._copy_by(_library.observer_tagged, _library.tag(self.name, tag))

    def _copy_by(self, copy, *which):
        value = _library.Value()
        status = copy(self._open(), *(which + (byref(value),)))
        if status == _library.EMPTY:
            return None
        _library.check(status)
        return self._copied(value)

    def wait(self, timeout=None):
        """Waits for a value that this observer has not copied yet, and returns a writable copy.

        ``timeout``: seconds, then :class:`Timeout`; None waits for ever. Nobody wakes an observer:
        it looks when the next value is due, a quarter of the producer's period apart where that is
        not known, and every 10 ms at least.

        >>> cloud = eyes.wait(timeout=0.5)
        """
        deadline = Deadline(timeout)
        while True:
            value = _library.Value()
            status = _library.observer_wait(self._open(), deadline.slice(), byref(value))
            if status not in (_library.EMPTY, _library.TIMEOUT):
                _library.check(status)
                return self._copied(value)
            deadline.tell(self.name, self._awaited)
            if deadline.is_over():
                raise errors.Timeout("%s: no new value came within %s s" % (self.name, timeout))

    def _awaited(self):
        has = "a producer is alive" if self.producer else "there is no producer"
        return "a new value (%s)" % has

    def _open(self):
        if self._handle is None:
            raise errors.Closed("%s: it was closed" % self.name)
        return self._handle

    def _copied(self, value):
        self._last = value
        try:
            copy, _ = self._messages.copy(value.data, value.length)
            return copy
        except (errors.BadValue, errors.Corrupt) as error:
            text = "%s: value %d: %s" % (self.name, value.seq, error)
            raise errors.alone(type(error)(text))
        except ValueError as error:
            text = "%s: value %d is not an array: %s" % (self.name, value.seq, error)
            raise errors.alone(errors.Corrupt(text))
        finally:
            _library.guard_drop(value.guard)

    @property
    def newest_seq(self):
        """The sequence number of the newest value, without a copy of it; 0 if nothing was ever
        put."""
        return int(_library.number(_library.observer_seq, self._open()))

    @property
    def producer(self):
        """Who the living producer is: see :attr:`Consumer.producer`."""
        return _library.process(_library.observer_producer, self._open())

    @property
    def seq(self):
        """The sequence number of the value copied last; 0 before the first."""
        return int(self._last.seq)

    @property
    def tag(self):
        """The tag that the value copied last was put with; 0 if it has none."""
        return int(self._last.tag)

    @property
    def missed(self):
        """How many values there were between the last two of ``since``, and do not lie whole any
        more; 0 after ``copy``."""
        return int(self._last.missed)

    @property
    def age(self):
        """Seconds since the put of the value copied last. None before the first, and if another
        clock stamped the value: before this boot, in another time namespace, or later than now."""
        return age(self._last.stamp)

    def close(self):
        """Closes the observer. Copies stay."""
        _library.close(self)


def observe(name, open_timeout=OPEN_TIMEOUT, reopen=True, history=None):
    """An observer of the existing channel ``name``, whatever its messages are.

    ``open_timeout``: how many seconds to wait for the channel to exist (5), then :class:`NotFound`;
    None waits for ever. ``reopen``: when the channel is removed or replaced, continue in the one
    that has its name next (the default); one with other messages is a :class:`Mismatch`. With False
    copying raises :class:`Replaced`.

    ``history``: how many values before the newest are kept for ``since`` and ``tagged``, for as
    long as this observer lives; it then needs permission to write.

    >>> clouds = observe("/cloud_share")
    >>> cloud = clouds.copy()
    """
    return Observer(name, open_timeout, reopen, history)
