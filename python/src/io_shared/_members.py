"""Enums inside arrays and nested structs, which are read and assigned as those of fields are.

An array that has enums is an :class:`EnumArray`, and a nested struct an :class:`EnumRecord`. They
are views of the message, as NumPy's arrays and records are. A message without enums has neither.
"""

import numbers

import numpy as np

from io_shared import _enums, _fields, errors


class EnumArray(np.ndarray):
    """An array of enums, or of structs that have some: ``m.kinds[0].name``, ``m.parts[0].kind``,
    ``m.parts["kind"][0].name``. Its elements can be assigned if the message can."""

    def __getitem__(self, index):
        return member(np.ndarray.__getitem__(self, index), self.dtype)

    def __setitem__(self, index, value):
        plain = self.view(np.ndarray)
        if self.dtype.names is None:
            plain[index] = _enums.numbers(self.dtype, value, "an element")
        elif isinstance(index, (str, type(u""))):
            _fields.assign(plain[index], value, "field `%s`" % index)
        elif isinstance(index, numbers.Integral):
            _fields.assign(plain[index, ...], value, "element %d" % index)
        else:
            plain[index] = value


class EnumRecord(np.void):
    """A struct that has enums: ``part.kind`` is ``part["kind"]``. A field that is called as an
    attribute of NumPy's records (``data``, ``size``) is an item only."""

    __slots__ = ()

    def __getitem__(self, index):
        found = np.void.__getitem__(self, index)
        if isinstance(index, list):
            return found
        return member(found, self.dtype.fields[self._name(index)][0])

    def __setitem__(self, index, value):
        name = self._name(index)
        _fields.assign(np.asarray(self)[name], value, "field `%s`" % name)

    def __getattr__(self, name):
        # Of NumPy's attributes there is none of that name.
        if name in (self.dtype.names or ()):
            return self[name]
        raise errors.NoField(
            "this struct has the fields %s, and no `%s`" % (", ".join(self.dtype.names or ()), name)
        )

    def __setattr__(self, name, value):
        self[name] = value

    def _name(self, index):
        return self.dtype.names[index] if isinstance(index, numbers.Integral) else index


def member(found, dtype):
    """``found``, which NumPy has found in a message, where it has this ``dtype``."""
    if isinstance(found, np.ndarray):
        return found.view(array_class(found.dtype))
    return found if _enums.of(dtype) is None else _enums.value(found, dtype)


def array_class(dtype):
    """The class of arrays of this ``dtype``; None is of no array."""
    return EnumArray if dtype is not None and _enums.has_enums(dtype) else np.ndarray


def struct(dtype):
    """The ``dtype`` of a nested struct, of which NumPy makes records."""
    return np.dtype((EnumRecord, dtype)) if _enums.has_enums(dtype) else dtype
