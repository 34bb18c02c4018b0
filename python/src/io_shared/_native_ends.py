"""What producers and consumers do for each value, by the native module. ``_ctypes_ends`` has the
same by ctypes.

The module puts and gets arrays that are like the last one. For any other it returns, and what
stands here does it, and tells the module how the next one is done.
"""

import ctypes
import gc
import sys
from ctypes import string_at

import numpy as np

from io_shared import _backend, _forks, _library, _loan, errors  # noqa: F401
from io_shared._message import Message

_ndarray = np.ndarray
#: What the module makes of values; it returns any other as one that is held.
_MADE = frozenset([_ndarray, Message])


def _numbers(messages):
    """The fields of messages that are plain numbers, for the module; None of any other."""
    layout = None if messages.is_array else messages.layout
    if layout is None or layout.tail is not None or layout.lists is not None or not layout.fields:
        return None
    dtype = layout.header
    fields = [(name, dtype.fields[name][1], dtype.fields[name][0]) for name in layout.fields]
    if layout.enums or any(field.subdtype is not None for _, _, field in fields):
        return None
    try:
        return _backend.native.Fields(fields, dtype, dtype.itemsize, layout)
    except ValueError:  # texts, bools, structs, half floats; or it is long
        return None


class Puts(object):
    """The puts of an array producer."""

    #: None until it is opened.
    _fast = None

    def _begin_puts(self):
        handle, seq = self._open(), self._seq
        says = _Says(self.name, self._words)
        self._fast = _backend.native.Puts(
            handle, handle.value, seq, ctypes.addressof(seq), _ndarray, says
        )
        self._fast_put = self._fast.put
        numbers = _numbers(self._messages)
        if numbers is not None:
            self._serve(self._fast, numbers)

    def _end_puts(self):
        if self._fast is not None:
            self._fast.close()

    def _put_array(self, array, tag, seq, stamp):
        """Puts ``array``."""
        status = self._fast_put(array, tag, seq, stamp)
        if status:
            if status > 0:
                raise _library.failure(status, self._words)
            self._put_plain(array, _library.label(self.name, tag, seq, stamp), self._learn)

    def _loan_like(self, shape, dtype, tag):
        """A loan in place that needs no more preparation; None if there is none."""
        return self._fast.loan(shape, dtype, tag) if _library.COUNTS else None

    def _learn_loan(self, asked, header, length, shape, dtype):
        """Prepares for loans in place that are asked for alike. Whether they need no more."""
        shape_asked, dtype_asked, _ = asked
        # The dtype is compared as an object next time, which must not change.
        is_known = type(shape_asked) is tuple and isinstance(dtype_asked, (np.dtype, type, str))
        if not is_known or dtype.names is not None or length == len(header):
            return False
        if not _library.COUNTS:
            return False
        self._fast.learn_loan(shape_asked, dtype_asked, header, dtype, shape, length)
        return True

    def _learn(self, array, header):
        # Names of fields may be changed in place, which leaves the dtype the same object.
        if array.dtype.names is None:
            self._fast.learn(array, header)


class _Says(object):
    """What a producer's loans in place say: exceptions that the module raises. It does not refer
    to the producer, so that the role ends with the last reference to that."""

    loan_class = _loan.Loan

    def __init__(self, name, words):
        self._name, self._words = name, words

    def failure(self, status):
        return _library.failure(status, self._words)

    def closed(self):
        return errors.Closed("%s: it was closed" % self._name)

    def entered(self):
        return _loan.entered(self._name)

    def kept(self):
        return _loan.kept(self._name)

    def tag(self, tag):
        return _library.tag(self._name, tag)

    def is_exported(self, out):
        """Whether the one reference to ``out`` besides the loan's is a buffer's (a ``memoryview``,
        an object of ctypes), and no variable of the block."""
        if sys.version_info >= (3, 13):  # before, `f_locals` is a copy that keeps `out`
            block = sys._getframe(1)
            if any(value is out for value in block.f_locals.values()):
                return False
        return any(type(user).__name__ == "managedbuffer" for user in gc.get_referrers(out))


#: What producers of messages are made from: their ``put``.
Typed = _backend.native.Typed
#: What shares are made from: the methods that are called for each value.
Share = _backend.native.Share


def serve(share, end):
    """Has the methods of ``share`` that are called for each value go to ``end`` directly."""
    if _library.COUNTS:
        _backend.native.serve(share, getattr(end, "_fast", None), getattr(end, "_last", None))


class Gets(_backend.native.Consumer):
    """The gets of a consumer."""

    #: None until it is opened.
    _last = None

    def _begin_gets(self):
        handle = self._open()
        #: It has the numbers of the value that was got last.
        self._last = fast = _backend.native.Gets(handle, handle.value)
        numbers = _numbers(self._messages)
        if numbers is not None:
            fast.learn_fields(numbers)
        self._serve(fast)

    def _end_gets(self):
        if self._last is not None:
            self._last.close()

    def _note(self, value):
        self._last.note(value.seq, value.missed, value.stamp, value.tag)

    def _learn(self, header, copy):
        """Copies values that begin with ``header`` in one call from now on, as this ``copy`` of
        one."""
        fortran = copy.flags.f_contiguous and not copy.flags.c_contiguous
        self._last.learn(header, copy.nbytes, copy.dtype, copy.shape, fortran)

    def _next(self, wait):
        """A copy of a value, after waiting for at most ``wait``; None if there is none."""
        got = self._last.next(wait)
        return got if got is None or type(got) in _MADE else self._got(got)

    def _hold(self, wait):
        """A value that is held, after waiting for at most ``wait``; None if there is none."""
        got = self._last.hold(wait)
        return None if got is None else self._held(got)

    def _held(self, got):
        """What the module returned, if it is a value; otherwise raises what it says."""
        if type(got) is not int:
            return got
        if got < 0:
            self._open()  # raises
        raise _library.failure(got)

    def _view(self, wait):
        """A value in place, after waiting for at most ``wait``; None if there is none."""
        if not _library.COUNTS:
            value = self._hold(wait)
            return None if value is None else self._seen(value)
        got = self._last.borrow(wait)
        return got if got is None or type(got) is _ndarray else self._seen(got)

    def _got(self, got):
        """A copy of what the module returned, if it is a value; otherwise raises what it says."""
        return self._copied(self._held(got))

    def _seen(self, got):
        """As ``_got``, in place."""
        value = self._held(got)
        if not _library.COUNTS:
            return self._view_of_copy(value)
        read = self._read(value)
        view = self._messages.view(np.asarray(memoryview(value)), read)
        if type(view) is _ndarray and view.dtype.names is None and self._messages.is_array:
            start = value.length - view.nbytes
            if view.size and view.nbytes and start == read[3]:
                self._learn(string_at(value.data, start), view)
        return view
