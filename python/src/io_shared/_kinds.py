"""Which arrays can be handed over as what they are, and the words for those that cannot.

Whatever would be lost on the way (a mask, a unit, a number format that NumPy alone does not know) is
refused where it is put, rather than missed where it is got.
"""

import collections
import operator

import numpy as np

from io_shared import errors


def plain(value, where):
    """``value`` as an array without a subclass. ``where``: what an error names."""
    if type(value) is np.ndarray:
        return value
    _refuse_masks(value, where)
    try:
        array = np.asanyarray(value)
    except (TypeError, ValueError) as error:  # rows of different lengths, and the like
        raise errors.alone(errors.Invalid("%s: %s" % (where, error)))
    _refuse_masks(array, where)  # of what came by `__array__`
    kind = type(array)
    # NumPy's own (recarray, matrix, memmap) carry nothing but their elements.
    if kind.__module__.split(".")[0] != "numpy":
        raise errors.Invalid(
            "%s: of a %s.%s only the elements would arrive: put numpy.asarray(value), if they are "
            "all that is wanted" % (where, kind.__module__, kind.__name__)
        )
    return np.asarray(array)


def _refuse_masks(value, where):
    """Refuses a masked array, and any that is somewhere within sequences."""
    if _has_masks(value):
        raise errors.Invalid(
            "%s: a masked array would lose its mask: use .filled() or .filled(value), and put the "
            "mask (numpy.ma.getmaskarray) on its own where it is needed" % where
        )


def _has_masks(value):
    if isinstance(value, _SEQUENCES):
        return any(type(item) not in _NUMBERS and _has_masks(item) for item in value)
    return isinstance(value, np.ma.MaskedArray)


_SEQUENCES = (list, tuple, collections.deque)
_NUMBERS = frozenset([int, float, bool, complex, type(u""), bytes])


def dtype(value):
    """What ``numpy.dtype`` makes of ``value``."""
    try:
        return np.dtype(value)
    except (TypeError, ValueError) as error:
        raise errors.alone(errors.WrongFields("%r is no dtype: %s" % (value, error)))


def axes(shape):
    """``shape``, a number or several, as a tuple of whole numbers."""
    try:
        found = tuple(operator.index(n) for n in (shape if np.iterable(shape) else (shape,)))
    except TypeError:
        raise errors.alone(errors.WrongFields("a shape is of whole numbers, not %r" % (shape,)))
    if any(n < 0 for n in found):
        raise errors.Invalid("a shape has no negative axes: %r" % (shape,))
    return found


def refuse_shape(shape, dtype):
    """Refuses a ``shape`` that NumPy has no array of."""
    try:
        # Of one element, which lies everywhere: no memory is taken.
        np.ndarray(shape, dtype, bytearray(dtype.itemsize or 1), 0, (0,) * len(shape))
    except (ValueError, MemoryError, OverflowError) as error:
        raise errors.alone(errors.Invalid("an array of shape %s: %s" % (_cut(shape), error)))


def _cut(shape):
    return "%s, .. (%d axes)" % (str(shape[:8])[:-1], len(shape)) if len(shape) > 8 else shape


def described(dtype):
    """``dtype`` as a ``.npy`` header says it."""
    refuse_objects(dtype)
    try:
        return np.lib.format.dtype_to_descr(dtype)
    except ValueError:
        raise errors.alone(errors.Invalid(
            "the fields of %s are out of order or overlap in memory, which a header cannot say: use "
            "numpy.lib.recfunctions.repack_fields(array)" % (dtype,)
        ))


def refuse_objects(dtype):
    """Python objects are pointers: they mean nothing in another process."""
    if dtype.kind == "T":
        raise errors.Invalid(
            "%r has its texts elsewhere in memory: use .astype('U') or numpy.char.encode" % (dtype,)
        )
    if dtype.hasobject:
        raise errors.Invalid(
            "an array of Python objects (%s) cannot cross to another process: "
            "give it a dtype of numbers, fixed texts or fields of these" % (dtype,)
        )


def refuse_changed(dtype, arrives):
    """Refuses a ``dtype`` that arrives as another; ``arrives``: None if as none."""
    if arrives is not None and arrives == dtype:
        return
    becomes = "cannot be read back" if arrives is None else "would arrive as %s" % arrives.str
    raise errors.Invalid("an array of %s %s: %s" % (dtype, becomes, _advice(dtype)))


def _advice(dtype):
    if dtype.subdtype is not None:
        return "use %s, and %s as the last axes of the shape" % dtype.subdtype
    if dtype.names is not None or dtype.fields is not None:
        return "use a dtype of names and plain formats alone"
    if dtype.itemsize in (1, 2, 4, 8):
        return (
            "use .astype('f4'), or .view('u%d') here and .view(%r) where it is got"
            % (dtype.itemsize, str(dtype))
        )
    return "use .astype of one of NumPy's own types"
