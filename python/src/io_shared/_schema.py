"""The NumPy dtypes of a channel's schema, and the schema of NumPy dtypes.

A message is a header (fields, or none), followed by a tail (any number of elements, or none). The
schema is the canonical JSON that ``Schema::to_json`` of the Rust crates writes.
"""

import json

import numpy as np

from io_shared import _enums, _kinds, _lists, _members, errors
from io_shared._fields import is_padding
from io_shared._library import in_bytes

#: The schema of messages that are ``.npy`` files: arrays of any dtype and shape.
ARRAY = (
    '{"struct":"Array","size":0,"align":64,'
    '"fields":[{"name":"npy","offset":0,"type":{"slice":"|u1"}}]}'
)

_NUMBERS = frozenset("|b1 |u1 <u2 <u4 <u8 |i1 <i2 <i4 <i8 <f2 <f4 <f8".split())


class Layout(object):
    """The parts of a message.

        ``header``: the dtype of the fields before the tail or the lists' data, or None. ``tail``:
        the dtype of one element, or None. ``tail_name``: the name of its field; None if the tail is
        the whole message. ``lists``: the :class:`_lists.List` of each list; None if the message
        has no data for lists. ``offset``: the byte at which the tail or that data starts.
        ``fields``: the names of all fields but padding, in order.
    """

    def __init__(self, header, tail=None, tail_name=None, offset=0, lists=None, align=1,
                 names=None):
        self.header, self.tail, self.tail_name, self.offset = header, tail, tail_name, offset
        self.lists, self.align = lists, align
        #: The names of the fields in ``header``, and of those that are enums or have some.
        self.header_names = header.names if header is not None and header.names else ()
        self.enums = frozenset(
            name for name in self.header_names
            if _enums.has_enums(header.fields[name][0])
        )
        if names is None:
            names = self.header_names + ((tail_name,) if tail_name is not None else ())
        self.fields = tuple(name for name in names if not is_padding(name))


def is_array(text):
    """Whether the messages of the schema ``text`` are ``.npy`` files."""
    root = json.loads(text)
    if not isinstance(root, dict) or len(root.get("fields", ())) != 1:
        return False
    field = root["fields"][0]
    return root["align"] == 64 and (field["name"], field["type"]) == ("npy", {"slice": "|u1"})


def layout(text):
    """The :class:`Layout` of the messages that the schema ``text`` describes."""
    root = json.loads(text)
    if not isinstance(root, dict) or "array" in root or "enum" in root:
        return Layout(np.dtype(_dtype(root)))
    if "slice" in root:
        return Layout(None, np.dtype(_dtype(root["slice"])))
    fields = root["fields"]
    if fields and fields[-1]["type"] == "lists":
        return _with_lists(root)
    if not fields or not _is_slice(fields[-1]["type"]):
        return Layout(_struct(root))
    last = fields[-1]
    header = _struct(dict(root, fields=fields[:-1])) if len(fields) > 1 else None
    tail = np.dtype(_dtype(last["type"]["slice"]))
    return Layout(header, tail, str(_name(last["name"])), last["offset"])


def _with_lists(root):
    """The layout of a struct that ends in the data of lists."""
    lists, others, names = [], [], []
    for field in root["fields"][:-1]:
        names.append(_name(field["name"]))
        type_ = field["type"]
        if isinstance(type_, dict) and "list" in type_:
            dtype, axes = np.dtype(_dtype(type_["list"])), (None,) * type_["axes"]
            lists.append(_lists.List(names[-1], field["offset"], dtype, _align(dtype), axes))
        else:
            others.append(field)
    header = _struct(dict(root, fields=others)) if others else None
    return Layout(header, offset=root["size"], lists=lists, align=root["align"], names=names)


def of_fields(fields, name="Message"):
    """The schema and the layout of a message of ``fields``: a dict or pairs, in which a list is
    ``[dtype]`` or ``(dtype, (None, None, 3))``.

    A dict has no order that all programs agree on. Its fields lie by their alignment, the greatest
    first, so that there is no padding, and then by name."""
    pairs = [(_name(key), what) for key, what in _lists.pairs(fields)]
    if isinstance(fields, dict):
        pairs.sort(key=lambda pair: (-_field_align(*pair), pair[0]))
    described, end, align, limits = [], 0, 1, {}
    for key, what in pairs:
        if isinstance(what, _lists.List):
            element, inner = _describe(what.dtype, "field `%s`" % key, str(key).capitalize())
            if _enums.has_checks(what.dtype):
                raise errors.Invalid(
                    "field `%s`: a list cannot have bools or enums, which would have to be checked "
                    "at each access: use the number, u1 for a bool" % key
                )
            type_, size, own = [("list", element), ("axes", len(what.axes))], 0, 8
            size, limits[key] = 8 * (1 + len(what.axes)), what.axes
        else:
            type_, own = _describe(what, "field `%s`" % key, str(key).capitalize())
            size, inner = what.itemsize, own
        _check_place(key, end, end, own)
        described.append(_field(key, end, type_))
        end, align = end + size, max(align, own, inner)
    if limits:
        data = "data" if "data" not in dict(pairs) else "lists"
        described.append(_field(data, end, "lists"))
    elif end % align:
        pad = align - end % align
        described.append(_field("_pad", end, [("array", pad), ("of", "|u1")]))
        end += pad
    text = _dump(_record(name, end, align, described))
    made = layout(text)
    if made.lists is not None:
        made.lists = [each._replace(axes=limits[each.name]) for each in made.lists]
    return text, made


def _field_align(name, what):
    return 8 if isinstance(what, _lists.List) else _describe(what, "field `%s`" % name, "It")[1]


def _is_slice(type_):
    return isinstance(type_, dict) and "slice" in type_


def _dtype(type_):
    """The argument for ``numpy.dtype`` that makes the type."""
    if not isinstance(type_, dict):
        return str(type_)
    if "enum" in type_:
        variants = [(_name(each["name"]), each["number"]) for each in type_["variants"]]
        return _enums.dtype(_name(type_["enum"]), str(type_["of"]), variants)
    if "array" in type_:
        inner = np.dtype(_dtype(type_["of"]))
        return (inner.base, (type_["array"],) + inner.shape)
    return _members.struct(_struct(type_))


def _struct(type_):
    fields = type_["fields"]
    return np.dtype(
        {
            "names": [_name(field["name"]) for field in fields],
            "formats": [_dtype(field["type"]) for field in fields],
            "offsets": [field["offset"] for field in fields],
            "itemsize": type_["size"],
        }
    )


def _name(name):
    # Field names are byte strings in Python 2.
    return name if isinstance(name, str) else name.encode("utf-8")


def schema(dtype, tail=None, name="Message"):
    """The schema of messages that are one ``dtype``, or its fields followed by any number of
    elements. ``tail``: ``(field name, dtype)``, or a dtype alone if there are no fields."""
    if tail is None:
        return _dump(_describe(_kinds.dtype(dtype), "the message", name)[0])
    if dtype is None and not (isinstance(tail, tuple) and len(tail) == 2):
        element = _describe(_kinds.dtype(tail), "the element", "Element")[0]
        return _dump([("slice", element)])
    if not isinstance(tail, (tuple, list)) or len(tail) != 2 or not _is_text(tail[0]):
        raise errors.WrongFields("tail must be (field name, dtype), not %r" % (tail,))
    tail_name, tail = tail[0], _kinds.dtype(tail[1])
    element, align = _describe(tail, "`%s`" % tail_name, str(tail_name).capitalize())
    fields, end = [], 0
    if dtype is not None:
        fields, end, header_align = _fields(_kinds.dtype(dtype))
        align = max(align, header_align)
    _check_place(tail_name, end, end, _align(tail))
    fields.append(_field(tail_name, end, [("slice", element)]))
    return _dump(_record(name, end, align, fields))


def of_kind(text, kind, name):
    """The schema ``text``, which says of what kind the messages are: a word in the unit of the last
    field."""
    root = json.loads(text)
    fields = root.get("fields") if isinstance(root, dict) else None
    if not fields or not _is_text(kind) or len(kind.split()) != 1:
        raise errors.Invalid(
            "%s: kind is one word, of arrays or messages with fields, not %r" % (name, kind)
        )
    fields[-1]["unit"] = " ".join([fields[-1].get("unit", ""), kind]).strip()
    return json.dumps(root)


def _is_text(value):
    return isinstance(value, (str, type(u"")))


def _describe(dtype, where, name):
    """The schema of one ``dtype`` as pairs, and its alignment."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        described, align = _describe(base, where, name)
        for count in reversed(shape):
            described = [("array", int(count)), ("of", described)]
        return described, align
    if dtype.names:
        fields, end, align = _fields(dtype)
        if end != dtype.itemsize:
            raise errors.Invalid(
                "%s of padding after the last field of %s: add a field ('_pad', 'u1', %d)"
                % (in_bytes(dtype.itemsize - end), where, dtype.itemsize - end)
            )
        if end % align:
            missing = align - end % align
            raise errors.Invalid(
                "%s has %s, not a multiple of its alignment %d: add a field ('_pad', 'u1', %d)"
                % (where, in_bytes(end), align, missing)
            )
        return _record(name, end, align, fields), align
    enum = _enums.of(dtype)
    if enum is not None:
        variants = [[("name", variant), ("number", number)] for number, variant in enum[1]]
        return [("enum", enum[0]), ("of", dtype.str), ("variants", variants)], dtype.itemsize
    if dtype.str in _NUMBERS:
        return dtype.str, dtype.itemsize
    if dtype.kind == "S" and dtype.itemsize:
        return "|S%d" % dtype.itemsize, 1
    raise errors.Invalid("%s is %s, which cannot be put: %s" % (where, dtype, _advice(dtype)))


def _advice(dtype):
    if dtype.hasobject:
        return "a Python object means nothing in another process"
    if dtype.kind in "SU":
        return "use S64, in UTF-8"
    if dtype.byteorder == ">":
        return "use %s" % dtype.newbyteorder("<").str
    return "use bool, integers of 1 to 8 bytes, f2, f4, f8, S64, or arrays and structs of these"


def _fields(dtype):
    if not dtype.names:
        raise errors.Invalid("the fields before a tail must be a structured dtype, not %s" % dtype)
    fields, end, align = [], 0, 1
    for name in sorted(dtype.names, key=lambda name: dtype.fields[name][1]):
        inner, offset = dtype.fields[name][:2]
        described, inner_align = _describe(inner, "field `%s`" % name, str(name).capitalize())
        _check_place(name, offset, end, inner_align)
        fields.append(_field(name, offset, described))
        end, align = offset + inner.itemsize, max(align, inner_align)
    return fields, end, align


def _align(dtype):
    return _describe(dtype, "it", "It")[1]


def _check_place(name, offset, end, align):
    if offset < end:
        raise errors.Invalid("field `%s` overlaps the field before it" % name)
    if offset > end:
        raise errors.Invalid(
            "%s of padding before `%s`: add a field ('_pad', 'u1', %d)"
            % (in_bytes(offset - end), name, offset - end)
        )
    if offset % align:
        raise errors.Invalid(
            "field `%s` is at %d, not a multiple of its alignment %d: "
            "reorder the fields, or add a field ('_pad', 'u1', %d) before it"
            % (name, offset, align, align - offset % align)
        )


def _record(name, size, align, fields):
    return [("struct", name), ("size", int(size)), ("align", int(align)), ("fields", fields)]


def _field(name, offset, described):
    return [("name", name), ("offset", int(offset)), ("type", described)]


def _dump(described):
    """Canonical JSON. Lists of pairs are objects: the dict of an older Python would lose their
    order."""
    if isinstance(described, list):
        if described and isinstance(described[0], list):
            return "[%s]" % ",".join(_dump(item) for item in described)
        pairs = ("%s:%s" % (_dump(key), _dump(value)) for key, value in described)
        return "{%s}" % ",".join(pairs)
    return json.dumps(described, ensure_ascii=False)
