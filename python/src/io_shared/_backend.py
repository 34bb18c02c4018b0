"""Which of two serves the calls that are made for each value: the native module, or ctypes.

The native module is for CPython 3.9 and later, and the wheel has it next to the C library. It calls
the same library, at the addresses that ctypes has found. ctypes serves Python 2.7 and 3.6 to 3.8,
PyPy, and builds of CPython without a global lock.
"""

import ctypes
import os
import sys
import warnings

from io_shared import _library

#: What may be asked for by the environment.
_VARIABLE = "IO_SHARED_BACKEND"


def _suffix():
    """What the name of the native module ends in for this Python; None if there is none for it."""
    if sys.version_info < (3, 9) or sys.implementation.name != "cpython" or "t" in sys.abiflags:
        return None
    if sys.version_info >= (3, 11):
        return ".abi3.so"
    from importlib.machinery import EXTENSION_SUFFIXES

    return EXTENSION_SUFFIXES[0]


def _load():
    """The native module, or None where ctypes serves."""
    asked = os.environ.get(_VARIABLE) or None
    if asked not in (None, "ctypes", "native"):
        raise ImportError("%s=%s is neither native nor ctypes" % (_VARIABLE, asked))
    if asked == "ctypes":
        return None
    suffix = _suffix()
    here = os.path.dirname(os.path.abspath(__file__))
    has_one = suffix is not None and os.path.exists(os.path.join(here, "_native" + suffix))
    if not has_one and asked is None:
        return None
    try:
        from io_shared import _native

        _native.bind({name: _address(name) for name in _native.functions()}, _library.ABI)
        return _native
    except Exception as error:
        text = "the native module of io_shared cannot be used: %s: %s" % (
            type(error).__name__, error)
        if asked is not None:
            raise ImportError(text)
        warnings.warn(
            "%s. Calls are made by ctypes, which takes longer. Install io_shared again from its "
            "wheel, or set %s=ctypes" % (text, _VARIABLE), RuntimeWarning, stacklevel=2
        )
        return None


def _address(name):
    return ctypes.cast(getattr(_library._dll, "ios_" + name), ctypes.c_void_p).value


#: The native module; None where ctypes serves.
native = _load()
#: ``"native"`` or ``"ctypes"``.
name = "ctypes" if native is None else "native"
