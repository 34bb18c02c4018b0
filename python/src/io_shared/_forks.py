"""Borrowed arrays across a fork. The child's are copies that stay, where Python has fork hooks
(3.7).

The parent gives borrowed values back without asking its children, and the producer then writes
there. So borrowed values are copied before the fork. The child maps the copies over the shared
pages, at the same addresses: its arrays, and everything made from them, keep their content.
"""

import ctypes
import mmap
import os
import weakref
from ctypes import c_int, c_long, c_size_t, c_void_p

import numpy as np

from io_shared import _backend, _library

_MAP_FIXED = 0x10
_FAILED = c_void_p(-1).value

#: References to the borrowed memory that is alive. (The native module knows its own.)
_borrowed = set()
#: During a fork: what keeps borrowed memory, where that is, and an array of its bytes.
_copies = []


def kept(memory):
    """Registers ``memory``, which is borrowed, to be kept in children; returns it."""
    _borrowed.add(weakref.ref(memory, _borrowed.discard))
    return memory


def _copy():
    # These references keep other threads from giving one back meanwhile.
    for memory in [reference() for reference in list(_borrowed)]:
        if memory is not None:
            interface = memory.__array_interface__
            extent = interface["data"][0], interface["shape"][0]
            _copies.append((memory, extent, _bytes(*extent)))
    if _backend.native is not None:
        for value in _backend.native.held_now():
            _copies.append((value, value.extent, _bytes(*value.extent)))


def _bytes(address, length):
    """A copy. ``ctypes.string_at`` takes lengths below 2 GiB only."""
    made = np.empty(length, np.uint8)
    _library.check(_library.copy(_address(made), address, length))
    return made


def _address(array):
    return array.__array_interface__["data"][0]


def _forget():
    del _copies[:]


def _replace():
    """Runs in the child, where nothing else on these pages is used: the handles were the
    parent's."""
    pages = [_pages(*extent) for _, extent, _ in _copies]
    for start, length in pages:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
        if _mmap(start, length, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0) == _FAILED:
            text = "io_shared: borrowed arrays cannot be kept in this child"
            raise OSError(ctypes.get_errno(), text)
    # After all mappings: two values may share a page.
    for _, (address, _), copy in _copies:
        ctypes.memmove(address, _address(copy), len(copy))
    for start, length in pages:
        _mprotect(start, length, mmap.PROT_READ)
    _forget()


def _pages(address, length):
    start = address - address % mmap.PAGESIZE
    return start, address + length - start


if hasattr(os, "register_at_fork"):
    _libc = ctypes.CDLL(None, use_errno=True)
    _mmap, _mprotect = _libc.mmap, _libc.mprotect
    _mmap.argtypes = [c_void_p, c_size_t, c_int, c_int, c_int, c_long]
    _mmap.restype = c_void_p
    _mprotect.argtypes = [c_void_p, c_size_t, c_int]
    os.register_at_fork(before=_copy, after_in_parent=_forget, after_in_child=_replace)
