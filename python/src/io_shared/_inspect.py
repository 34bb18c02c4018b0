"""What is there: the channels and shared bytes on this machine, and who uses them."""

import ctypes
import json
from ctypes import byref, c_void_p

from io_shared import _library


def channels():
    """All channels and locked bytes in shared memory, as dicts in the order of their names.

    A look takes no consumer slot and wakes nobody. The keys are those of ``info``.

    >>> [found["name"] for found in io_shared.channels()]
    ['/cloud_share']
    """
    return json.loads(_text(_library.list_regions))


def info(name):
    """What is known of the channel or the locked bytes ``name``, as a dict.

    ``kind``, ``type``, ``bytes``, ``mode`` and ``uid``; ``seq``, ``stamp``, ``tag``, ``age``
    (seconds) and ``rate`` (values per second) of the newest value; ``producer`` and ``consumers``,
    each with ``connected``, ``name``, ``command``, ``pid`` and ``since``. What is not known is
    None. ``state`` is "region", or what else lies there.

    :class:`NotFound`: there is nothing of that name.

    >>> io_shared.info("/cloud_share")["rate"]
    10.0
    """
    name = _library.encoded(_library.native(name))
    return json.loads(_text(lambda out: _library.region_info(name, out)))


def _text(function):
    out = c_void_p()
    _library.check(function(byref(out)))
    try:
        return ctypes.string_at(out.value).decode("utf-8")
    finally:
        _library.text_free(out)
