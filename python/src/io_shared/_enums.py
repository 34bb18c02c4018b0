"""Enums: numbers with names. A dtype has the names in its metadata, so that they stay with it."""

import numpy as np

from io_shared import _kinds, errors

_KEY = "io_shared_enum"


def enum(*arguments, **variants):
    """The dtype of an enum: ``enum("Camera", "u1", Front=0, Rear=1)``. ``"u1"`` is the number that
    it is stored as: ``u1``, ``u2``, ``u4``, ``i1``, ``i2`` or ``i4``. One of the variants is 0.

    A field of that dtype is read as a number with a ``name``, and takes a number or a name. So are
    the elements of its arrays, and the fields of nested structs.

    >>> camera = io_shared.enum("Camera", "u1", Front=0, Rear=1)
    >>> seen = io_shared.producer("/seen", {"camera": camera, "boxes": ("f4", (None, 4))})
    >>> seen.put(camera="Rear", boxes=boxes)
    """
    if len(arguments) != 2:
        raise errors.WrongFields("an enum is declared by its name, its number and its variants")
    name, number = arguments
    base = _kinds.dtype(number)
    if base.kind not in "iu" or base.itemsize > 4:
        raise errors.Invalid("the enum %s cannot be stored as %s: use u1 to u4 or i1 to i4"
                             % (name, base))
    return dtype(name, base.str, variants.items())


def dtype(name, code, variants):
    """The dtype of an enum with these pairs of names and numbers."""
    variants = tuple(sorted((int(number), str(variant)) for variant, number in variants))
    return np.dtype(code, metadata={_KEY: (str(name), variants)})


def of(dtype):
    """``(name, ((number, variant), ..))`` of an enum; None of any other dtype."""
    return dtype.metadata.get(_KEY) if dtype.metadata else None


class EnumValue(int):
    """A number of an enum: ``name`` and ``enum`` are the names of its variant and of the enum."""

    def __new__(cls, number, enum, name):
        made = super(EnumValue, cls).__new__(cls, number)
        made.enum, made.name = enum, name
        return made

    def __repr__(self):
        return "<%s.%s: %d>" % (self.enum, self.name, self)

    def __reduce__(self):
        return EnumValue, (int(self), self.enum, self.name)


def value(number, dtype):
    """``number`` with the ``name`` that the enum has for it; None if it has none."""
    enum, variants = of(dtype)
    return EnumValue(number, enum, dict(variants).get(int(number)))


def numbers(dtype, given, where):
    """``given`` with the number of each name in it, for a field of the enum ``dtype``."""
    if isinstance(given, np.ndarray) and given.dtype.kind not in "SUO":
        return given
    if isinstance(given, (list, tuple)):
        return [numbers(dtype, item, where) for item in given]
    if isinstance(given, np.ndarray):
        return np.array(numbers(dtype, given.tolist(), where))
    if not isinstance(given, (str, bytes, type(u""))):
        return given
    name, variants = of(dtype)
    text = given.decode("utf-8") if isinstance(given, bytes) and str is not bytes else given
    for number, variant in variants:
        if text == variant:
            return number
    raise errors.Invalid(
        "%s: %s has no variant %r: it has %s"
        % (where, name, given, ", ".join(variant for _, variant in variants))
    )


def has_enums(dtype):
    """Whether ``dtype`` is an enum, or has some."""
    base = dtype.base
    if base.names is None:
        return of(base) is not None
    return any(has_enums(base.fields[name][0]) for name in base.names)


def has_checks(dtype):
    """Whether not every bit pattern of ``dtype`` is a value: it has a bool or an enum."""
    if dtype.names is not None:
        return any(has_checks(dtype.fields[name][0]) for name in dtype.names)
    base = dtype.base
    return base.kind == "b" or of(base) is not None or (
        base.names is not None and has_checks(base))


def check(array, path=""):
    """Refuses a bool that is neither 0 nor 1, and a number that an enum does not have."""
    array = np.asarray(array)
    if array.dtype.names is not None:
        for name in array.dtype.names:
            if has_checks(array.dtype.fields[name][0]):
                check(array[name], path + "." + name if path else name)
        return
    enum = of(array.dtype)
    if enum is not None:
        wrong = ~np.isin(array, [number for number, _ in enum[1]])
        allowed = ", ".join("%d (%s)" % variant for variant in enum[1][:8])
    elif array.dtype.kind == "b":
        array = np.frombuffer(array.tobytes(), np.uint8)
        wrong, allowed = array > 1, "0 or 1"
    else:
        return
    if wrong.any():
        raise errors.BadValue(
            "field `%s` is %d, expected %s" % (path, array[wrong].ravel()[0], allowed)
        )
