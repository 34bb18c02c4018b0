"""The package's exceptions. Their texts come from the library and say what to do next.

Each is an :class:`Error`. Where Python has an exception of its own, it is that too: ``Timeout`` is
a ``TimeoutError``, ``NotFound`` a ``FileNotFoundError`` (an ``IOError`` in Python 2), both with an
``errno``.

>>> try:
...     clouds = io_shared.open("/cloud_share", open_timeout=0)
... except io_shared.NotFound as error:
...     print(error)  # says that nobody has created it, and what to do
"""

import errno

try:
    _Denied, _Missing, _Late = PermissionError, FileNotFoundError, TimeoutError
except NameError:  # Python 2
    _Denied, _Missing, _Late = OSError, IOError, OSError


class Error(Exception):
    """The base of every error of channels, locks and observers; the subclasses are its kinds."""


class _Numbered(Error):
    """An error with an ``errno``, which its text does not contain."""

    _number = None

    def __init__(self, message="", number=None):
        super(_Numbered, self).__init__(message)
        self.errno = self._number if number is None else number

    def __str__(self):
        return self.args[0]

    def __reduce__(self):
        return type(self), (self.args[0], self.errno)


class Invalid(Error, ValueError):
    """The name, size, option, dtype or array is not valid."""


class BadValue(Error, ValueError):
    """A bool or an enum of a message has a number that its type does not have, or an array another
    shape than this program declared. A put puts nothing, also if a list does not lie within its
    message; a value that a get refuses for that counts as received."""


class WrongFields(Error, TypeError):
    """The values do not match the fields of the message."""


class NoField(Error, AttributeError, KeyError):
    """The message has no field of that name."""

    def __str__(self):
        return self.args[0]


class SystemFailure(_Numbered, OSError):
    """A system call failed; ``errno`` says why."""


class Denied(SystemFailure, _Denied):
    """The permissions of the shared memory or file do not allow it."""

    _number = errno.EACCES


class AlreadyHeld(Error):
    """Every hold of this consumer is in use: an array from ``borrow`` is still alive."""


class AlreadyLoaned(Error):
    """A buffer of this producer is on loan, or an array made from it is still alive."""


class BadSeq(Error, ValueError):
    """A value was to be put under a number that is not greater than the last."""


class Busy(Error):
    """Another process kept changing what was being read, or held a lock for too long."""


class Closed(Error, ValueError):
    """The handle was closed."""


class Corrupt(Error):
    """The channel contains something that no correct program writes."""


class ForkedHandle(Error):
    """The handle was opened before a fork, and this is the child: open a new handle here."""


class Interrupted(Error):
    """``interrupt()`` ended the wait. Nothing was taken: call again to go on waiting."""


class LegacyLockStuck(Error):
    """A semaphore of the original package was not given back (``legacy=True``): whoever took it is
    slow, or died with it. The text says how a person frees it."""


class Mismatch(Error):
    """The channel has another type, size or layout."""


class NoMemory(Error, MemoryError):
    """This process has no address space for buffers that consumers added when they joined. Nothing
    is lost, and the next call tries again."""


class NoProducer(Error):
    """The channel has lost its producer (``requires_producer=True``)."""


class NoSlot(Error):
    """Every consumer slot is taken: there are 64, or as many as ``consumers`` of the creator."""


class NoSpace(_Numbered, OSError):
    """Not enough shared memory or disk."""

    _number = errno.ENOSPC


class NotFound(_Numbered, _Missing):
    """Nothing of that name exists."""

    _number = errno.ENOENT


class OwnerDied(Error):
    """A writer was killed while it was writing, or left its block by an exception: the bytes may be
    half-written."""


class Replaced(Error):
    """The channel was removed or replaced, and this end was opened with ``reopen=False``; or the
    shared bytes were removed."""


class RoleLost(Error):
    """Other code closed this handle's descriptor, and another took over its role or slot."""


class RoleTaken(Error):
    """Another handle has the role."""


class Timeout(_Numbered, _Late):
    """The timeout passed."""

    _number = errno.ETIMEDOUT


class TooLarge(Error):
    """The message does not fit the channel's capacity."""


class WouldDeadlock(Error):
    """This handle has the lock already."""


class OOMError(Error):
    """The data does not fit into the shared memory."""

    def __init__(self, message="the data does not fit into the shared memory"):
        super(OOMError, self).__init__(message)


class WriteAccessError(Error):
    """Writing needs the lock; or this side of a share does not have that method."""

    def __init__(self, message="writing needs the lock: with shm.lock() or shm.lock_write()"):
        super(WriteAccessError, self).__init__(message)


class ReadAccessError(Error):
    """Reading needs the lock."""

    def __init__(self, message="reading needs the lock: with shm.lock() or shm.lock_read()"):
        super(ReadAccessError, self).__init__(message)


def alone(error):
    """``error``, without the exception that was being handled when it was raised."""
    error.__cause__ = None
    error.__suppress_context__ = True
    return error
