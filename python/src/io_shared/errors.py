"""What can go wrong. The texts are written by the library and say what to do next."""


class Error(Exception):
    """What every channel, lock and observer raises; its subclasses say which kind it is."""


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


class NoSpace(Error):
    """Not enough shared memory or disk."""


class NotFound(Error):
    """Nothing of that name exists."""


class OwnerDied(Error):
    """A writer was killed in the middle: what is there may be half-written."""


class Replaced(Error):
    """The channel was removed or replaced by another."""


class RoleLost(Error):
    """Another producer took over."""


class RoleTaken(Error):
    """The role is another handle's."""


class Timeout(Error):
    """The time ran out."""


class TooLarge(Error):
    """The message does not fit the channel's capacity."""


class WouldDeadlock(Error):
    """This handle has the lock already."""


class OOMError(Exception):
    """What is written does not fit the memory."""

    def __init__(self, message="what is written does not fit the shared memory"):
        super(OOMError, self).__init__(message)


class WriteAccessError(Exception):
    """Writing without the lock, or a call that this side of a share does not have."""

    def __init__(self, message="writing needs the lock: with shm.lock() or shm.lock_write()"):
        super(WriteAccessError, self).__init__(message)


class ReadAccessError(Exception):
    """Reading without the lock."""

    def __init__(self, message="reading needs the lock: with shm.lock() or shm.lock_read()"):
        super(ReadAccessError, self).__init__(message)
