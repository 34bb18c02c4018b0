"""Headers of array messages: those of ``.npy`` files, padded so that the data is aligned.

Headers are short and repeat from message to message, so both directions remember some.
"""

import json
import struct
from ctypes import string_at

import numpy as np

from io_shared import _kinds, _library
from io_shared._memory import ALIGNMENT

_MOST_REMEMBERED = 256
_written = {}
_parsed = {}
_readable = {}


def header(dtype, shape, fortran):
    """The bytes before the data of an array, as ``numpy.save`` writes them."""
    key = (dtype, shape, fortran)
    known = _written.get(key)
    if known is not None:
        return known
    bytes_ = _write(dtype, shape, fortran)
    if dtype not in _readable:
        # A dtype that would arrive as another is refused here, at the put.
        _kinds.refuse_changed(dtype, _arrives(_write(dtype, (0,), False)))
        _remember(_readable, dtype, True)
    # Equal dtypes may be written differently (metadata, titles), which makes no difference here.
    _remember(_written, key, bytes_)
    return bytes_


def _arrives(header):
    """The dtype that ``header`` is read as, or None."""
    try:
        return _described(header, len(header))[0]
    except ValueError:
        return None


def _write(dtype, shape, fortran):
    text = "{'descr': %r, 'fortran_order': %r, 'shape': %r, }" % (
        _kinds.described(dtype),
        fortran,
        tuple(int(n) for n in shape),
    )
    version, length, coded = (1, 0), "<H", None
    try:
        coded = text.encode("latin1")
    except UnicodeError:
        version, length, coded = (3, 0), "<I", text.encode("utf-8")
    if version == (1, 0) and len(coded) + 2 * ALIGNMENT > 0xFFFF:
        version, length = (2, 0), "<I"
    start = 8 + struct.calcsize(length)
    pad = -(start + len(coded) + 1) % ALIGNMENT
    magic = b"\x93NUMPY" + bytearray(version)
    size = struct.pack(length, len(coded) + pad + 1)
    return bytes(magic + size + coded + b" " * pad + b"\n")


#: The length of most headers.
START = 2 * ALIGNMENT
#: Longer headers are parsed each time, so that few bytes are remembered.
_LONGEST_REMEMBERED = 16 << 10
#: The most axes that this NumPy supports.
_MOST_AXES = 64 if int(np.__version__.split(".")[0]) >= 2 else 32


def parse(data, length):
    """``(dtype, shape, fortran, offset of the elements)`` of the message of ``length`` bytes at the
    address ``data``."""
    start = string_at(data, min(START, length))
    known = _parsed.get(start)  # if this is exactly the header
    if known is None:
        end = _end(start)
        is_remembered = end is not None and end <= min(length, _LONGEST_REMEMBERED)
        key = string_at(data, end) if is_remembered else None
        known = _parsed.get(key)
        if known is None:
            known = _described(data, length)
            if is_remembered:
                _remember(_parsed, key, known)
    dtype, descr, shape, fortran, end, size = known
    if size > length - end:
        raise ValueError(
            "its header promises %d bytes of data, and there are %d" % (size, length - end)
        )
    if dtype.names is not None:
        # A new one for each array: its user may rename the fields in place.
        # (newbyteorder copies all but titles.)
        dtype = dtype.newbyteorder("|") if descr is None else _dtype_of(descr)
    return dtype, shape, fortran, end


def _end(start):
    """The end of the header that begins with ``start``."""
    if len(start) < 12 or start[:6] != b"\x93NUMPY":
        return None
    if start[6:7] == b"\x01":
        return 10 + struct.unpack("<H", start[8:10])[0]
    return 12 + struct.unpack("<I", start[8:12])[0]


def _described(data, length):
    """A header as the library parses it. Another process wrote it: NumPy's and Python's own parsers
    need seconds for a hostile one, or crash the interpreter."""
    try:
        says = json.loads(_library.described(data, length))
        descr = says["descr"]
        dtype = _dtype_of(descr)
        if not _has_titles(descr):
            descr = None
    except Exception as error:  # NumPy raises many kinds
        raise ValueError("its header does not describe an array: %s" % (error,))
    shape = tuple(says["shape"])
    if len(shape) > _MOST_AXES:
        raise ValueError("it has %d axes, and this NumPy supports %d" % (len(shape), _MOST_AXES))
    return dtype, descr, shape, says["fortran_order"], says["start"], says["bytes"]


def _dtype_of(descr):
    """The dtype that ``descr`` describes: a code, or fields with their names."""
    if not isinstance(descr, list):
        return np.dtype(str(descr))
    names, formats, titles, offsets, end = [], [], [], [], 0
    for title, name, inner, shape in descr:
        dtype = _dtype_of(inner)
        if shape is not None:
            dtype = np.dtype((dtype, tuple(shape)))
        # Padding is written as a field without a name.
        if name or dtype.type is not np.void or dtype.names is not None:
            names.append(_native(name))
            formats.append(dtype)
            titles.append(title if title is None else _native(title))
            offsets.append(end)
        end += dtype.itemsize
    return np.dtype({"names": names, "formats": formats, "titles": titles, "offsets": offsets,
                     "itemsize": end})


def _has_titles(descr):
    if not isinstance(descr, list):
        return False
    return any(title is not None or _has_titles(inner) for title, _, inner, _ in descr)


def _native(name):
    """The name of a field as a ``str`` of this Python: bytes in Python 2."""
    if str is not bytes:
        return name
    try:
        return name.encode("latin-1")
    except UnicodeError:
        return name.encode("utf-8")


def _remember(memory, key, value):
    if len(memory) >= _MOST_REMEMBERED:
        memory.clear()
    memory[key] = value
