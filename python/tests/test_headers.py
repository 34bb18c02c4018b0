# -*- coding: utf-8 -*-
"""Headers of array messages from another process: hostile ones, and those of every dtype."""

from __future__ import unicode_literals

import struct
import time

import numpy as np
import pytest

import io_shared
from test_arrays import ends


def message(version, text, data=8):
    """A ``.npy`` file of that version with that header."""
    text = text.encode("utf-8")
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes(bytearray([version, 0])) + length + text + b"\0" * data


def header(descr="'<f8'", shape="(1,)"):
    return "{'descr': %s, 'fortran_order': False, 'shape': %s, }" % (descr, shape)


MILLION = 900 * 1000
HOSTILE = {
    "brackets": "[" * MILLION,
    "parentheses": "(" * MILLION,
    "braces": "{" * MILLION,
    "minuses": "-" * MILLION,
    "nots": "not " * (MILLION // 4),
    "sums": "1" + "+1" * (MILLION // 2),
    "powers": "9**" * (MILLION // 3) + "9",
    "attributes": "a" + ".a" * (MILLION // 2),
    "lambdas": "lambda:" * (MILLION // 7) + "0",
    "quotes": "'" * MILLION,
    "one long string": "'" + "\\" * MILLION,
    "deep dtype": header("[('x', " * 100000 + "'<f8'" + ")]" * 100000),
    "dtype of 17 levels": header("[('x', " * 17 + "'<f8'" + ")]" * 17),
    "many fields": header("[%s]" % "".join("('f%d', '|u1')," % i for i in range(45000))),
    "fields of one name": header("[%s]" % ("('x', '<f8')," * 70000)),
    "axes": header(shape="(%s)" % ("1," * (MILLION // 2))),
    "65 axes": header(shape="(%s)" % ("1," * 65)),
    "axes of a field": header("[('x', '<f8', (%s))]" % ("1," * (MILLION // 2))),
    "large axes": header(shape="(%s)" % ("4294967296," * 64)),
    "large axes with none": header(shape="(0, 4294967296, 4294967296)"),
    "large axes without bytes": header("'|V0'", "(1099511627776, 1099511627776)"),
    "digits": header(shape="(%s,)" % ("9" * MILLION)),
    "digits of a code": header("'<f%s'" % ("9" * MILLION)),
    "a long unit": header("'<M8[%s]'" % ("s" * MILLION)),
    "a large field": header("[('x', '<f8', (4294967296, 4294967296))]"),
    "10 MB of spaces": header() + " " * (10 << 20),
    "10 MB of brackets": "[" * (10 << 20),
    "10 MB of axes": header(shape="(%s)" % ("1," * (5 << 20))),
}


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_a_hostile_header_is_corrupt_within_a_second(name, kind, version):
    text = HOSTILE[kind]
    if version == 1:
        text = text[:60000].rstrip() + " {"
    put, get = ends(name, "32M")
    looking = io_shared.observe(name)
    sent = message(version, text)
    for take in (lambda: get.get(timeout=1), get.borrow, get.latest, looking.copy):
        put._end._put_bytes(sent)
        before = time.time()
        with pytest.raises(io_shared.Corrupt):
            take()
        assert time.time() - before < 5
    put.put(np.arange(3))
    assert get.get().tolist() == [0, 1, 2]


def test_an_array_of_many_fields_arrives_within_seconds(name):
    put, get = ends(name, "4M")
    before = time.time()
    for _ in range(3):
        put._end._put_bytes(message(2, HOSTILE["many fields"], 45000))
        assert len(get.get(timeout=1).dtype.names) == 45000
    assert time.time() - before < 15


def test_a_header_has_one_limit_in_every_version(name):
    put, get = ends(name, "4M")
    for version in (2, 3):
        text = header()
        text += " " * ((1 << 20) - len(text))
        put._end._put_bytes(message(version, text))
        assert get.get().tolist() == [0]
        put._end._put_bytes(message(version, text + " "))
        with pytest.raises(io_shared.Corrupt) as error:
            get.get()
        assert "1048576" in str(error.value)


def test_what_cannot_be_read_is_not_put(name):
    put, get = ends(name, "4M")
    deep = np.dtype("f4")
    for _ in range(17):
        deep = np.dtype([(str("x"), deep)])
    for dtype in (deep, [(str("f%d") % i, str("f4")) for i in range(70000)]):
        with pytest.raises(ValueError):
            put.put(np.zeros(1, dtype))
    put.put(np.zeros(2, deep[0]))
    assert get.get().dtype == deep[0]


NATIVE = {
    "padding": np.dtype({"names": [str("a"), str("b")], "formats": ["u1", "f8"], "offsets": [3, 16],
                         "itemsize": 32}),
    "aligned": np.dtype([(str("a"), "u1"), (str("b"), "f8")], align=True),
    "titles": np.dtype([((str("title"), str("a")), "f4"), (str("b"), "i2", (2, 3))]),
    "nested": np.dtype(
        [(str("in"), [(str("y"), ">i4"), (str("z"), "S3")], (2,)), (str("w"), "M8[ns]")]
    ),
    "quotes": np.dtype([(str("it's"), "f4"), (str('a"\'b\\'), "f4"), (str("\n\t"), "?")]),
    "no fields": np.dtype([]),
    "an umlaut": np.dtype([("größe".encode("utf-8") if str is bytes else "größe", "f4")]),
    "a point": np.dtype([("点".encode("utf-8") if str is bytes else "点", "f4")]),
    "times": np.dtype("m8[25s]"),
    "long": np.dtype("longdouble"),
    "texts": np.dtype("U7"),
}


@pytest.mark.parametrize("kind", sorted(NATIVE))
@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 4)])
def test_every_dtype_arrives_as_it_was(name, kind, shape):
    put, get = ends(name)
    sent = np.zeros(shape, NATIVE[kind])
    for _ in range(3):
        put.put(sent)
        found = get.get()
        assert found.dtype == sent.dtype and found.shape == sent.shape
        assert found.dtype.itemsize == sent.dtype.itemsize
        assert get.latest().dtype.fields == sent.dtype.fields


def test_headers_of_python_2_are_read(name):
    put, get = ends(name)
    descr = "[((u't', 'x'), '<f4'), ('y\\xe4', '<i2', 2)]"
    text = "{\"shape\": (2L, 3L), 'fortran_order': True,\n\t'descr': %s}" % descr
    put._end._put_bytes(message(1, text, 48))
    found = get.get()
    assert found.shape == (2, 3) and found.flags.f_contiguous
    assert found.dtype.names == (str("x"), b"y\xe4" if str is bytes else "yä")
    assert found.dtype.fields[str("t")][1] == 0


def test_random_changes_of_a_header_are_corrupt_or_an_array(name):
    put, get = ends(name)
    generator = np.random.RandomState(7)
    sent = bytearray(put._end._messages.frame((3,), NATIVE["nested"], "C")[0])
    sent += b"\0" * (3 * NATIVE["nested"].itemsize)
    arrays = 0
    for _ in range(2000):
        changed = bytearray(sent)
        for _ in range(generator.randint(1, 4)):
            byte = generator.choice(bytearray(b"[](){},:'\"\\ 0129<>|fiuSVMO\n\x80\xff"))
            changed[generator.randint(128)] = byte
        put._end._put_bytes(bytes(changed))
        try:
            arrays += isinstance(get.get(timeout=1), np.ndarray)
        except io_shared.Corrupt:
            pass
    assert arrays < 2000
    put.put([1])
    assert get.get().tolist() == [1]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_array_without_elements_arrives_however_long_its_other_axes_are(new_name, version):
    put, get = ends(new_name())
    for _ in range(3):
        put._end._put_bytes(message(version, header("'|u1'", "(9223372036854775807, 0)")))
        for got in (get.get(timeout=20), get.latest(), io_shared.observe(put.name).copy()):
            assert got.shape == (9223372036854775807, 0)
