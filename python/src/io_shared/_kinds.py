"""Which arrays arrive as what they are, and the errors for those that would not.

Anything that would be lost on the way (a mask, a unit, a number format of another package) is
refused at the put.
"""

import collections
import operator

import numpy as np

from io_shared import errors


def plain(value, where):
    """``value`` as a plain array, of no subclass. Errors begin with ``where``."""
    if type(value) is np.ndarray:
        return value
    _refuse_masks(value, where)
    try:
        array = np.asanyarray(value)
    except (TypeError, ValueError) as error:  # rows of different lengths, and the like
        raise errors.alone(errors.Invalid("%s: %s" % (where, error)))
    _refuse_masks(array, where)  # it may have come from `__array__`
    kind = type(array)
    # NumPy's own subclasses (recarray, matrix, memmap) have nothing but their elements, nor have
    # the arrays of a message.
    if kind.__module__.split(".")[0] not in ("numpy", "io_shared"):
        raise errors.Invalid(
            "%s: only the elements of a %s.%s would arrive: put numpy.asarray(value) to send them "
            "alone" % (where, kind.__module__, kind.__name__)
        )
    return np.asarray(array)


def array(value, where):
    """``value``, which was put as an array, as a plain one. A text or None is a mistake."""
    if value is None or isinstance(value, _TEXTS) and not isinstance(value, np.generic):
        raise errors.WrongFields(
            "%s: a value is an array, or what NumPy makes one of, not %.60r: pass "
            "numpy.array(text) for an array of one text" % (where, value)
        )
    return plain(value, where)


def _refuse_masks(value, where):
    """Refuses a masked array, also inside a sequence."""
    if _has_masks(value):
        raise errors.Invalid(
            "%s: a masked array would lose its mask: put .filled() or .filled(value), and the mask "
            "(numpy.ma.getmaskarray) separately if it is needed" % where
        )


def _has_masks(value):
    if isinstance(value, SEQUENCES):
        return any(type(item) not in _NUMBERS and _has_masks(item) for item in value)
    return isinstance(value, np.ma.MaskedArray)


#: What has elements and no dtype.
SEQUENCES = (list, tuple, collections.deque)
_TEXTS = (bytes, type(u""))
_NUMBERS = frozenset([int, float, bool, complex, type(u""), bytes])


def dtype(value):
    """``numpy.dtype(value)``."""
    try:
        return np.dtype(value)
    except (TypeError, ValueError) as error:
        raise errors.alone(errors.WrongFields("%r is not a dtype: %s" % (value, error)))


def axes(shape):
    """``shape``, one number or several, as a tuple."""
    try:
        found = tuple(operator.index(n) for n in (shape if np.iterable(shape) else (shape,)))
    except TypeError:
        text = "a shape consists of whole numbers, not %r" % (shape,)
        raise errors.alone(errors.WrongFields(text))
    if any(n < 0 for n in found):
        raise errors.Invalid("a shape cannot have negative axes: %r" % (shape,))
    return found


def refuse_shape(shape, dtype):
    """Refuses a ``shape`` that is too large for NumPy."""
    try:
        # All elements share one location, so this takes no memory.
        np.ndarray(shape, dtype, bytearray(dtype.itemsize or 1), 0, (0,) * len(shape))
    except (ValueError, MemoryError, OverflowError) as error:
        raise errors.alone(errors.Invalid("an array of shape %s: %s" % (_cut(shape), error)))


def _cut(shape):
    return "%s, .. (%d axes)" % (str(shape[:8])[:-1], len(shape)) if len(shape) > 8 else shape


def described(dtype):
    """``dtype`` as a ``.npy`` header describes it."""
    refuse_objects(dtype)
    try:
        return np.lib.format.dtype_to_descr(dtype)
    except ValueError:
        raise errors.alone(errors.Invalid(
            "the fields of %s are out of order or overlap, which a header cannot describe: use "
            "numpy.lib.recfunctions.repack_fields(array)" % (dtype,)
        ))


def refuse_objects(dtype):
    """Python objects are pointers: they mean nothing in another process."""
    if dtype.kind == "T":
        raise errors.Invalid(
            "%r stores its texts elsewhere in memory: use .astype('U') or numpy.char.encode"
            % (dtype,)
        )
    if dtype.hasobject:
        raise errors.Invalid(
            "an array of Python objects (%s) means nothing in another process: "
            "use a dtype of numbers, fixed-length texts, or fields of these" % (dtype,)
        )


def refuse_changed(dtype, arrives):
    """Refuses a ``dtype`` that arrives as another, ``arrives``; None if it cannot be read back."""
    if arrives is not None and arrives == dtype:
        return
    becomes = "cannot be read back" if arrives is None else "would arrive as %s" % arrives.str
    raise errors.Invalid("an array of %s %s: %s" % (dtype, becomes, _advice(dtype)))


def _advice(dtype):
    if dtype.subdtype is not None:
        return "use %s, and %s as the last axes of the shape" % dtype.subdtype
    if dtype.names is not None or dtype.fields is not None:
        return "use a dtype of names and plain formats only"
    if dtype.itemsize in (1, 2, 4, 8):
        return (
            "use .astype('f4'), or .view('u%d') here and .view(%r) at the consumer"
            % (dtype.itemsize, str(dtype))
        )
    return "use .astype with one of NumPy's own types"
