"""What producers and consumers do for each value, by what serves this Python."""

from io_shared import _backend

if _backend.native is None:
    from io_shared._ctypes_ends import Gets, Puts, Share, Typed, serve  # noqa: F401
else:
    from io_shared._native_ends import Gets, Puts, Share, Typed, serve  # noqa: F401
