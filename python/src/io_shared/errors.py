"""What can go wrong. The texts are written by the library and say what to do next.

Each is an :class:`Error`; what Python has a word for is that too: ``Timeout`` is a ``TimeoutError``,
``NotFound`` a ``FileNotFoundError`` (in Python 2 an ``IOError``), both with their ``errno``.
"""

import errno

try:
    _Denied, _Missing, _Late = PermissionError, FileNotFoundError, TimeoutError
except NameError:  # Python 2
    _Denied, _Missing, _Late = OSError, IOError, OSError


class Error(Exception):
    """What every channel, lock and observer raises; its subclasses say which kind it is."""


class _Numbered(Error):
    """One with an ``errno``, and a text without it."""

    _number = None

    def __init__(self, message="", number=None):
        super(_Numbered, self).__init__(message)
        self.errno = self._number if number is None else number

    def __str__(self):
        return self.args[0]

    def __reduce__(self):
        return type(self), (self.args[0], self.errno)


class Invalid(Error, ValueError):
    """A name, size, option, dtype or array that cannot be used."""


class WrongFields(Error, TypeError):
    """Values that are not those of a message's fields."""


class NoField(Error, AttributeError, KeyError):
    """A message has no field of that name."""

    def __str__(self):
        return self.args[0]


class SystemFailure(_Numbered, OSError):
    """A system call failed: its ``errno``."""


class Denied(SystemFailure, _Denied):
    """The permissions of the shared memory or file do not allow it."""

    _number = errno.EACCES


class AlreadyHeld(Error):
    """Every hold of this consumer is in use: an array from ``borrow`` still lives."""


class AlreadyLoaned(Error):
    """A buffer of this producer is on loan, or an array made from it still lives."""


class Busy(Error):
    """Another process kept changing what was being read, or held a lock for too long."""


class Closed(Error, ValueError):
    """The handle was closed."""


class Corrupt(Error):
    """The channel holds something that no conforming program writes."""


class ForkedHandle(Error):
    """The handle was opened before a fork, and this is the child: open one of its own here."""


class Mismatch(Error):
    """The channel has another type, size or layout."""


class NoSlot(Error):
    """Every consumer slot is taken: create the channel with more ``consumers``."""


class NoSpace(_Numbered, OSError):
    """Not enough shared memory or disk."""

    _number = errno.ENOSPC


class NotFound(_Numbered, _Missing):
    """Nothing of that name exists."""

    _number = errno.ENOENT


class OwnerDied(Error):
    """A writer was killed in the middle, or left its block by an exception: what is there may be
    half-written."""


class Replaced(Error):
    """The channel was removed or replaced by another."""


class RoleLost(Error):
    """Other code closed this handle's descriptor, and another took over its role or slot."""


class RoleTaken(Error):
    """The role is another handle's."""


class Timeout(_Numbered, _Late):
    """The time ran out."""

    _number = errno.ETIMEDOUT


class TooLarge(Error):
    """The message does not fit the channel's capacity."""


class WouldDeadlock(Error):
    """This handle has the lock already."""


class OOMError(Error):
    """What is written does not fit the memory."""

    def __init__(self, message="what is written does not fit the shared memory"):
        super(OOMError, self).__init__(message)


class WriteAccessError(Error):
    """Writing without the lock, or a call that this side of a share does not have."""

    def __init__(self, message="writing needs the lock: with shm.lock() or shm.lock_write()"):
        super(WriteAccessError, self).__init__(message)


class ReadAccessError(Error):
    """Reading without the lock."""

    def __init__(self, message="reading needs the lock: with shm.lock() or shm.lock_read()"):
        super(ReadAccessError, self).__init__(message)


def alone(error):
    """``error``, without the one that was being handled when it came up."""
    error.__cause__ = None
    error.__suppress_context__ = True
    return error
