"""Loans: messages that are filled in a ``with`` block, and put at its end."""

import sys

import numpy as np

from io_shared import _library, _messages, errors
from io_shared._memory import address


class Loan(object):
    """A message to fill, as a context manager. Made by ``loan`` of producers and shares.

    >>> loan = clouds.loan((120000, 4), np.float32)
    >>> with loan as out:
    ...     if not lidar.read_into(out):
    ...         loan.cancel()
    ...     loan.tag = lidar.frame
    """

    def __init__(self, producer, header, length, view, in_place, label):
        """A loan of ``length`` bytes after ``header``. The block fills ``view(bytes)``."""
        self._name, self._view, self._is_over = producer.name, view, False
        self._tag, self._number, self._stamp = label
        # Without reference counts it is not known whether an array is still alive.
        kind = _InPlace if in_place and _library.COUNTS else _Own
        self._filling = kind(producer, header, length)

    def __getattr__(self, name):
        if name[:2] == "__":
            raise AttributeError(name)  # a protocol of Python that loans do not have
        raise self._outside()

    def __setattr__(self, name, value):
        if name[:1] != "_" and name != "tag":
            raise self._outside()
        object.__setattr__(self, name, value)

    def __getitem__(self, index):
        raise self._outside()

    def __setitem__(self, index, value):
        raise self._outside()

    def _outside(self):
        """The error for a use of the loan in place of what it lends."""
        return errors.NoField(
            "%s: a loan is filled in a block: use `with .. .loan(..) as out`, and fill `out`"
            % self._name
        )

    def __enter__(self):
        if self._view is None or self._is_over:
            raise entered(self._name)
        view, self._view = self._view, None
        try:
            return self._filling.begin(view)
        except BaseException:
            self.cancel()  # a traceback keeps this object, but no buffer
            raise

    def __exit__(self, type_, value, trace):
        if type_ is not None or self._view is not None:  # or it was never entered
            self.cancel()
        if not self._is_over:
            self._is_over = True
            self._filling.put((self._tag, self._number, self._stamp))

    @property
    def tag(self):
        """The tag that the value is put with, as in ``put``. It may be set until the block
        ends."""
        return self._tag

    @tag.setter
    def tag(self, tag):
        self._tag = _library.tag(self._name, tag)

    def cancel(self):
        """Ends the loan without putting anything. The block may continue; its memory stays
        valid."""
        if not self._is_over:
            self._is_over = True
            self._filling.cancel()


class _Own(object):
    """Fills memory of this process, which is copied at the put."""

    def __init__(self, producer, header, length):
        self._producer, self._header, self._length = producer, header, length
        self._buffer = None

    def begin(self, view):
        producer, whole = self._producer, len(self._header) + self._length
        if whole > producer.capacity:
            producer._lend(whole).cancel(False)  # raises the error
        self._buffer = producer._buffers.take(self._length)
        out = view(self._buffer.bytes[: self._length])
        self._arrays = _messages.parts(out)
        return out

    def put(self, label):
        try:
            self._producer._put_data(self._header, address(self._buffer.bytes), self._length, label)
        finally:
            self._buffer.set_writeable(False)
            for array in self._arrays:
                array.flags.writeable = False
            self.cancel()

    def cancel(self):
        self._arrays = None
        if self._buffer is not None:
            self._producer._buffers.give_back(self._buffer)
            self._buffer = None


class _InPlace(object):
    """Fills a buffer in shared memory, which is put without a copy."""

    def __init__(self, producer, header, length):
        self._producer, self._header, self._length = producer, header, len(header) + length
        self._lent, self._out, self._arrays = None, None, []

    def begin(self, view):
        self._lent = self._producer._lend(self._length)
        root = np.asarray(self._lent.memory)
        start = len(self._header)
        fill(root, self._header)
        self._out = view(root[start:])
        self._arrays = [root] + _messages.parts(self._out)
        del root
        self._counts = _counts(self._arrays)
        return self._out

    def put(self, label):
        # Every array made from these has one of them as its base, usually the first. One reference
        # to another of them may be the caller's: in a loan without fields, that array is `out`.
        alive = [now - then for now, then in zip(_counts(self._arrays), self._counts)]
        if alive[0] > 0 or max(alive) > 1:
            self.cancel()
            raise kept(self._producer.name)
        for array in self._arrays:
            array.flags.writeable = False
        self._out, self._arrays = None, []
        self._producer._put_lent(self._lent, self._length, label)

    def cancel(self):
        self._out, self._arrays = None, []
        if self._lent is not None:
            # The caller has `out`, and may still write to it.
            self._lent.cancel(True)


def entered(name):
    """The error for a second block."""
    return errors.AlreadyLoaned(
        "%s: this loan was already entered or cancelled: a loan is for one block" % name
    )


def kept(name):
    """The error for a loan in place that somebody else could still change."""
    return errors.AlreadyLoaned(
        "%s: nothing was put: an array made from the one on loan (or a second reference to it) is "
        "still alive and could change the value later: release it inside the block, or lend "
        "without in_place=True" % name
    )


def _counts(arrays):
    return [sys.getrefcount(array) for array in arrays]


def fill(root, header):
    """Writes ``header`` at the beginning of ``root``."""
    root[: len(header)] = np.frombuffer(header, np.uint8)
