"""Removing channels and shared bytes by their name."""

from io_shared import _library, errors

_BYTES, _ONE, _RW, _LOCKED_ELSEWHERE, _STATE = 0, 1, 2, 3, 4


def lock_name(name):
    """The name of the lock of the bytes ``name``."""
    if isinstance(name, _library.File):
        return _library.File(name + ".lock")
    return _library.encoded(name) + b".lock"


def remove(name):
    """Removes the channel or the state ``name``, or the shared bytes ``name`` with their lock, as
    one removes a file.

    Programs that use the channel continue in a new one. The next put creates it, so close the
    producer first if the channel is to stay away, for example at the end of a test. Ends that were
    opened with ``reopen=False`` raise :class:`Replaced`.

    In a domain (``IO_SHARED_DOMAIN``) nothing outside is removed: the bytes of an
    ``UnsafeSharedMMap`` are in no domain, and are removed by ``os.remove("/dev/shm/NAME")``.

    >>> io_shared.remove("/cloud_share")
    """
    if isinstance(name, _library.File):
        raise errors.Invalid("%s: use os.remove for a file" % name)
    _library.native(name)  # a text, or refused
    if b"%" in _library.encoded(name):
        # Only the name of another program's object has a percent sign.
        return _library.check(_library.mmap_remove(_library.encoded(name), _BYTES))
    status = _library.mmap_remove(_library.encoded(name), _LOCKED_ELSEWHERE)
    if status == _library.NOT_FOUND:
        raise _library.failure(status)
    if status != _library.OK:
        # It is not bare bytes, so it may be a region.
        status = _library.channel_remove(_library.encoded(name))
        for kind in (_ONE, _RW, _STATE):
            if status == _library.MISMATCH:
                status = _library.mmap_remove(_library.encoded(name), kind)
        return _library.check(status)
    try:
        _library.check(_library.mmap_remove(lock_name(name), _RW))
    except errors.NotFound:
        pass
