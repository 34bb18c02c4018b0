"""Shared bytes with their lock in one region: those of Rust's ``SharedMmap`` and ``RwSharedMmap``
and of C's ``ios_mmap``.

The bytes start after a header, where ``mmap.mmap`` cannot begin, and may be used only under the
lock. So each call copies, and returns nothing that could outlive the lock.
"""

import numpy as np

from io_shared import _library, errors
from io_shared._library import in_bytes
from io_shared._lock import ONE, RW, Lock, Locking
from io_shared._memory import Memory
from io_shared._mmaps import length_of
from io_shared._zip import Ending
from io_shared.errors import OOMError


class LockedBytes(_library.Closing, Locking, Ending):
    """Bytes that Python, Rust and C programs share, with their lock in one region called ``name``.

    ``size``: bytes, or digits and one of K, M, G. The bytes are created if missing, all zeros.
    Without a size they must exist, or appear within ``open_timeout`` seconds. ``rw``: whether
    several readers may read together (Rust's ``RwSharedMmap``, C's ``IOS_MMAP_RW``) or one at a
    time (``SharedMmap``, ``IOS_MMAP_LOCKED``). ``max_readers``: how many handles may be open at
    once (default 64, at most 1000). ``permissions``: of the shared memory (default 0o600). A handle
    is for one thread.

    It has the methods of :class:`RWSharedMMap`, and its own position.

    >>> shm = LockedBytes("/state", "1M")
    >>> with shm.lock_write():
    ...     np.save(shm, array)
    """

    #: None until it is opened.
    _lock = None

    def __init__(self, name, size=None, rw=True, max_readers=None, permissions=None,
                 open_timeout=0):
        self.name = _library.native(name)
        self._opened = LockedBytes, (name, size, rw, max_readers, permissions, open_timeout)
        if size is not None and not _library.size(size):
            raise errors.Invalid(
                "%s: size=%r is not valid: there must be at least one byte" % (self.name, size)
            )
        kind = RW if rw else ONE
        self._lock = Lock(name, max_readers, size, kind, permissions, open_timeout)
        self._position = 0

    def lock_write(self, timeout=None, repair=False):
        """Locks the bytes to read and write them, alone: ``with shm.lock_write():``.

        ``timeout``: seconds, then :class:`Timeout`; None waits for ever. If a writer was killed
        while it was writing, or left its block by an exception, this raises :class:`OwnerDied`,
        until a block of ``lock_write(repair=True)`` repairs the bytes and ends without an
        exception.
        """
        return self._locked("w", timeout, repair)

    lock = lock_write

    def lock_read(self, timeout=None):
        """Locks the bytes to read them, with ``rw`` together with others: ``with
        shm.lock_read():``."""
        return self._locked("r", timeout, False)

    @property
    def closed(self):
        """Whether it was closed."""
        return self._lock is None or self._lock._handle is None

    def __len__(self):
        return self._lock.size

    def size(self):
        """How many bytes there are. It needs no lock: they never grow or shrink."""
        return len(self)

    def tell(self):
        """The position."""
        return self._position

    def seek(self, pos, whence=0):
        """Moves the position: from the start, from the position (1), or from the end (2). If the
        bytes are a zip file (``numpy.savez``), its end counts."""
        if whence not in (0, 1, 2):
            raise errors.Invalid("whence must be 0, 1 or 2, not %r" % (whence,))
        end = self._sought_from = self._end() if whence == 2 else None
        position = pos + (0, self._position, end)[whence]
        if not 0 <= position <= len(self):
            size = in_bytes(len(self))
            raise errors.Invalid("%s: %d is not within %s" % (self.name, position, size))
        self._position = position

    def read(self, n=None):
        """Reads at most ``n`` bytes from the position on, or all of them without ``n``."""
        self._reading()
        if n is None or n < 0:
            n = self._left()
        end = min(self._position + n, len(self))
        read = self._bytes[self._position : end].tobytes()
        self._position = end
        return read

    def read_byte(self):
        """Reads the byte at the position, as ``mmap.mmap`` does: a number; in Python 2 a text."""
        self._reading()
        if self._position >= len(self):
            raise errors.Invalid("%s: there is no byte left" % self.name)
        self._position += 1
        return self[self._position - 1]

    def readline(self):
        """Reads up to and including the next line feed, or all that is left."""
        end = self.find(b"\n")
        return self.read(end + 1 - self._position if end >= 0 else None)

    def write(self, data):
        """Writes at the position, all or nothing. Returns the number of bytes."""
        self._writing()
        length = length_of(data)
        if length > len(self) - self._position:
            raise OOMError(
                "%s: %s do not fit into the %d from %d on: create it with size=%d or more"
                % (self.name, in_bytes(length), len(self) - self._position, self._position,
                   self._position + length)
            )
        if length:
            end = self._position + length
            self._bytes[self._position : end] = np.frombuffer(data, np.uint8)
            self._position = end
        return length

    def write_byte(self, byte):
        """Writes a byte, as ``read_byte`` returns it."""
        self._writing()
        if self._position >= len(self):
            raise OOMError("%s: there is no byte left" % self.name)
        self[self._position] = byte
        self._position += 1

    def find(self, sub, start=None, end=None):
        """The first location of ``sub``, from the position or ``start`` on; -1 if there is none."""
        self._reading()
        start = self._position if start is None else start
        return self._bytes.tobytes().find(sub, start, len(self) if end is None else end)

    def rfind(self, sub, start=None, end=None):
        """The last location of ``sub``, from the position or ``start`` on; -1 if there is none."""
        self._reading()
        start = self._position if start is None else start
        return self._bytes.tobytes().rfind(sub, start, len(self) if end is None else end)

    def move(self, dest, src, count):
        """Copies ``count`` bytes from ``src`` to ``dest``; they may overlap."""
        self._writing()
        if min(dest, src, count) < 0 or max(dest, src) + count > len(self):
            size = in_bytes(len(self))
            raise errors.Invalid("%s: the range is not within %s" % (self.name, size))
        self._bytes[dest : dest + count] = self._bytes[src : src + count].copy()

    def flush(self):
        """Writes the changes to the file, if there is one."""
        self._writing()
        self._guard.flush()

    def __getitem__(self, index):
        self._reading()
        found = self._bytes[index]
        if isinstance(index, slice):
            return found.tobytes()
        return chr(found) if str is bytes else int(found)

    def __setitem__(self, index, value):
        self._writing()
        if not isinstance(index, slice):
            if str is bytes:
                value = ord(value) if isinstance(value, str) else None
            if not isinstance(value, int) or not 0 <= value <= 255:
                raise errors.Invalid("a byte is 0 to 255 (in Python 2 a text of one character)")
            self._bytes[index] = value
            return
        length = len(range(*index.indices(len(self))))
        if length_of(value) != length:
            given = in_bytes(length_of(value))
            raise IndexError("the slice has %d bytes, and the value %s" % (length, given))
        if length:
            self._bytes[index] = np.frombuffer(value, np.uint8)

    def close(self):
        """Closes the handle. The bytes stay; a lock is held until its block ends."""
        if self._lock is not None:
            self._lock.close()

    @property
    def _bytes(self):
        guard = self._guard
        return np.asarray(Memory(guard.data, len(self), self._held == "r", guard))
