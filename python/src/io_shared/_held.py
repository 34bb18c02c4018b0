"""Values that are held, by ctypes, and what gets ended with."""

from io_shared import _library, _structs
from io_shared._library import BUSY, EMPTY, INTERRUPTED, TIMEOUT


class Value(_structs.Value):
    """A value that is held until ``release``."""

    def release(self):
        _library.guard_drop(self.guard)


def has(status):
    """Whether there is a value; raises if ``status`` is a failure."""
    if status in (TIMEOUT, EMPTY, BUSY, INTERRUPTED):
        return False
    _library.check(status)
    return True
