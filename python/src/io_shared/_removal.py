"""Removing what has a name in shared memory, like a file."""

from io_shared import _library, errors

_BYTES, _ONE, _RW = 0, 1, 2


def lock_name(name):
    """Where the lock of the bytes ``name`` lies."""
    if isinstance(name, _library.File):
        return _library.File(name + ".lock")
    return _library.encoded(name) + b".lock"


def remove(name):
    """Removes what is called ``name``: a channel, or shared bytes with their lock. Programs that use
    the channel find :class:`Replaced`, or go on in a new one if they asked for it."""
    if isinstance(name, _library.File):
        raise errors.Invalid("%s: a file is removed by os.remove" % name)
    _library.native(name)  # a text, or refused
    status = _library.mmap_remove(_library.encoded(name), _BYTES)
    if status == _library.NOT_FOUND:
        raise _library.failure(status)
    if status != _library.OK:
        # A region of the library's own.
        status = _library.channel_remove(_library.encoded(name))
        for kind in (_ONE, _RW):
            if status == _library.MISMATCH:
                status = _library.mmap_remove(_library.encoded(name), kind)
        return _library.check(status)
    try:
        _library.check(_library.mmap_remove(lock_name(name), _RW))
    except errors.NotFound:
        pass
