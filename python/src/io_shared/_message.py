"""A typed message as a Python value: fields as attributes and as items."""

import numpy as np

from io_shared import _backend, _fields, _members, errors

try:
    from collections.abc import Mapping as _Mapping
except ImportError:  # Python 2
    from collections import Mapping as _Mapping

#: The longest text that is shown of a field, and the most fields.
_SHOWN, _MOST = 200, 20


class _Parts(object):
    """What a message consists of, and its fields as attributes. The native module has the same."""

    # Only one slot, since a field may have any name.
    __slots__ = ("_io_shared",)

    def __init__(self, layout, header, arrays):
        #: `arrays`: the tail, or the lists, by their names.
        _slot.__set__(self, (layout, header, arrays))

    def __getattribute__(self, name):
        if name[:2] != "__" and name in _slot.__get__(self)[0].fields:
            return _read(self, name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name):
        return _read(self, name)


class Message(object if _backend.native is not None else _Parts):
    """A message with an attribute, and an item, for each of its fields: ``m.frame``,
    ``m["frame"]``.

        Numbers are NumPy scalars, texts are ``str``; arrays, lists and the tail are NumPy arrays.
        An enum is a number with a ``name``, also in an array (``m.kinds[0].name``) and in a nested
        struct (``m.parts[0].kind``). Fields of a message on loan, and of a copy, can be assigned. A
        message is a mapping too (``dict(m)``, ``put(**m)``), and can be compared, copied
        (``copy.copy`` makes a writable copy) and pickled.

    If a field has the name of a method, the attribute is the field. ``m["keys"]`` is always the
    field.

    >>> cloud = io_shared.open("/clouds").get()
    >>> cloud.frame, cloud["points"]["x"].mean()
    """

    __slots__ = ()

    def __setattr__(self, name, value):
        layout, header, arrays = _slot.__get__(self)
        if name in arrays:
            target = arrays[name]
        elif name in layout.header_names:
            target = header[name]
        else:
            raise _no_field(layout, name)
        _fields.assign(target, value, "field `%s`" % name)

    def __delattr__(self, name):
        raise errors.NoField("a message keeps its fields: `%s` cannot be deleted" % name)

    def __getitem__(self, name):
        return _read(self, _native(name))

    def __setitem__(self, name, value):
        Message.__setattr__(self, _native(name), value)

    def __iter__(self):
        return iter(_slot.__get__(self)[0].fields)

    def __len__(self):
        return len(_slot.__get__(self)[0].fields)

    def __contains__(self, name):
        return _native(name) in _slot.__get__(self)[0].fields

    def get(self, name, default=None):
        """The value of the field ``name``, or ``default`` if there is no such field."""
        return self[name] if name in self else default

    def keys(self):
        """The names of the fields, in order."""
        return list(_slot.__get__(self)[0].fields)

    def values(self):
        """The values of the fields, in order."""
        return [_read(self, name) for name in self]

    def items(self):
        """The names and values of the fields, in order."""
        return [(name, _read(self, name)) for name in self]

    def __eq__(self, other):
        if not isinstance(other, Message):
            return NotImplemented
        if list(self) != list(other):
            return False
        return all(_equal(_read(self, name), _read(other, name)) for name in self)

    def __ne__(self, other):
        equal = Message.__eq__(self, other)
        return equal if equal is NotImplemented else not equal

    __hash__ = None  # a message can change

    def __dir__(self):
        return list(self)

    def __array__(self, dtype=None, copy=None):
        """The fields before the tail or the lists, as a structured array of one element."""
        _, header, arrays = _slot.__get__(self)
        return np.array(next(iter(arrays.values())) if header is None else header, dtype)

    def __copy__(self):
        layout, header, arrays = _slot.__get__(self)
        arrays = {name: array.copy() for name, array in arrays.items()}
        return Message(layout, None if header is None else header.copy(), arrays)

    def __deepcopy__(self, memo):
        return Message.__copy__(self)

    def __reduce_ex__(self, protocol):
        return Message, _slot.__get__(Message.__copy__(self))  # a writable one

    def __repr__(self):
        names = list(self)
        shown = ["%s=%s" % (name, _shown(_read(self, name))) for name in names[:_MOST]]
        if len(names) > _MOST:
            shown.append("... %d more" % (len(names) - _MOST))
        return "Message(%s)" % ", ".join(shown)


if _backend.native is not None:
    # The module makes messages of a class of its own, which takes half as long as of one that is
    # made from it here. So that one gets the methods.
    for _each, _value in Message.__dict__.items():
        if _each not in ("__slots__", "__module__"):
            setattr(_backend.native.Message, _each, _value)
    Message = _backend.native.Message

_slot = (_Parts if _backend.native is None else Message).__dict__["_io_shared"]
_Mapping.register(Message)


def _native(name):
    """``name`` as the name of a field, which is bytes in Python 2."""
    return name if str is not bytes or not isinstance(name, type(u"")) else name.encode("utf-8")


def parts(value):
    """The arrays that a view of a message consists of."""
    if isinstance(value, Message):
        _, header, arrays = _slot.__get__(value)
        return ([] if header is None else [header]) + list(arrays.values())
    return [value]


def _read(message, name):
    layout, header, arrays = _slot.__get__(message)
    if name in arrays:
        return arrays[name]
    if name in layout.header_names:
        value = header[name][()]
        if name in layout.enums:
            return _members.member(value, layout.header.fields[name][0])
        return _fields.text(value) if isinstance(value, bytes) else value
    raise _no_field(layout, name)


if _backend.native is not None:
    _backend.native.read_by(_read)


def _no_field(layout, name):
    return errors.NoField(
        "this message has the fields %s, and no `%s`" % (", ".join(layout.fields), _native(name))
    )


def _equal(one, other):
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or one.dtype.names != other.dtype.names:
        return False
    if one.dtype.names is None:
        return np.array_equal(one, other)
    return all(_equal(one[name], other[name]) for name in one.dtype.names)


def _shown(value):
    """The value as a short text."""
    if isinstance(value, np.ndarray):
        begin = "array(%s" % np.array2string(value, threshold=6, edgeitems=2, separator=", ")
        return "%s, shape=%s)" % (_cut(" ".join(begin.split())), value.shape)
    if isinstance(value, str):
        return _cut(repr(value[: 2 * _SHOWN]))
    return _cut(repr(value))


def _cut(text):
    half = _SHOWN // 2
    return text if len(text) <= _SHOWN else "%s ... %s" % (text[:half], text[-half:])
