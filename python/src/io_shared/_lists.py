"""Lists: arrays of any shape, several of which lie in one message.

A list is an offset and the number of elements along each axis, words in the message's header. Its
elements lie after the header. The words may come from another program, so they are read once, and
checked before an array is made of them.
"""

import collections
import struct

import numpy as np

from io_shared import _fields, _kinds, errors
from io_shared._memory import ALIGNMENT

#: A list: its name, the offset of its words, its elements' dtype and alignment, and its axes, each
#: of which is a length that this program declared, or None for any.
List = collections.namedtuple("List", "name at dtype align axes")


def _word(words, at):
    return struct.unpack_from("<Q", words, at)[0]


def places(layout, words, length):
    """For each list of a message of ``length`` bytes, the offset of its elements and its shape.
    ``words`` is a copy of the message's header."""
    found, taken = [], []
    for each in layout.lists:
        offset = _word(words, each.at)
        shape = tuple(_word(words, each.at + 8 * (1 + i)) for i in range(len(each.axes)))
        size = each.dtype.itemsize
        for axis in shape:
            size *= axis
        if size > length - layout.offset:
            _bad(each, "its shape is %s, which has no room in the message" % (shape,))
        if size:
            if offset < layout.offset or offset % each.align or offset + size > length:
                _bad(each, "its elements do not lie in the message's data: they begin at %d"
                     % offset)
            if any(offset < end and start < offset + size for start, end in taken):
                _bad(each, "its elements lie over those of another list")
            taken.append((offset, offset + size))
        check_shape(each, shape, errors.BadValue)
        found.append((offset if size else 0, shape))
    return found


def _bad(each, text):
    raise errors.Corrupt("field `%s`: %s" % (each.name, text))


def check_shape(each, shape, kind=errors.Invalid):
    """Refuses a ``shape`` without the lengths that this program declared."""
    fits = len(shape) == len(each.axes)
    if not fits or any(axis not in (None, n) for axis, n in zip(each.axes, shape)):
        raise kind("field `%s` has the shape %s, not %s%s"
                   % (each.name, _in_words(each.axes), shape, _none(each) if 0 in shape else ""))


def _in_words(axes):
    return str(tuple(axes)).replace("None", "any")


def _none(each):
    """What to write for a list without elements."""
    shape = tuple(n or 0 for n in each.axes) + each.dtype.shape
    code = "dtype" if each.dtype.base.names else repr(str(each.dtype.base.str.lstrip("<|")))
    return ": write np.zeros(%s, %s), or []" % (shape, code)


def lay_out(layout, shapes):
    """Places for lists of these shapes, as by :func:`places`, and the message's length."""
    found = []
    # Where a C struct of the header ends, with its padding.
    end = layout.offset + -layout.offset % layout.align
    for each, shape in zip(layout.lists, shapes):
        size, start = each.dtype.itemsize, 0
        for axis in shape:
            size *= axis
        if size:
            start = end + -end % each.align
            end = start + size
        found.append((start, shape))
    return found, end


def write(layout, places, root):
    """Clears the header in ``root``, and writes the words of the lists there."""
    root[: layout.offset] = 0
    for each, (start, shape) in zip(layout.lists, places):
        words = np.array((start,) + tuple(shape), "<u8").view(np.uint8)
        root[each.at : each.at + len(words)] = words


def arrays(layout, places, root):
    """The array of each list, in the memory of ``root``."""
    return {
        each.name: np.ndarray(shape, each.dtype, root, start)
        for each, (start, shape) in zip(layout.lists, places)
    }


def given(each, value):
    """``value`` as an array of the list's elements. It is not copied if it is one already."""
    where, base = "field `%s`" % each.name, each.dtype.base
    inner = each.dtype.shape
    if _fields.is_nothing(value):
        return np.zeros(tuple(n or 0 for n in each.axes) + inner, base)
    if type(value) is not np.ndarray:
        value = _of_elements(each, value, where)
    shape = value.shape
    if shape[len(shape) - len(inner) :] != inner:
        raise errors.Invalid("%s has elements of shape %s, not %s" % (where, inner, shape))
    check_shape(each, shape[: len(shape) - len(inner)])
    if value.dtype == base and value.dtype.names == base.names:
        return value
    own = np.zeros(shape, base)
    _fields.assign(own, value, where)
    return own


def _of_elements(each, value, where):
    """``value``, which is no plain array, as one."""
    if each.dtype.base.names is None:
        if isinstance(value, (bytes, type(u""))):
            kind = "texts" if each.dtype.base.kind == "S" else each.dtype.base
            raise errors.WrongFields("%s is a list of %s, not a text: %.60r" % (where, kind, value))
        # Only the shape counts here; what is in it is looked at when it is assigned.
        shape = _fields.shape(value, where)
    else:
        shape = (_fields.count(value, where),)
    own = np.zeros(shape, each.dtype.base)
    _fields.assign(own, value, where)
    return own


def sizes(layout, elements, named, where):
    """The shape of each list in a loan: ``loan(boxes=3, image=(480, 640, 3))``, or the same as one
    mapping. Lists that are not named are empty."""
    if elements:
        if not hasattr(type(elements), "keys"):
            raise errors.WrongFields(
                "%s: a loan takes the shape of each list by name, loan(%s=..), not %r"
                % (where, layout.lists[0].name if layout.lists else "name", elements)
            )
        named = dict(elements, **named)
    known = [each.name for each in layout.lists]
    unknown = ["`%s`" % name for name in named if name not in known]
    if unknown:
        raise errors.WrongFields(
            "%s: the lists are %s; unknown: %s" % (where, ", ".join(known), ", ".join(unknown))
        )
    shapes = []
    for each in layout.lists:
        shape = tuple(n or 0 for n in each.axes)
        if each.name in named:
            shape = _kinds.axes(named[each.name])
            check_shape(each, shape)
            _kinds.refuse_shape(shape, each.dtype)
        shapes.append(shape)
    return shapes


# Fields as a dict or as pairs.

def is_fields(dtype):
    """Whether ``dtype`` declares fields in our way, and not only in NumPy's."""
    if isinstance(dtype, dict):
        return not ("names" in dtype and "formats" in dtype)  # one of NumPy's
    is_pairs = isinstance(dtype, (list, tuple)) and all(isinstance(f, tuple) for f in dtype)
    return is_pairs and any(_is_list(_spec(f)) for f in dtype if len(f) in (2, 3))


def pairs(fields):
    """``(name, dtype or List)`` of each field."""
    if isinstance(fields, dict):
        fields = fields.items()
    return [(f[0], _field(f[0], _spec(f))) for f in fields]


def _spec(field):
    return field[1] if len(field) == 2 else field[1:]


def _is_list(spec):
    if isinstance(spec, list):
        return len(spec) == 1 and (not isinstance(spec[0], tuple) or _is_subarray(spec[0]))
    return (isinstance(spec, tuple) and len(spec) == 2 and isinstance(spec[1], (tuple, list))
            and None in spec[1])


def _is_subarray(spec):
    """Whether ``spec`` is ``("f4", 4)``, and no field of a structured dtype: no dtype is a number.
    """
    shape = spec[1] if len(spec) == 2 else None
    axes = shape if isinstance(shape, tuple) else (shape,)
    return bool(axes) and all(isinstance(n, (int, np.integer)) for n in axes)


def _field(name, spec):
    is_list = _is_list(spec)
    element, axes = spec, ()
    if is_list:
        element, axes = (spec[0], (None,)) if isinstance(spec, list) else spec
    try:
        element, axes = _kinds.dtype(element), tuple(axes)
    except errors.WrongFields as error:
        raise errors.alone(errors.WrongFields(
            "field `%s`: %s: a list is ['f4'], an array of any length and 4 is ('f4', (None, 4))"
            % (name, error)
        ))
    if not is_list:
        return element
    _kinds.axes([n for n in axes if n is not None])
    if element.itemsize == 0 and element.kind in "SU":
        raise errors.Invalid(
            "field `%s`: a text has a number of bytes, and %r has none: use 'S32'" % (name, element)
        )
    if element.itemsize == 0:
        raise errors.Invalid("field `%s`: the elements of a list have no bytes" % name)
    return List(name, 0, element, 1, axes)


assert ALIGNMENT == 64, "the greatest alignment that lists have"
