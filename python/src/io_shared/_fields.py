"""Assigns values to the fields of a message. Nothing is cut, reordered or left out silently."""

import numbers

import numpy as np

from io_shared import _enums, _kinds, _library, errors

_unicode = type(u"")
#: Bytes that are not UTF-8 are kept as they are in Python 3's texts.
_STRICT = "strict" if str is bytes else "surrogateescape"
#: Kinds of numbers. An array becomes none of a lower rank by itself.
_RANKS = {"b": 0, "u": 1, "i": 1, "f": 2}
#: Floats are integers one by one up to here.
_EXACT = 2 ** 53


def text(value):
    """The bytes of a text field as a ``str``."""
    return bytes(value) if str is bytes else bytes(value).decode("utf-8", _STRICT)


def is_padding(name):
    """Whether a field is padding, which is 0 and which nobody needs to give."""
    return name.startswith("_pad")


def given(names, values, fields, where):
    """The value of each of ``names``, from the arguments of ``put(*values, **fields)``."""
    if len(values) > 1 or values and fields:
        raise errors.WrongFields(
            "%s: pass all fields by name, or one value that has them: %s"
            % (where, ", ".join(names))
        )
    if values:
        fields = _of(values[0], names, where)
    _check_names(fields, names, where)
    return fields


def count(tail, where):
    """How many elements a ``tail`` has."""
    is_text_or_fields = isinstance(tail, (bytes, _unicode)) or hasattr(type(tail), "keys")
    if is_text_or_fields or not hasattr(tail, "__len__") or getattr(tail, "ndim", 1) == 0:
        raise errors.WrongFields(
            "%s: its elements must be a list or an array, not %.60r" % (where, tail)
        )
    return len(tail)


def is_nothing(value):
    """Whether ``value`` is an empty sequence, which says nothing of other axes or of a dtype."""
    if isinstance(value, (bytes, _unicode)) or not hasattr(type(value), "__len__"):
        return False
    return not len(value) and getattr(value, "ndim", 1) == 1 and not hasattr(type(value), "keys")


def shape(value, where):
    """The shape of ``value`` as an array."""
    try:
        return np.shape(value)
    except ValueError as error:  # rows of different lengths
        raise errors.alone(errors.Invalid("%s: %s" % (where, error)))


def _of(value, names, where):
    """The fields of a mapping, a structured value, a tuple or a message."""
    if hasattr(type(value), "keys"):
        return {_library.native(name): value[name] for name in type(value).keys(value)}
    if type(value) is tuple:
        if len(value) != len(names):
            raise errors.WrongFields(
                "%s: %d values for the fields %s" % (where, len(value), ", ".join(names))
            )
        return dict(zip(names, value))
    array = _kinds.plain(value, where)
    if array.dtype.names is None or array.ndim:
        raise errors.WrongFields(
            "%s: a message has the fields %s, and %.60r does not have them"
            % (where, ", ".join(names), value)
        )
    return {name: array[name] for name in array.dtype.names}


def _check_names(has, names, where):
    missing = ["`%s`" % name for name in names if name not in has]
    unknown = ["`%s`" % name for name in has if name not in names and not is_padding(name)]
    if missing or unknown:
        told = ["missing: " + ", ".join(missing)] if missing else []
        told += ["unknown: " + ", ".join(unknown)] if unknown else []
        raise errors.WrongFields(
            "%s: the fields are %s; %s" % (where, ", ".join(names), "; ".join(told))
        )


def assign(target, value, where):
    """Writes ``value`` into the array ``target``, which may be a single element."""
    if not target.size and is_nothing(value):
        return
    try:
        if target.dtype.names is not None:
            _assign_records(target, value, where)
        elif target.dtype.kind == "S":
            target[...] = _texts(target.dtype, value, where)
        else:
            if _enums.of(target.dtype) is not None:
                value = _enums.numbers(target.dtype, value, where)
            _fill(target, _numbers(target.dtype, value, where), where)
    except errors.Error:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        kind = errors.WrongFields if isinstance(error, TypeError) else errors.Invalid
        raise errors.alone(kind("%s: %s" % (where, error)))


def _fill(target, array, where):
    """Writes numbers that have the kind of ``target``. Those that would become infinite are
    refused."""
    if array.dtype.kind == "O" and target.dtype.kind == "f":
        array = array.astype(np.float64)
    if array.shape != target.shape:
        array = _spread(array, target.shape, where)
    with np.errstate(over="ignore"):
        target[...] = array
    if target.dtype.kind == "f" and not np.can_cast(array.dtype, target.dtype):
        lost = np.isinf(target) & ~np.isinf(array)
        if lost.any():
            value, index = _first(array, lost)
            raise errors.Invalid(
                "%s: %s does not fit into %s, whose greatest number is %.4g%s"
                % (where, value, target.dtype, np.finfo(target.dtype).max, index)
            )


def _spread(array, shape, where):
    """``array`` with this ``shape``: one number, or one row, may stand for all."""
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise errors.alone(errors.Invalid(
            "%s has the shape %s, not %s" % (where, shape, array.shape)
        ))


def _first(array, wrong):
    """The first value of ``array`` that is ``wrong``, and a text of where it is."""
    index = tuple(int(axis[0]) for axis in np.nonzero(np.atleast_1d(wrong)))
    if not array.ndim:
        return array.item(), ""
    return array[index], " (index %s)" % list(index)


def _assign_records(target, value, where):
    names = target.dtype.names
    if hasattr(type(value), "keys") or type(value) is tuple and not target.ndim:
        fields = _of(value, names, where)
        _check_names(fields, names, where)
    elif isinstance(value, list) and all(type(item) is tuple for item in value):
        return _assign_tuples(target, value, where)
    else:
        fields = _kinds.plain(value, where)
        if fields.dtype == target.dtype:
            target[...] = fields
            return
        if fields.dtype.names is None and not fields.ndim:
            # One number for all fields, each of which accepts or refuses it.
            fields = dict.fromkeys(names, value)
        elif fields.dtype.names is None:
            if isinstance(value, (list, tuple)):
                raise errors.WrongFields(
                    "%s: write its elements as tuples (%s), not %.60r"
                    % (where, ", ".join(names), value[0])
                )
            raise errors.WrongFields(
                "%s: its elements have the fields %s, not %s of shape %s: convert the array by "
                "numpy.lib.recfunctions.unstructured_to_structured(array, dtype)"
                % (where, ", ".join(names), fields.dtype, fields.shape)
            )
        else:
            _check_names(fields.dtype.names, names, where)
    for name in names:
        inside = where[:-1] + ".%s`" if where.endswith("`") else where + ": field `%s`"
        assign(target[name], fields[name], inside % name)


def _assign_tuples(target, value, where):
    """Writes a list of records field by field: NumPy would silently cut texts in tuples."""
    if target.ndim > 1:
        return _assign_each(target, [list(item) for item in value], where)
    names = target.dtype.names
    for i, item in enumerate(value):
        if len(item) != len(names):
            raise errors.WrongFields(
                "%s[%d]: %d values for the fields %s" % (where, i, len(item), ", ".join(names))
            )
    if not value:
        target[...] = np.zeros(0, target.dtype)  # which NumPy refuses unless `target` is empty too
    for name, column in zip(names, zip(*value)):
        inside = where[:-1] + ".%s`" if where.endswith("`") else where + ": field `%s`"
        of_records = target.dtype.fields[name][0].base.names is not None
        if of_records and not all(type(item) is tuple for item in column):
            _assign_each(target[name], column, inside % name)
        else:
            assign(target[name], list(column), inside % name)


def _assign_each(target, values, where):
    if len(values) != len(target):
        raise errors.Invalid("%s: %d values for %d elements" % (where, len(values), len(target)))
    for i, value in enumerate(values):
        assign(target[i, ...], value, "%s[%d]" % (where, i))


def _texts(dtype, value, where):
    """``value`` as bytes. Texts that are too long are refused, not cut."""
    if isinstance(value, (bytes, _unicode)):
        array = np.array(_bytes(value, where))
    else:
        given_ = value if isinstance(value, np.ndarray) else np.array(value, object)
        array = _kinds.plain(given_, where)
    if array.dtype.kind == "U":
        array = np.char.encode(array, "utf-8", _STRICT)
    elif array.dtype.kind != "S":
        texts = [_bytes(item, where) for item in array.ravel().tolist()]
        array = np.array(texts, "S").reshape(array.shape)
    longest = int(np.char.str_len(array).max()) if array.size else 0
    if longest > dtype.itemsize:
        raise errors.Invalid(
            "%s: a text of %d bytes (in UTF-8) does not fit into %d: shorten it, or declare 'S%d'"
            % (where, longest, dtype.itemsize, longest)
        )
    return array


def _bytes(value, where):
    if isinstance(value, _unicode):
        if value.endswith(u"\0"):
            raise errors.Invalid(
                "%s: a text cannot end with a NUL, since the field is filled up with them: %.60r"
                % (where, value)
            )
        return value.encode("utf-8", _STRICT)
    if not isinstance(value, bytes):
        raise errors.WrongFields("%s must be a text, not %.60r" % (where, value))
    return value


def _whole(item):
    """An object (a `Decimal`, a number of more than 64 bits) as a whole number."""
    number = int(item)
    if isinstance(item, numbers.Number) and number != item:
        raise ValueError("%.60r is not a whole number: round it first" % (item,))
    return number


def _numbers(dtype, value, where):
    """``value`` as numbers. Integers that ``dtype`` would cut or round are refused, and arrays of
    another kind of numbers, whatever they hold."""
    array = _kinds.plain(value, where)
    kind = array.dtype.kind
    if kind == "c":
        raise errors.Invalid(
            "%s: a complex number does not fit into %s: use .real" % (where, dtype)
        )
    if kind in "mM":
        raise errors.Invalid(
            "%s: %s would lose its unit in %s: use .astype('i8')" % (where, array.dtype, dtype)
        )
    # A list or one number has no dtype that somebody chose.
    is_typed = array.ndim and not isinstance(value, _kinds.SEQUENCES)
    if is_typed and kind != "O" and _RANKS.get(kind, 9) > _RANKS[dtype.kind]:
        raise errors.Invalid(
            "%s: its numbers are %s, and this array is %s: use .astype('%s')"
            % (where, dtype, array.dtype, "?" if dtype.kind == "b" else dtype.str[1:])
        )
    if dtype.kind == "b" and kind != "b" and not np.isin(array, (0, 1)).all():
        wrong = "%s%s" % _first(array, ~np.isin(array, (0, 1)))
        raise errors.Invalid("%s: a bool is True or False, not %s" % (where, wrong))
    if dtype.kind in "iu" and kind == "O":
        wholes = [_whole(item) for item in array.ravel().tolist()]
        array = np.array(wholes, object).reshape(array.shape)
    if dtype.kind not in "iu" or kind not in "iufO" or not array.size:
        return array
    if kind == "f":
        broken = ~np.isfinite(array) | (array != np.trunc(array))
        if broken.any():
            number, index = _first(array, broken)
            raise errors.Invalid(
                "%s: %s takes whole numbers, not %s%s: round it first"
                % (where, dtype, number, index)
            )
        if isinstance(value, _kinds.SEQUENCES) and (np.abs(array) >= _EXACT).any():
            # NumPy has made floats of a list's integers, without their last bits.
            wholes = [_whole(item) for item in np.array(value, object).ravel().tolist()]
            array = np.array(wholes, object).reshape(array.shape)
    elif np.can_cast(array.dtype, dtype):
        return array
    limits = np.iinfo(dtype)
    least, most = int(array.min()), int(array.max())
    if least < limits.min or most > limits.max:
        wrong = least if least < limits.min else most
        _, index = _first(array, array == wrong)
        raise errors.Invalid(
            "%s: %d does not fit into %s, which ranges from %d to %d%s"
            % (where, wrong, dtype, limits.min, limits.max, index)
        )
    return array
