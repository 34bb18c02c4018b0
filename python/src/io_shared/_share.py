"""Shares: one end of a channel of arrays, as the original package had them."""

from io_shared import _ends, _legacy, _library, _messages, errors
from io_shared._consumer import Consumer
from io_shared.errors import WriteAccessError
from io_shared._producer import ArrayProducer
from io_shared._wait import LOCK_TIMEOUT, OPEN_TIMEOUT


class NumpyShare(_ends.Share, _library.Closing):
    """One end of a channel of arrays: ``mode`` is ``"put"`` or ``"get"``.

    ``size``: the most bytes of one array with its header (usually 128 bytes): a number, or digits
    and one of K, M, G. A share that puts needs none: the channel then grows with its arrays, to
    the next power of two. Either end may start first, and come back after a crash.

    Up to 64 consumers join and leave at any time. ``holds``: how many borrowed values this share
    may keep at once, 1 to 8 (default 2; for mode ``"get"``). ``consumers``: reserves buffers for
    that many held values ahead of time (default 1). The share that creates the channel admits that
    many consumers if they are more than 64, at most 253.
    ``permissions``: of the shared memory, if the share creates the channel (default 0o600).

    ``reopen``: when the channel is removed or replaced, continue in the one that has its name
    next (the default). A put creates it; a get waits for it. With False both raise
    :class:`Replaced`.
    ``consumer_name``: the name under which a consumer resumes after a restart. Without a ``size``,
    a share that gets waits for another program to create the channel: ``open_timeout`` seconds (5),
    then :class:`NotFound`; None waits for ever.

    ``wait_for_role``: how many seconds to wait for a predecessor to leave (0), for restarts without
    a gap: the producer before this one, the consumer of the same name, or any consumer if all slots
    are taken. Then :class:`RoleTaken` or :class:`NoSlot`; None waits for ever.

    ``requires_producer``: get raises :class:`NoProducer` within 0.2 seconds of the producer's end,
    once there was one. Otherwise it waits for the next producer.

    ``history``: how many values before the newest are kept for ``since`` and ``tagged``, for as
    long as this share lives. As many buffers are reserved, and stay.

    ``legacy``: the other side is the package that this one began as, which is not changed. Then
    this share uses that package's own shared memory and semaphores: ``put``, ``get``, ``try_get``,
    ``interrupt`` and ``close``. The side that puts needs the ``size`` of the other side. A
    semaphore that is not given back within ``lock_timeout`` seconds is :class:`LegacyLockStuck`.

    >>> with NumpyShare("/cloud_share", mode="put") as clouds:
    ...     clouds.put(array)
    """

    #: None until it is opened.
    __end = None

    def __init__(self, name, size=None, mode=None, consumers=None, holds=None, permissions=None,
                 reopen=True, consumer_name=None, open_timeout=OPEN_TIMEOUT, wait_for_role=0,
                 requires_producer=False, history=None, legacy=False,
                 lock_timeout=LOCK_TIMEOUT):
        flags = 0 if reopen else _library.NO_REOPEN
        flags |= _library.REQUIRES_PRODUCER if requires_producer else 0
        self.name, self.mode = name, mode
        self._opened = NumpyShare, (name, size, mode, consumers, holds, permissions, reopen,
                                    consumer_name, open_timeout, wait_for_role, requires_producer,
                                    history, legacy, lock_timeout)
        if legacy:
            others = (consumers, holds, permissions, consumer_name, history)
            waits = (open_timeout, wait_for_role) != (OPEN_TIMEOUT, 0)
            is_other = not reopen or requires_producer or waits
            if is_other or any(other is not None for other in others):
                raise errors.Invalid(
                    "%s: with legacy=True there are a size, a mode and lock_timeout" % self.name
                )
        if legacy and mode == "put":
            self.__end = _legacy.Putter(name, size, lock_timeout)
        elif legacy and mode == "get":
            self.__end = _legacy.Getter(name, lock_timeout)
        elif mode == "put":
            if consumer_name is not None or requires_producer:
                option = "requires_producer" if requires_producer else "consumer_name"
                raise errors.Invalid("%s is for mode 'get'" % option)
            self.__end = ArrayProducer(_messages.Arrays(), name, size, consumers, holds,
                                       permissions, flags, open_timeout, _library.SHARE,
                                       wait_for_role, history)
        elif mode == "get":
            self.__end = Consumer(_messages.Arrays(), name, size, consumers, holds, permissions,
                                 flags, consumer_name, open_timeout, _library.SHARE, wait_for_role,
                                 history)
        else:
            swapped = " (the second argument is the size: write mode=%r)" % (size,)
            raise errors.Invalid("%s: mode is 'put' or 'get', not %r%s" % (
                self.name, mode, swapped if size in ("put", "get") else ""
            ))
        # Bound here, so that a get or put costs only one more call; under names that a subclass
        # does not use for its own methods.
        absent = _Absent(name, mode)
        for method in _METHODS["put"] + _METHODS["get"]:
            bound = getattr(self.__end, method) if method in _METHODS[mode] else absent
            setattr(self, _OWN + method, bound)
        if mode == "get" and _IS_SERVED and not legacy:
            self.__got, self.__seen = self.__end._got, self.__end._seen
            # The share itself waits for the first slice.
            self.__get, self.__borrow = self.__end._get, self.__end._borrow
        _ends.serve(self, self.__end)

    def _opening(self):
        kind, arguments = self._opened
        # Attributes of a subclass go along.
        own = ("name", "mode", "_opened")
        more = {k: v for k, v in self.__dict__.items() if k not in own and not k.startswith(_OWN)}
        return kind, arguments, more

    def put(self, array, tag=0, seq=None, stamp=None):
        """Puts a copy of ``array``: see :meth:`ArrayProducer.put`."""
        return self.__put(array, tag, seq, stamp)

    def loan(self, shape, dtype=float, order="C", in_place=False, tag=0, seq=None, stamp=None):
        """Lends an array to fill, and puts it: see :meth:`ArrayProducer.loan`."""
        return self.__loan(shape, dtype, order, in_place, tag, seq, stamp)

    def wait_taken(self, timeout=None):
        """Waits until every consumer has seen the last value: see
        :meth:`ArrayProducer.wait_taken`."""
        return self.__wait_taken(timeout)

    def sync(self):
        """Writes the last value to the channel's file: see :meth:`ArrayProducer.sync`."""
        return self.__sync()

    def get(self, timeout=None):
        """Waits for a value: see :meth:`Consumer.get`."""
        return self.__get(timeout)

    def try_get(self):
        """A value that was not seen yet, or None: see :meth:`Consumer.try_get`."""
        return self.__try_get()

    def latest(self):
        """The latest value, seen before or not: see :meth:`Consumer.latest`."""
        return self.__latest()

    def borrow(self, timeout=None):
        """A value in place, without a copy: see :meth:`Consumer.borrow`."""
        return self.__borrow(timeout)

    def since(self, seq):
        """Copies of the values after number ``seq``: see :meth:`Consumer.since`."""
        return self.__side("get").since(seq)

    def tagged(self, tag, timeout=0):
        """The value with this ``tag``: see :meth:`Consumer.tagged`."""
        return self.__side("get").tagged(tag, timeout)

    def get_async(self, timeout=None):
        """Awaits a value: see :meth:`Consumer.get_async`."""
        return self.__side("get").get_async(timeout)

    def fileno(self):
        """A descriptor that is readable while there is something to get: see
        :meth:`Consumer.fileno`."""
        return self.__side("get").fileno()

    def interrupt(self):
        """Ends a wait of this share: see :meth:`Consumer.interrupt` and
        :meth:`ArrayProducer.interrupt`."""
        self.__end.interrupt()

    @property
    def seq(self):
        """The sequence number of the value put or got last; 0 if there is none."""
        return self.__end.seq

    @property
    def tag(self):
        """The tag of the value got last: see :attr:`Consumer.tag`."""
        return self.__side("get").tag

    @property
    def missed(self):
        """How many values were skipped before the one got last: see :attr:`Consumer.missed`."""
        return self.__side("get").missed

    @property
    def age(self):
        """Seconds since the put of the value got last: see :attr:`Consumer.age`."""
        return self.__side("get").age

    @property
    def capacity(self):
        """The most bytes of one array with its header."""
        return self.__end.capacity

    @property
    def connected(self):
        """How many consumers are alive. For the side that puts."""
        return self.__side("put").connected

    @property
    def has_producer(self):
        """Whether a producer is alive."""
        return not self.closed if self.mode == "put" else self.__end.has_producer

    @property
    def producer(self):
        """Who the living producer is: see :attr:`Consumer.producer`."""
        return self.__side("get").producer

    @property
    def closed(self):
        """Whether it was closed."""
        return self.__end is None or self.__end.closed

    def close(self):
        """Gives the role back. The channel and its last value stay."""
        if self.__end is not None:
            self.__end.close()

    @property
    def _end(self):
        return self.__end

    def __side(self, mode):
        if self.mode != mode:
            raise _NotHere(_absent(self.name, self.mode))
        return self.__end


#: Whether the class that shares are made from has the methods that are called for each value.
_IS_SERVED = hasattr(_ends.Share, "put")
if _IS_SERVED:
    for _name in ("put", "loan", "get", "try_get", "borrow"):
        delattr(NumpyShare, _name)


class _NotHere(WriteAccessError, AttributeError):
    """An attribute of the other side. It is missing for code that lists attributes (``inspect``,
    mocks)."""


def _absent(name, mode):
    return "%s was opened to %s, and this is for a share that was opened to %s" % (
        name, mode, "get" if mode == "put" else "put"
    )


class _Absent(object):
    """A method of the other side. Calling it is refused."""

    def __init__(self, name, mode):
        self._name, self._mode = name, mode

    def __call__(self, *args, **kwargs):
        raise WriteAccessError(_absent(self._name, self._mode))


_OWN = "_NumpyShare__"
_METHODS = {
    "put": ("put", "loan", "wait_taken", "sync"),
    "get": ("get", "try_get", "latest", "borrow"),
}
