"""The C ABI of io-shared by ctypes: the functions of ``io_shared.h``, with statuses as exceptions.

Calls let other threads run (``CDLL`` releases the interpreter's lock), except those of ``_held``.
No call waits longer than a slice, so that Ctrl-C works.
"""

import collections
import ctypes
import errno
import gc
import mmap
import operator
import os
import sys
import time
import weakref
from ctypes import byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p

from io_shared import _structs, errors
from io_shared._labels import NO_LABEL, label, number_of, tag, whole  # noqa: F401
from io_shared._structs import Gets, Options, Puts, Value  # noqa: F401

#: Who has a role of a channel, as it described itself when it took the role: its process id (in its
#: own PID namespace), the start of its program's name, and since when, in seconds since 1970. What
#: is not known is None.
Process = collections.namedtuple("Process", "pid command since")

#: The longest wait in one call, in nanoseconds.
SLICE = 100 * 1000 * 1000
#: How many seconds a handle that was sent here waits for its sender to give up the role.
HANDED_ON = 5.0
ABI = 2
#: Whether an object is freed with the last reference to it (CPython), or at a collection some time
#: later (PyPy).
COUNTS = hasattr(sys, "getrefcount")

PREFAULT, NO_REOPEN, EPHEMERAL, REPLACE, EXTEND, GROWING = 4, 8, 16, 32, 64, 128
_NO_STAMPS, REQUIRES_PRODUCER = 2, 256

MISMATCH, ROLE_TAKEN, NO_SLOT = 6, 7, 8
OK, NOT_FOUND, TIMEOUT, WOULD_BLOCK, OWNER_DIED, SYSTEM, EMPTY = 0, 4, 11, 15, 17, 27, 100
BUSY, ALREADY_HELD, INTERRUPTED = 12, 13, 32

_ERRORS = {
    4: errors.NotFound,
    6: errors.Mismatch,
    7: errors.RoleTaken,
    8: errors.NoSlot,
    9: errors.RoleLost,
    10: errors.Replaced,
    11: errors.Timeout,
    12: errors.Busy,
    13: errors.AlreadyHeld,
    14: errors.ForkedHandle,
    16: errors.WouldDeadlock,
    17: errors.OwnerDied,
    20: errors.TooLarge,
    22: errors.Corrupt,
    23: errors.NoSpace,
    24: errors.NoSpace,
    25: errors.Denied,
    29: errors.NoMemory,
    30: errors.BadSeq,
    31: errors.BadValue,
    32: errors.Interrupted,
    33: errors.NoProducer,
    34: errors.LegacyLockStuck,
    101: errors.AlreadyLoaned,
    102: errors.Busy,
}
#: Statuses for arguments that are not valid: names, sizes, options, schemas.
_VALUES = frozenset([1, 2, 3, 28, 104])

#: Whose arguments the text of an error names (``ios_words``): ``capacity=`` of typed
#: channels, ``size=`` of shares, ``size=`` and ``max_readers=`` of shared bytes.
TYPED, SHARE, BYTES = 1, 2, 3


def _load():
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.environ.get("IO_SHARED_LIBRARY") or os.path.join(here, "libio_shared_ffi.so")
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            "%s cannot be loaded (%s): install io_shared from its wheel, which contains it"
            % (path, error)
        )


_dll = _load()
_POINTER = ctypes.POINTER(c_void_p)

#: For short calls that never wait. Other threads do not run meanwhile: switching would take longer
#: than they. (PyPy has no such calls.)
_held = ctypes.PyDLL(_dll._name) if hasattr(ctypes, "PyDLL") else _dll


def _declare(name, *arguments, **result):
    function = getattr(_dll, "ios_" + name)
    function.argtypes = arguments
    function.restype = result.get("returns", c_int)
    return function


def _bare(library, name):
    """A function whose arguments are not converted: bytes, and results of ``byref``."""
    function = getattr(library, "ios_" + name)
    function.restype = c_int
    return function


_last_error_in = _declare("last_error_in", c_uint32, returns=c_char_p)
last_errno = _declare("last_errno", returns=c_int32)
_abi_version = _declare("abi_version", returns=c_uint32)
_options_init = _declare("options_init", c_void_p, c_size_t, returns=None)
_size = _declare("size", c_char_p, c_void_p)
text_free = _declare("text_free", c_void_p, returns=None)
copy = _declare("copy", c_void_p, c_void_p, c_size_t)
_array_describe = _declare("array_describe", c_void_p, c_size_t, _POINTER)
list_regions = _declare("regions", _POINTER)
region_info = _declare("info", c_char_p, _POINTER)

producer_open = _declare("producer_open", c_void_p, _POINTER)
producer_close = _declare("producer_close", c_void_p, returns=None)
put_like = _bare(_dll, "producer_put_like")
put_short = _bare(_held, "producer_put_like")
producer_loan_window = _declare(
    "producer_loan_window", c_void_p, c_size_t, _POINTER, _POINTER, _POINTER
)
producer_wait_taken = _declare("producer_wait_taken", c_void_p, c_int64, c_void_p)
producer_interrupt = _declare("producer_interrupt", c_void_p, returns=None)
producer_sync = _declare("producer_sync", c_void_p)
producer_connected = _declare("producer_connected", c_void_p, c_void_p)
producer_seq = _declare("producer_seq", c_void_p, c_void_p)
producer_capacity = _declare("producer_capacity", c_void_p, c_void_p)
producer_schema = _declare("producer_schema", c_void_p, _POINTER)
loan_tag = _declare("loan_tag", c_void_p, c_uint64)
loan_number = _declare("loan_number", c_void_p, c_uint64, c_uint64)
loan_put = _declare("loan_put", c_void_p, c_size_t, c_void_p)
loan_drop = _declare("loan_drop", c_void_p, returns=None)
window_sever = _declare("window_sever", c_void_p)
window_drop = _declare("window_drop", c_void_p, returns=None)

consumer_open = _declare("consumer_open", c_void_p, _POINTER)
consumer_close = _declare("consumer_close", c_void_p, returns=None)
consumer_get = _declare("consumer_get", c_void_p, c_int64, c_void_p)
get_like = _bare(_dll, "consumer_get_like")
consumer_latest = _declare("consumer_latest", c_void_p, c_void_p)
consumer_since = _declare("consumer_since", c_void_p, c_uint64, c_void_p)
consumer_tagged = _declare("consumer_tagged", c_void_p, c_uint64, c_int64, c_void_p)
consumer_last_seen = _declare("consumer_last_seen", c_void_p, c_void_p)
consumer_has_producer = _declare("consumer_has_producer", c_void_p, c_void_p)
consumer_producer = _declare("consumer_producer", c_void_p, c_void_p)
consumer_capacity = _declare("consumer_capacity", c_void_p, c_void_p)
consumer_schema = _declare("consumer_schema", c_void_p, _POINTER)
consumer_end_waits_at_signals = _declare("consumer_end_waits_at_signals", c_void_p)
consumer_ready_fd = _declare("consumer_ready_fd", c_void_p, c_void_p)
wait_any = _declare("wait_any", c_void_p, c_size_t, c_int64, c_void_p)
consumer_interrupt = _declare("interrupt", c_void_p, returns=None)
observer_open = _declare("observer_open", c_void_p, _POINTER)
observer_close = _declare("observer_close", c_void_p, returns=None)
observer_copy = _declare("observer_copy", c_void_p, c_void_p)
observer_wait = _declare("observer_wait", c_void_p, c_int64, c_void_p)
observer_seq = _declare("observer_seq", c_void_p, c_void_p)
observer_producer = _declare("observer_producer", c_void_p, c_void_p)
observer_since = _declare("observer_since", c_void_p, c_uint64, c_void_p)
observer_tagged = _declare("observer_tagged", c_void_p, c_uint64, c_void_p)
observer_schema = _declare("observer_schema", c_void_p, _POINTER)
observer_field = _declare("observer_field", c_void_p, c_char_p, c_void_p)
guard_age = _declare("guard_age", c_void_p, c_void_p)
guard_drop = _declare("guard_drop", c_void_p, returns=None)
channel_remove = _declare("channel_remove", c_char_p)

mmap_open = _declare("mmap_open", c_void_p, c_uint32, _POINTER)
mmap_close = _declare("mmap_close", c_void_p, returns=None)
mmap_fd = _declare("mmap_fd", c_void_p, c_void_p)
mmap_size = _declare("mmap_size", c_void_p, c_void_p)
mmap_lock = _declare("mmap_lock", c_void_p, c_int64, _POINTER, _POINTER)
mmap_lock_read = _declare("mmap_lock_read", c_void_p, c_int64, _POINTER, _POINTER)
mmap_guard_flush = _declare("mmap_guard_flush", c_void_p)
mmap_guard_drop = _declare("mmap_guard_drop", c_void_p, returns=None)
mmap_mark_consistent = _declare("mmap_mark_consistent", c_void_p)
mmap_mark_dirty = _declare("mmap_mark_dirty", c_void_p)
mmap_set = _declare("mmap_set", c_void_p, c_void_p, c_size_t, c_int64)
mmap_changed = _declare("mmap_changed", c_void_p, c_void_p)
mmap_wait_changed = _declare("mmap_wait_changed", c_void_p, c_int64)
mmap_created = _declare("mmap_created", c_void_p, c_void_p)
mmap_remove = _declare("mmap_remove", c_char_p, c_uint32)

if _abi_version() != ABI:
    raise ImportError(
        "the library of io_shared has ABI %d, and this package needs %d: install them together"
        % (_abi_version(), ABI)
    )


def check(status, words=TYPED):
    """Raises the exception for ``status``, if that is not ``OK``."""
    if status != OK:
        raise failure(status, words)


def failure(status, words=TYPED):
    """The exception for ``status``, with the library's text in ``words``."""
    text = native(_last_error_in(words))
    if status in _VALUES:
        return errors.Invalid(text)
    if status == SYSTEM:
        number = int(last_errno())
        denied = number in (errno.EACCES, errno.EPERM)
        return (errors.Denied if denied else errors.SystemFailure)(text, number)
    return _ERRORS.get(status, errors.Error)(text)


class File(str):
    """The path of a file, in place of a name in shared memory.

    The file is created if missing, and keeps its content: the last value survives a restart of the
    machine. Remove it like any file. It cannot be on a network file system.

    >>> maps = NumpyShare(File("map.io"), "5M", "put")
    """

    __slots__ = ()

    def __new__(cls, path):
        if hasattr(os, "fspath"):
            try:
                path = os.fsdecode(path)
            except TypeError as error:
                raise errors.alone(errors.WrongFields("a file needs a path: %s" % error))
        elif not isinstance(path, _TEXTS):
            raise errors.WrongFields("a file needs a path, not %r" % (path,))
        elif not isinstance(path, str):  # a text of Python 2
            path = path.encode("utf-8")
        if not path:
            raise errors.Invalid("a file needs a path")
        _without_nul(path)
        return super(File, cls).__new__(cls, path)


def encoded(text):
    """``text`` as the library takes it."""
    if text is None:
        return None
    native(text)  # a text, or refused
    return _without_nul(text if isinstance(text, bytes) else text.encode("utf-8"))


def _without_nul(text):
    """Refuses a NUL, at which a text would end in C: ``"/a\\0b"`` would be ``"/a"``."""
    if (b"\0" if isinstance(text, bytes) else u"\0") in text:
        raise errors.Invalid(
            "%r cannot be a name: it contains a NUL; use letters, digits, '-', '_' and '.'"
            % (text,)
        )
    return text


def native(text):
    """``text`` as a ``str`` of this Python."""
    if not isinstance(text, _TEXTS):
        raise errors.WrongFields("a name must be a text, not %r (for a file: File(path))" % (text,))
    if isinstance(text, File) or isinstance(text, str) and str is bytes:
        return text
    try:
        coded = text.decode("utf-8") if isinstance(text, bytes) else text.encode("utf-8")
    except UnicodeError as error:
        raise errors.alone(errors.Invalid("%r cannot be a name: %s" % (text, error)))
    return text if isinstance(text, str) else coded


def size(text):
    """A number of bytes: a number, or digits and one of K, M and G (powers of 1024)."""
    if not isinstance(text, _TEXTS):
        try:
            number = int(text)
        except (TypeError, ValueError, OverflowError):
            number = -1
        if number < 0 or number != text:
            raise errors.alone(errors.Invalid(
                "a size must be a number of bytes, or a text such as '5M', not %r" % (text,)
            ))
        return min(number, _MOST)  # the library refuses it, and says what the most is
    bytes_ = c_uint64()
    check(_size(encoded(text), byref(bytes_)))
    return int(bytes_.value)


_TEXTS = (str, bytes, type(u""))
_MOST = 2 ** 64 - 1


def _count(name, argument, value):
    """``value`` as the number of an option; 0 for None."""
    if value is None:
        return 0
    try:
        number = operator.index(value)
    except TypeError:
        raise errors.alone(errors.WrongFields(
            "%s: %s=%r is not valid: it must be a whole number" % (native(name), argument, value)
        ))
    if number < 0:
        raise errors.Invalid(
            "%s: %s=%d is not valid: it must be at least 1, or None"
            % (native(name), argument, number)
        )
    return min(number, 2 ** 32 - 1)


def options(name, flags=0, schema=None, consumer_name=None, capacity=None, consumers=None,
            holds=None, permissions=None, open_timeout=None, wait_for_role=None, max_readers=None,
            history=None):
    """``ios_options`` with the arguments that are not None. ``max_readers`` is what shared bytes
    call a lock's ``handles``."""
    made = Options()
    _options_init(byref(made), ctypes.sizeof(made))
    if isinstance(name, File):
        made.file = os.fsencode(name) if hasattr(os, "fsencode") else name
    else:
        made.name = encoded(native(name))
    made.flags, made.schema = flags, encoded(schema)
    made.consumer_name = encoded(consumer_name)
    try:
        made.capacity = size(capacity) if capacity is not None else 0
    except errors.Invalid as error:
        raise errors.alone(errors.Invalid("%s: %s" % (native(name), error)))
    made.consumers = _count(name, "consumers", consumers)
    made.handles = _count(name, "max_readers", max_readers)
    made.holds = _count(name, "holds", holds)
    made.history = whole(name, "history", history or 0, 0, 2 ** 32 - 1, "253")
    made.mode = _count(name, "permissions", permissions)
    if open_timeout is not None:
        made.open_timeout = nanoseconds(open_timeout)
    if wait_for_role is not None:
        made.wait_for_role = nanoseconds(wait_for_role)
    return made


def nanoseconds(seconds):
    """A timeout as the library takes it."""
    if isinstance(seconds, _TEXTS) or not hasattr(seconds, "__float__"):
        text = "a timeout must be a number of seconds or None, not %r" % (seconds,)
        raise errors.WrongFields(text)
    if not seconds >= 0:
        raise errors.Invalid("a timeout must be at least 0 seconds, not %r" % (seconds,))
    return int(float(min(seconds, 1e9)) * 1e9)


def number(function, handle, type_=c_uint64):
    """The number that ``function`` returns about ``handle``."""
    out = type_()
    check(function(handle, byref(out)))
    return out.value


def process(function, handle):
    """The :class:`Process` that ``function`` returns about ``handle``; None if there is none."""
    out = _structs.Process()
    status = function(handle, byref(out))
    if status == EMPTY:
        return None
    check(status)
    return process_of(out)


def process_of(found):
    """The :class:`Process` of the struct ``found``, whose name may be cut within a character."""
    command = found.command if str is bytes else found.command.decode("utf-8", "replace")
    since = found.since * 1e-9 if found.since else None
    return Process(int(found.pid) or None, command or None, since)


def text(function, handle):
    """The text that ``function`` returns about ``handle``."""
    out = c_void_p()
    check(function(handle, byref(out)))
    try:
        return native(ctypes.string_at(out.value))
    finally:
        text_free(out)


def described(data, length):
    """The JSON description of the array message of ``length`` bytes at the address ``data``."""
    out = c_void_p()
    if _array_describe(data, length, byref(out)) != OK:
        raise ValueError(native(_last_error_in(TYPED)))
    try:
        return ctypes.string_at(out.value).decode("utf-8")
    finally:
        text_free(out)


class Handle(c_void_p):
    """A pointer of the library, closed with the last reference to it. Calls take the handle itself,
    so that no other thread closes it meanwhile."""

    def __init__(self, pointer, close):
        c_void_p.__init__(self, pointer)
        self._close = close

    def close(self):
        """Closes it now. Nobody else may be using it."""
        if self.value:
            pointer, self.value = c_void_p(self.value), None
            self._close(pointer)

    __del__ = close


class Closing(object):
    """A handle that is closed at the end of its ``with`` block. It is pickled as the arguments that
    it was opened with; the receiver (a process started by ``spawn``, a queue) opens it again."""

    #: None until it is opened; they stay None if ``__init__`` fails.
    _handle = name = None

    def __reduce_ex__(self, protocol):
        return _opened_again, (type(self), self._opening(), os.getpid())

    def _opening(self):
        """The class whose ``__init__`` opens it, the arguments, and the other attributes."""
        kind, arguments = self._opened
        return kind, arguments, {}

    @property
    def closed(self):
        """Whether it was closed."""
        return self._handle is None

    def __repr__(self):
        kind = type(self)
        state = " (closed)" if self.closed else ""
        return "<%s.%s %r%s>" % (kind.__module__.split("._")[0], kind.__name__, self.name, state)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def _opened_again(kind, opening, process):
    """Opens a handle that ``process`` sent, and which may be about to give its role back."""
    base, arguments, more = opening
    made = kind.__new__(kind, *arguments) if issubclass(base, mmap.mmap) else kind.__new__(kind)
    until = time.time() + (HANDED_ON if process != os.getpid() else 0)
    while True:
        try:
            base.__init__(made, *arguments)
            break
        except (errors.RoleTaken, errors.NoSlot):
            if time.time() >= until:
                raise
        time.sleep(SLICE * 1e-9)
    made.__dict__.update(more)
    return made


def close(owner):
    """Releases the handle of ``owner``, which is closed once no call and no array needs it."""
    if owner._handle is not None:
        gone = weakref.ref(owner._handle)
        owner._handle = None
        for _ in _collections():
            if gone() is None:
                break


def _collections():
    """Collects garbage step by step if references are not counted: an array is freed at one
    collection, and the memory that it was made from at a later one."""
    for _ in range(0 if COUNTS else 10):
        gc.collect()
        yield


def open_handle(open_, close, made, *arguments, **told):
    """A :class:`Handle` that ``open_`` opens with the options ``made``. ``words``: of its errors.
    ``collects``: whether garbage may have the role, as it may at the first attempt of a wait."""
    out = c_void_p()
    arguments = (byref(made),) + arguments + (byref(out),)
    status = open_(*arguments)
    if status in (ROLE_TAKEN, NO_SLOT) and told.get("collects", True):
        made.wait_for_role = 0
        for _ in _collections():
            status = open_(*arguments)
            if status == OK:
                break
    check(status, told.get("words", TYPED))
    return Handle(out.value, close)


def in_bytes(number):
    """A number of bytes, with its unit."""
    return "1 byte" if number == 1 else "%d bytes" % number
