"""Arrays and typed messages between processes, through shared memory.

The newest value wins: ``put`` never waits, ``get`` waits for a value that was not seen before.
Python 2.7 and 3, Rust and C use the same channels.

>>> clouds = NumpyShare("/cloud_share", "5M", "put")    # one process
>>> clouds.put(np.zeros((120000, 4), np.float32))

>>> clouds = NumpyShare("/cloud_share", "5M", "get")    # another
>>> cloud = clouds.get()

For arrays: ``NumpyShare``. For typed messages (``Message``): ``producer``, ``consumer``,
``io_shared.open`` and ``enum``. For many at once: ``wait_any``. To observe without taking part:
``observe``. To see what is there: ``channels`` and ``info``. To remove a channel: ``remove``. To
keep a channel in a file: ``File``. For messages of ROS as arrays: ``io_shared.ros``. For shared
bytes: ``RWSharedMMap``, ``SharedMMap``, ``UnsafeSharedMMap`` and ``LockedBytes``. For one value
that several programs change, and wait for: ``State``. For questions and their answers: ``Client``
and ``Server``. Every error is an ``Error``; its kinds are in
``io_shared.errors``.
"""

from io_shared._backend import name as backend
from io_shared._consumer import Consumer, consumer, open
from io_shared.errors import (  # noqa: F401
    AlreadyHeld,
    AlreadyLoaned,
    BadSeq,
    BadValue,
    Busy,
    Closed,
    Corrupt,
    Denied,
    Error,
    ForkedHandle,
    Interrupted,
    Invalid,
    LegacyLockStuck,
    Mismatch,
    NoField,
    NoMemory,
    NoProducer,
    NoSlot,
    NoSpace,
    NotFound,
    OOMError,
    OwnerDied,
    ReadAccessError,
    Replaced,
    RoleLost,
    RoleTaken,
    SystemFailure,
    Timeout,
    TooLarge,
    WouldDeadlock,
    WriteAccessError,
    WrongFields,
)
from io_shared._enums import enum
from io_shared._inspect import channels, info
from io_shared._library import File, Process
from io_shared._loan import Loan
from io_shared._locked import LockedBytes
from io_shared._message import Message
from io_shared._mmaps import FastSharedMMap, RWSharedMMap, SharedMMap, UnsafeSharedMMap
from io_shared._observer import Observer, observe
from io_shared._service import Client, Question, Server
from io_shared._share import NumpyShare
from io_shared._state import State
from io_shared._producer import ArrayProducer, TypedProducer, producer
from io_shared._removal import remove
from io_shared._wait_any import wait_any
from io_shared import ros  # noqa: F401

__version__ = "0.1.0"
#: What serves the calls that are made for each value: ``"native"``, a compiled module, or
#: ``"ctypes"``.
backend = backend

# The classes first. `open` is not listed: it would hide Python's own.
__all__ = [
    "NumpyShare", "Consumer", "ArrayProducer", "TypedProducer", "Loan", "Observer", "Message",
    "Process", "File",
    "RWSharedMMap", "FastSharedMMap", "SharedMMap", "UnsafeSharedMMap", "LockedBytes",
    "State", "Client", "Server", "Question",
    "backend", "producer", "consumer", "enum", "observe", "channels", "info", "remove", "wait_any",
    "Error", "AlreadyHeld", "AlreadyLoaned", "BadSeq", "BadValue", "Busy", "Closed", "Corrupt",
    "Denied", "ForkedHandle", "Interrupted", "Invalid", "LegacyLockStuck", "Mismatch",
    "NoField", "NoMemory",
    "NoProducer", "NoSlot", "NoSpace", "NotFound", "OOMError", "OwnerDied", "ReadAccessError",
    "Replaced", "RoleLost", "RoleTaken", "SystemFailure", "Timeout", "TooLarge", "WouldDeadlock",
    "WriteAccessError", "WrongFields",
]
