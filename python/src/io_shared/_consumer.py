"""Consumers: the side that gets."""

import ctypes
import sys
from ctypes import byref

from io_shared import _ends, _library, _messages, errors
from io_shared._held import Value, has
from io_shared._wait import OPEN_TIMEOUT, Deadline, age
from io_shared._producer import open_end

_SLICE = _library.SLICE


class Consumer(_ends.Gets, _library.Closing):
    """Gets the newest value of a channel. Made by ``consumer`` and ``open``.

    >>> clouds = io_shared.open("/cloud_share")
    >>> while True:
    ...     cloud = clouds.get()
    """

    def __init__(self, messages, name, capacity=None, consumers=None, holds=None, permissions=None,
                 flags=0, consumer_name=None, open_timeout=None, words=_library.TYPED,
                 wait_for_role=0, history=None):
        self.name, self._words = _library.native(name), words
        self._opened = Consumer, (messages, name, capacity, consumers, holds, permissions, flags,
                                  consumer_name, open_timeout, words, wait_for_role, history)
        stated = dict(flags=flags, consumer_name=consumer_name, permissions=permissions,
                      history=history)
        if messages is not None:
            stated.update(schema=messages.schema, capacity=capacity, consumers=consumers)
        self._handle = open_end(
            _library.consumer_open, _library.consumer_close, name, holds, stated, open_timeout,
            words, wait_for_role
        )
        _library.consumer_end_waits_at_signals(self._handle)
        if messages is None:
            messages = _messages.of(_library.text(_library.consumer_schema, self._open()))
        self._messages = messages
        #: The header of the value that was copied last, if others like it can be copied faster.
        self._header = None
        self._begin_gets()

    #: Whether ``interrupt`` was called, and no wait has ended by it yet.
    _interrupted = False
    #: What an awaited get waits by.
    _watch = None

    def _open(self):
        handle = self._handle
        if handle is None:
            raise errors.Closed("%s: it was closed" % self.name)
        return handle

    def _get(self, timeout):
        """A copy of a value, after waiting for at most ``timeout`` seconds."""
        return self._wait(self._next, timeout)

    def latest(self):
        """A copy of the latest value, seen before or not; None if nothing was ever put. It counts
        as seen."""
        value = Value()
        if has(_library.consumer_latest(self._open(), byref(value))):
            return self._copied(value)

    def borrow(self, timeout=None):
        """As ``get``, without a copy: a read-only array in shared memory. The value does not change
        while any array made from it is alive; the last one releases it.

        A consumer holds two values at once, or as many as it was opened with (``holds``). So
        ``while True: a = share.borrow()`` works; one more raises :class:`AlreadyHeld`. PyPy does
        not know when an array is released, so there it is a read-only copy. A forked child has a
        copy in its place (Python 3.7 and later).

        >>> cloud = clouds.borrow()
        >>> cloud.flags.writeable
        False
        """
        view = self._view(_SLICE) if timeout is None else None
        return self._borrow(timeout) if view is None else view

    def _borrow(self, timeout):
        """A value in place, after waiting for at most ``timeout`` seconds."""
        return self._wait(self._view, timeout)

    def since(self, seq):
        """Copies of the values after number ``seq`` that still lie whole, oldest first, whether or
        not this consumer has seen them: see :meth:`Observer.since`. They do not count as seen."""
        while True:
            value = Value()
            status = _library.consumer_since(self._open(), _library.number_of(seq), byref(value))
            if status == _library.EMPTY:
                return
            _library.check(status)
            seq = value.seq
            yield self._copied(value)

    def tagged(self, tag, timeout=0):
        """A copy of the value with this ``tag``: the newest that still lies whole, or one that
        comes within ``timeout`` seconds, then :class:`Timeout`; None waits for ever. With 0 it does
        not wait, and returns None if there is none. Values that come meanwhile count as seen.

        >>> cloud = clouds.tagged(labels.tag, timeout=0.1)
        """
        tag = _library.tag(self.name, tag)

        def attempt(wait):
            value = Value()
            found = has(_library.consumer_tagged(self._open(), tag, wait, byref(value)))
            return self._copied(value) if found else None

        if timeout is not None and _library.nanoseconds(timeout) == 0:
            return attempt(0)
        return self._wait(attempt, timeout, "value with the tag %d" % tag)

    def interrupt(self):
        """Ends the current wait of this consumer with :class:`Interrupted`, or else its next one.

        It may be called by a signal handler or by another thread, and counts until one wait has
        ended by it. No value is lost: one that is there is returned first. Awaited gets go on:
        cancel them instead.

        >>> signal.signal(signal.SIGTERM, lambda *_: clouds.interrupt())
        """
        self._interrupted = True
        handle = self._handle
        if handle is not None:
            _library.consumer_interrupt(handle)

    def get_async(self, timeout=None):
        """Awaits a value that this consumer has not seen yet, in an asyncio loop; returns a copy.
        For Python 3.7 and later.

        One task at a time may wait for a consumer. A get that is cancelled has taken no value, and
        leaves nothing behind. ``timeout``: seconds, then :class:`Timeout`; None waits for ever.

        >>> cloud = asyncio.run(clouds.get_async())  # in a coroutine: await clouds.get_async()
        """
        if sys.version_info < (3, 7):
            raise errors.Invalid(
                "%s: awaited gets need Python 3.7 or later: use get, or a loop that watches "
                "fileno()" % self.name
            )
        from io_shared import _async
        return _async.get(self) if timeout is None else _async.get_within(self, timeout)

    def fileno(self):
        """A descriptor that is readable while there is something to get, for event loops:
        ``select``, ``poll``, ``QSocketNotifier``, ``loop.add_reader``.

        When it is readable, call ``try_get``, and never read from it. It may be readable once too
        often for each value, so None is no error. It stays the same until the consumer is closed,
        and is closed with it: have the loop forget it before. A forked child opens a new handle.

        >>> loop.add_reader(clouds.fileno(), lambda: show(clouds.try_get()))
        """
        return int(_library.number(_library.consumer_ready_fd, self._open(), ctypes.c_int))

    @property
    def seq(self):
        """The sequence number of the value got last; 0 before the first."""
        return int(self._last.seq)

    @property
    def tag(self):
        """The tag that the value got last was put with; 0 if it has none."""
        return int(self._last.tag)

    @property
    def missed(self):
        """How many values were skipped between the value got last and the one got before it.

        What was put before a new consumer joined is not counted, but for the value that lay there
        then. A consumer that resumes counts from the last value that it had seen before.

        >>> if clouds.missed:
        ...     print("%d clouds came too fast" % clouds.missed)
        """
        return int(self._last.missed)

    @property
    def age(self):
        """Seconds since the put of the value got last. None before the first, and if another clock
        stamped the value: before this boot, in another time namespace, or later than now."""
        return age(self._last.stamp)

    @property
    def last_seen(self):
        """The sequence number of the last value seen. With a ``consumer_name``, it survives
        restarts."""
        return int(_library.number(_library.consumer_last_seen, self._open()))

    @property
    def has_producer(self):
        """Whether a producer is alive."""
        return bool(_library.number(_library.consumer_has_producer, self._open(), ctypes.c_bool))

    @property
    def producer(self):
        """The living producer, ``(pid, command, since)``: its process, the start of its program's
        name, and since when it has the role, in seconds since 1970. None if there is none.

        >>> clouds.producer
        Process(pid=4711, command='lidar', since=1790000000.25)
        """
        return _library.process(_library.consumer_producer, self._open())

    @property
    def capacity(self):
        """The most bytes that one message may have, header included."""
        return int(_library.number(_library.consumer_capacity, self._open()))

    def close(self):
        """Gives the slot back, once no borrowed array is alive. The channel and its value stay."""
        self._end_gets()
        _library.close(self)
        # Again: a get of another thread may have stored the handle meanwhile.
        self._end_gets()
        # Afterwards: a task that wakes up earlier finds the handle open, and waits again.
        watch = self._watch
        if watch is not None:
            watch.wake()

    def _wait(self, attempt, timeout, what="new value"):
        """Calls ``attempt`` in slices until it returns a value, which is ``what`` it waits for."""
        deadline = Deadline(timeout)
        while True:
            value = attempt(0 if self._interrupted else deadline.slice())
            if value is not None:
                return value
            self._end_if_interrupted()
            deadline.tell(self.name, lambda: self._awaited(what))
            if deadline.is_over():
                raise errors.Timeout("%s: no %s came within %s s" % (self.name, what, timeout))

    def _end_if_interrupted(self):
        if self._interrupted:
            self._interrupted = False
            raise errors.Interrupted(
                "%s: this program interrupted the wait, and nothing was taken: call again to go on "
                "waiting" % self.name
            )

    def _awaited(self, what):
        has = "a producer is alive" if self.has_producer else "there is no producer"
        return "a %s (%s)" % (what, has)

    def _copied(self, value):
        """A copy of a value that is held, which is given back."""
        self._note(value)
        try:
            copy, header = self._messages.copy(value.data, value.length)
        except (ValueError, errors.Corrupt) as error:
            raise errors.alone(self._corrupt(error))
        finally:
            value.release()
        if header is not None and header == self._header:
            self._learn(header, copy)
        self._header = header
        return copy

    def _read(self, value):
        """What the header of a value that is held says. If it is corrupt, the value is given
        back."""
        try:
            return self._messages.read(value.data, value.length)
        except (ValueError, errors.Corrupt) as error:
            value.release()  # an error that is kept holds no value
            raise errors.alone(self._corrupt(error))

    def _view_of_copy(self, value):
        """A read-only copy of a value that is held, which is given back: for Pythons that do not
        know when the last array is released."""
        read = self._read(value)
        root = _messages.aligned(value.data, value.length)
        root.flags.writeable = root.base.flags.writeable = False
        value.release()
        return self._messages.view(root, read)

    def _corrupt(self, error):
        if isinstance(error, errors.Error):
            return type(error)("%s: value %d: %s" % (self.name, self.seq, error))
        return errors.Corrupt("%s: value %d is not an array: %s" % (self.name, self.seq, error))


def consumer(name, dtype=None, tail=None, capacity=None, message="Message", consumers=None,
             holds=None, permissions=None, reopen=True, consumer_name=None,
             open_timeout=OPEN_TIMEOUT, wait_for_role=0, requires_producer=False, history=None):
    """A consumer of typed messages. The arguments are those of ``producer`` and of ``open``.

    If messages need a ``capacity`` and none is given, it waits for another program to create the
    channel.

    >>> clouds = io_shared.consumer("/clouds", header, tail=("points", point), capacity="5M")
    >>> clouds.get().points["x"].mean()
    """
    if dtype is None and tail is None:
        messages = _messages.Arrays()
    else:
        messages = _messages.declared(dtype, tail, message)
    flags = 0 if reopen else _library.NO_REOPEN
    flags |= _library.REQUIRES_PRODUCER if requires_producer else 0
    return Consumer(messages, name, capacity, consumers, holds, permissions, flags, consumer_name,
                    open_timeout, wait_for_role=wait_for_role, history=history)


def open(name, consumer_name=None, open_timeout=OPEN_TIMEOUT, reopen=True, wait_for_role=0,
         requires_producer=False, history=None):
    """A consumer of the existing channel ``name``, whatever its messages are.

    Arrays arrive as arrays. A typed message has an attribute for each of its fields: numbers are
    NumPy scalars, the tail is a structured array.

    ``consumer_name``: the name under which it resumes after a restart. ``open_timeout``: how many
    seconds to wait for the channel to exist (5), then :class:`NotFound`; None waits for ever.
    ``reopen``, ``wait_for_role``, ``requires_producer`` and ``history``: as for ``NumpyShare``; a
    new channel with other messages is a :class:`Mismatch`.

    >>> clouds = open("/cloud_share")
    >>> cloud = clouds.get()
    >>> cloud.frame, cloud.points["x"].mean()
    """
    flags = 0 if reopen else _library.NO_REOPEN
    flags |= _library.REQUIRES_PRODUCER if requires_producer else 0
    return Consumer(None, name, flags=flags, consumer_name=consumer_name,
                    open_timeout=open_timeout, wait_for_role=wait_for_role,
                    history=history)
