"""Which arrays arrive as what they are, and the errors for those that would not."""

import collections
import warnings

import numpy as np
import pytest

import conftest
import io_shared
from io_shared import NumpyShare


@pytest.fixture
def ends(name):
    return conftest.ends(name, "1M")


def refused(ends, value, *says):
    """The text of the error for ``value``, after which nothing was put."""
    put, get = ends
    with pytest.raises(ValueError) as error, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        put.put(value)
    assert isinstance(error.value, io_shared.Error)
    for word in says:
        assert word in str(error.value)
    assert put.seq == 0 and get.try_get() is None


class Masked(object):
    """An object that becomes a masked array."""

    def __array__(self, dtype=None, copy=None):
        return np.ma.masked_equal([1, 2], 2)


@pytest.mark.parametrize(
    "masked",
    [np.ma.masked_array([1.0, 2], [0, 1]), np.ma.masked, np.ma.zeros(3), np.ma.zeros(2, "i4,f8"),
     np.ma.zeros((), "i4,f8")[()],
    np.ma.masked_invalid([np.nan, 1]).view(np.ma.mrecords.MaskedRecords)
     if hasattr(np.ma, "mrecords") else np.ma.masked_equal([1, 2], 2),
     [np.ma.masked_equal([1, 2], 2)], [[1.0, np.ma.masked]], [[np.ma.zeros(2)], [np.ma.zeros(2)]],
     (1, [2, (np.ma.zeros(2),)]), collections.deque([np.ma.zeros(2)]), Masked()],
)
def test_a_masked_array_is_told_of_filled(ends, masked):
    refused(ends, masked, ".filled()", ends[0].name)


def test_numpys_own_subclasses_arrive_as_arrays(ends, tmpdir):
    put, get = ends
    rec = np.rec.fromarrays([[1, 2], [3.5, 4]], names="a,b")
    mapped = np.memmap(str(tmpdir.join("map")), "f8", "w+", shape=(3, 4))
    mapped[...] = 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = [rec, np.array(rec), np.matrix([[1, 2], [3, 4]]), mapped, mapped[:, 1], rec["a"]]
        values.append(np.char.array(["ab", "c"]))
    for value in values:
        put.put(value)
        got = get.get(timeout=20)
        assert type(got) is np.ndarray and got.dtype == value.dtype and got.shape == value.shape
        assert np.array_equal(got, np.asarray(value))


class Metres(np.ndarray):
    """An array with an attribute."""

    unit = "m"


class Own(np.recarray):
    """A subclass of an array that is accepted."""


@pytest.mark.parametrize("kind", [Metres, Own])
def test_subclasses_that_may_carry_more_are_refused_by_name(ends, kind):
    refused(ends, np.zeros(3).view(kind), kind.__name__, "numpy.asarray", ends[0].name)
    ends[0].put(np.asarray(np.zeros(3).view(kind)))
    assert ends[1].get().tolist() == [0, 0, 0]


@pytest.mark.parametrize("name_", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint2"])
def test_number_formats_that_would_arrive_as_bytes_are_refused(ends, name_):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = np.dtype(getattr(ml_dtypes, name_))
    refused(ends, np.zeros(3, dtype), name_, ".view(", "astype('f4')")
    refused(ends, np.zeros(3, [("a", dtype)]), name_)
    with pytest.raises(ValueError) as error:
        ends[0].loan(3, dtype)
    assert name_ in str(error.value)
    ends[0].put(np.ones(3, dtype).view("u%d" % dtype.itemsize))
    assert (ends[1].get().view(dtype).astype("f4") == 1).all()


def test_dtypes_that_no_header_says_are_refused(ends):
    put, get = ends
    pairs = np.zeros(2, [("a", "i4"), ("b", "f8")])
    refused(ends, np.zeros(2, {"names": ["b", "a"], "formats": ["f4", "f4"], "offsets": [4, 0]}),
            "order", "repack_fields(array)")
    refused(ends, pairs[["b", "a"]], "repack_fields(array)")
    overlapping = {"names": "ab", "formats": ["u4", "u2"], "offsets": [0, 2]}
    refused(ends, np.zeros(2, overlapping), "overlap")
    refused(ends, np.zeros(2, np.dtype(("i4", [("lo", "u2"), ("hi", "u2")]))), "int32")
    refused(ends, np.zeros(2, object), "Python objects")
    refused(ends, np.zeros(2, [("o", "O")]), "Python objects")
    with pytest.raises(ValueError) as error:
        put.loan(2, ("f4", (3,)))
    assert "shape" in str(error.value) and isinstance(error.value, io_shared.Error)
    from numpy.lib import recfunctions

    put.put(recfunctions.repack_fields(pairs[["b", "a"]]))
    assert get.get(timeout=20).dtype.names == ("b", "a")
    if hasattr(np, "dtypes") and hasattr(np.dtypes, "StringDType"):
        with NumpyShare(put.name + "t", "1M", "put") as put, \
                NumpyShare(put.name, "1M", "get") as get:
            refused((put, get), np.array(["a"], np.dtypes.StringDType()), "astype('U')")
        io_shared.remove(put.name)


@pytest.mark.parametrize(
    "dtype",
    ["M8[ns]", "M8[25s]", "m8", "m8[D]", "M8", "?", "f2", ">f4", "c8", "g", "S3", "U3", "V5",
     np.dtype([("a", "u1"), ("b", "f8")], align=True),
     np.dtype([("a", [("b", "u1"), ("c", "f8")])], align=True),
     np.dtype([("a", "f4", (2, 3))]),
     np.dtype([(("title", "a"), "f4"), ("b", "M8[us]")]),
     np.dtype("f4", metadata={"unit": "m"}),
     np.dtype({"names": ["a"], "formats": ["f4"], "offsets": [4], "itemsize": 12})],
    ids=str,
)
def test_a_dtype_arrives_as_it_was_or_is_refused(ends, dtype):
    put, get = ends
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = np.zeros((2, 3), dtype)
        put.put(value)
    got = get.get(timeout=20)
    assert got.dtype == value.dtype and got.shape == value.shape
    assert got.tobytes() == value.tobytes()
    with put.loan((2, 3), dtype) as out:
        assert out.dtype == value.dtype
    assert get.get(timeout=20).dtype == value.dtype
    borrowed = (put.put(value), get.borrow(timeout=20))[1]
    assert borrowed.dtype == value.dtype and borrowed.dtype.fields == value.dtype.fields
