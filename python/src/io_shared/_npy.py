"""The header of an array message: that of a ``.npy`` file, padded so that the data is aligned.

Headers are short texts that repeat from message to message, so both directions remember some.
"""

import io
import operator
import struct
import sys

import numpy as np

from io_shared import errors

ALIGNMENT = 64
_MOST_REMEMBERED = 256
#: The longest header that is read, in bytes; where NumPy has a limit, it is 10,000.
_LONGEST = 1 << 20
_written = {}
_parsed = {}


def header(dtype, shape, fortran):
    """The bytes before the data of an array, as ``numpy.save`` writes them."""
    key = (dtype, shape, fortran)
    known = _written.get(key)
    if known is not None:
        return known
    refuse_objects(dtype)
    bytes_ = _write(dtype, shape, fortran)
    # Two dtypes may be equal and differ in what is written (metadata, titles): none of that counts.
    _remember(_written, key, bytes_)
    return bytes_


def _write(dtype, shape, fortran):
    text = "{'descr': %r, 'fortran_order': %r, 'shape': %r, }" % (
        np.lib.format.dtype_to_descr(dtype),
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


#: So many bytes have the header of most arrays.
START = 2 * ALIGNMENT


def parse(start, read, length):
    """``(dtype, shape, fortran, offset of the data)`` of a message of ``length`` bytes. ``start`` are
    its first ones, ``START`` if there are so many, and ``read(n)`` gives n."""
    known = _parsed.get(start)  # if that is all of the header, and nothing else
    if known is None:
        end = _end(start)
        if end is None or end > length:
            raise ValueError("it does not start with the header of a .npy file")
        key = start[:end] if end <= len(start) else read(end)
        known = _parsed.get(key)
        if known is None:
            try:
                known = _parse(key)
            except Exception as error:  # NumPy and the parsers below it raise all sorts
                raise ValueError("its header says nothing that is an array: %s" % (error,))
            _remember(_parsed, key, known)
    dtype, shape, fortran, end, size = known
    if size > length - end:
        raise ValueError(
            "its header says %d bytes of data, and there are %d" % (size, length - end)
        )
    if dtype.names is not None:
        # One for each array: whoever has it may rename its fields in place.
        dtype = dtype.newbyteorder("|")
    return dtype, shape, fortran, end


def _end(start):
    """Where the header that starts so ends."""
    if len(start) < 12 or start[:6] != b"\x93NUMPY":
        return None
    if start[6:7] == b"\x01":
        return 10 + struct.unpack("<H", start[8:10])[0]
    return 12 + struct.unpack("<I", start[8:12])[0]


def _parse(text):
    file = io.BytesIO(text)
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = _read(np.lib.format.read_array_header_1_0, file)
    elif version == (2, 0):
        shape, fortran, dtype = _read(np.lib.format.read_array_header_2_0, file)
    elif version == (3, 0):
        # NumPy reads these by a private function alone: the same text in UTF-8.
        shape, fortran, dtype = _parse_utf8(text[12:])
    else:
        raise ValueError("its .npy version %d.%d is not known" % version)
    refuse_objects(dtype)
    if any(isinstance(n, bool) or not 0 <= operator.index(n) <= sys.maxsize for n in shape):
        raise ValueError("its shape is %r" % (shape,))
    size = dtype.itemsize
    for n in shape:
        size *= n
    return dtype, shape, fortran, len(text), size


def _read(reader, file):
    try:
        return reader(file, max_header_size=_LONGEST)
    except TypeError:  # NumPy before 1.24 has no limit
        return reader(file)


def _parse_utf8(text):
    import ast

    fields = ast.literal_eval(text.decode("utf-8"))
    descr = fields["descr"]
    if str is bytes and not isinstance(descr, str):
        descr = [tuple([_bytes_name(d[0])] + list(d[1:])) for d in descr]
    return tuple(fields["shape"]), bool(fields["fortran_order"]), np.dtype(descr)


def _bytes_name(name):
    return name if isinstance(name, bytes) else name.encode("utf-8")


def refuse_objects(dtype):
    """Python objects are pointers: they mean nothing in another process."""
    if dtype.hasobject:
        raise errors.Invalid(
            "an array of Python objects (%s) cannot cross to another process: "
            "give it a dtype of numbers, fixed texts or fields of these" % (dtype,)
        )


def _remember(memory, key, value):
    if len(memory) >= _MOST_REMEMBERED:
        memory.clear()
    memory[key] = value
