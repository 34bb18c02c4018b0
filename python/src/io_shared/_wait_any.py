"""Waiting for the first of many consumers."""

import ctypes

from io_shared import _library, errors
from io_shared._consumer import Consumer
from io_shared._wait import Deadline


def wait_any(shares, timeout=None):
    """Waits until at least one of ``shares`` has something to get, and returns a list of those that
    have, in the order given. It takes no value: call ``try_get`` or ``get`` of those.

    ``shares``: consumers and shares of mode ``"get"``. ``timeout``: seconds, then :class:`Timeout`;
    None waits for ever, 0 looks once. Ctrl-C and ``interrupt()`` of any of them end the wait. One
    with ``reopen=False`` whose channel was removed is returned too: its get reports that.

    >>> for camera in io_shared.wait_any([left, right], timeout=0.5):
    ...     image = camera.get()
    """
    shares = list(shares)
    if not shares:
        raise errors.Invalid("wait_any needs at least one consumer to wait for")
    ends = [_end(share) for share in shares]
    count, handles = len(ends), [end._open() for end in ends]
    pointers = (ctypes.c_void_p * count)(*[handle.value for handle in handles])
    ready = (ctypes.c_bool * count)()
    deadline = Deadline(timeout)
    while True:
        wait = 0 if any(end._interrupted for end in ends) else deadline.slice()
        status = _library.wait_any(pointers, count, wait, ready)
        if status == _library.OK:
            return [share for share, is_ready in zip(shares, ready) if is_ready]
        if status not in (_library.TIMEOUT, _library.INTERRUPTED):
            _library.check(status)
        for end in ends:
            end._end_if_interrupted()
        deadline.tell(_names(ends), lambda: "a new value in any of them")
        if deadline.is_over():
            raise errors.Timeout(
                "%s: no new value came in any of them within %s s" % (_names(ends), timeout)
            )


def _end(share):
    end = getattr(share, "_end", share)
    if not isinstance(end, Consumer):
        raise errors.WrongFields(
            "wait_any waits for consumers and for shares of mode 'get', not for %r" % (share,)
        )
    return end


def _names(ends):
    names = ", ".join(end.name for end in ends[:3])
    return names if len(ends) <= 3 else "%s and %d more" % (names, len(ends) - 3)
