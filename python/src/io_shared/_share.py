"""The assignment of arrays between processes."""

from io_shared import _library, _messages
from io_shared._consumer import Consumer
from io_shared.errors import WriteAccessError
from io_shared._producer import ArrayProducer


class NumpyShare(_library.Closing):
    """One end of a channel of arrays: ``mode`` is ``"put"`` or ``"get"``.

    ``size``: the most bytes of one array with its header (128 bytes, as a rule): a number, or digits
    and one of K, M, G. Either end may start first, and come back after a crash.

    ``consumers``: how many may get at once (default 1). ``holds``: how many borrowed values each may
    keep at once, at most 4 (default 2). ``permissions``: of the shared memory (default 0o600).
    ``reopen``: go on in a new channel when this one is removed. ``consumer_name``: under which a
    consumer goes on where it stopped. Each is for who creates the channel; who finds it states the
    least that it needs.
    """

    def __init__(self, name, size, mode, consumers=None, holds=None, permissions=None,
                 reopen=False, consumer_name=None):
        flags = _library.REOPEN if reopen else 0
        self.name, self.mode = name, mode
        if mode == "put":
            if consumer_name is not None:
                raise ValueError("consumer_name is for mode 'get'")
            self._end = ArrayProducer(_messages.Arrays(), name, size, consumers, holds, permissions,
                                      flags, _library.SHARE)
        elif mode == "get":
            self._end = Consumer(_messages.Arrays(), name, size, consumers, holds, permissions,
                                 flags, consumer_name, words=_library.SHARE)
        else:
            raise ValueError("mode is 'put' or 'get', not %r" % (mode,))
        # Bound here, so that a get or put is one call.
        for method in _METHODS[mode]:
            setattr(self, method, getattr(self._end, method))

    def put(self, array):
        """Puts a copy of ``array``: see :meth:`ArrayProducer.put`."""
        raise self._not_for("put")

    def loan(self, shape, dtype=float, order="C"):
        """Fills an array in place: see :meth:`ArrayProducer.loan`."""
        raise self._not_for("put")

    def wait_taken(self, timeout=None):
        """Waits until consumers have had the last value: see :meth:`ArrayProducer.wait_taken`."""
        raise self._not_for("put")

    def get(self, timeout=None):
        """Waits for a value: see :meth:`Consumer.get`."""
        raise self._not_for("get")

    def try_get(self):
        """A value that was not had, or None: see :meth:`Consumer.try_get`."""
        raise self._not_for("get")

    def latest(self):
        """The latest value, had or not: see :meth:`Consumer.latest`."""
        raise self._not_for("get")

    def borrow(self, timeout=None):
        """A value where it lies: see :meth:`Consumer.borrow`."""
        raise self._not_for("get")

    @property
    def seq(self):
        """The number of the value put or got last; 0 for none."""
        return self._end.seq

    @property
    def missed(self):
        """How many values were passed over between the last two that were got."""
        return self._getting().missed

    @property
    def age(self):
        """Seconds since the value got last was put; None before the first."""
        return self._getting().age

    @property
    def capacity(self):
        """The most bytes of one array with its header."""
        return self._end.capacity

    def close(self):
        """Gives the role back; the channel and its last value stay."""
        self._end.close()

    def _getting(self):
        if self.mode != "get":
            raise self._not_for("get")
        return self._end

    def _not_for(self, mode):
        return WriteAccessError(
            "%s was opened to %s, and this is for who opens it to %s" % (self.name, self.mode, mode)
        )


_METHODS = {
    "put": ("put", "loan", "wait_taken"),
    "get": ("get", "try_get", "latest", "borrow"),
}
