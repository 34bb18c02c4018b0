"""The native module and ctypes serve alike, and a broken module is no failure."""

import ctypes
import gc
import json
import os
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest

import io_shared
from conftest import ends, references_are_counted

#: Where the package is installed.
PACKAGE = os.path.dirname(os.path.abspath(io_shared.__file__))

native = pytest.mark.skipif(io_shared.backend != "native", reason="of the native module alone")


def _has_native():
    """Whether this Python has a native module: each wheel has that for CPython 3.11 and later."""
    return (
        sys.version_info >= (3, 11) and hasattr(sys, "getrefcount") and "t" not in sys.abiflags
    )


def _run(code, *options, **environment):
    """What a program prints, to standard output and to standard error."""
    program = subprocess.Popen(
        [sys.executable] + list(options) + ["-c", code], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=dict(os.environ, **environment)
    )
    out, error = program.communicate()
    return out.decode().split(), error.decode()


def test_the_native_module_serves_where_there_is_one_and_ctypes_where_asked():
    code = "import io_shared; print(io_shared.backend)"
    asked = os.environ.get("IO_SHARED_BACKEND") or None
    if asked != "ctypes" and _has_native():
        assert io_shared.backend == "native"
    assert _run(code, IO_SHARED_BACKEND="ctypes") == (["ctypes"], "")
    if _has_native():
        assert _run(code, IO_SHARED_BACKEND="native") == (["native"], "")
    out, error = _run(code, IO_SHARED_BACKEND="other")
    assert out == [] and "IO_SHARED_BACKEND=other is neither native nor ctypes" in error


@pytest.mark.skipif(not _has_native(), reason="there is no native module for this Python")
@pytest.mark.parametrize("how", ["garbage", "other ABI", "no such function"])
def test_a_broken_module_is_told_once_and_ctypes_serves(how, name, tmpdir):
    package = str(tmpdir.join("io_shared"))
    shutil.copytree(PACKAGE, package)
    if how == "garbage":
        with open(os.path.join(package, "_native.abi3.so"), "wb") as module:
            module.write(b"no library")
    else:
        with open(os.path.join(package, "_backend.py")) as source:
            text = source.read()
        cut = ("_library.ABI)", "1)") if how == "other ABI" else ('"ios_" + name', '"no_" + name')
        assert cut[0] in text
        with open(os.path.join(package, "_backend.py"), "w") as source:
            source.write(text.replace(*cut))
    code = (
        "import sys, io_shared, io_shared._producer\n"
        "put = io_shared.NumpyShare(sys.argv[1], '4K', 'put')\n"
        "get = io_shared.NumpyShare(sys.argv[1], '4K', 'get')\n"
        "put.put([1, 2]); print(io_shared.backend, *get.get())"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=str(tmpdir), IO_SHARED_BACKEND="")
    )
    out, error = program.communicate()
    assert out.decode().split() == ["ctypes", "1", "2"], error
    warning = "RuntimeWarning: the native module of io_shared cannot be used"
    assert error.decode().count(warning) == 1
    assert "set IO_SHARED_BACKEND=ctypes" in error.decode()


DOCS = """
import inspect, io_shared, json
found = {}
for name in io_shared.__all__:
    kind = getattr(io_shared, name)
    if inspect.isclass(kind):
        for each in dir(kind):
            if not each.startswith("_"):
                found[name + "." + each] = (inspect.getdoc(getattr(kind, each)) or "").split()
print(json.dumps(found, separators=(",", ":")))
"""


@native
def test_what_is_public_has_the_same_docs_by_both():
    by = []
    for backend in ("native", "ctypes"):
        out, error = _run(DOCS, IO_SHARED_BACKEND=backend)
        assert error == ""
        by.append(json.loads(out[0]))
    assert len(by[0]) > 100 and by[0] == by[1]


@native
def test_the_module_refuses_a_library_of_another_abi_and_one_without_its_functions():
    module = io_shared._backend.native
    with pytest.raises(ImportError):
        module.bind({}, 1)
    with pytest.raises(KeyError):
        module.bind({}, io_shared._library.ABI)


USERS = {
    "array": lambda view: view,
    "slice": lambda view: view[::2][1:],
    "reshape": lambda view: view.reshape(5, 2).T,
    "memoryview": memoryview,
    "bytes of the value": lambda view: memoryview(view.base) if view.base is not None else view,
    "asarray": lambda view: np.asarray(memoryview(view)),
    "frombuffer": lambda view: np.frombuffer(view),
    "dlpack": lambda view: _dlpack(view),
    "traceback": lambda view: _traceback(view),
}


def _dlpack(view):
    try:
        return np.from_dlpack(view)
    except (AttributeError, BufferError, TypeError):  # this NumPy exports no read-only arrays
        return view


def _traceback(view):
    try:
        raise KeyError(view)
    except KeyError as error:
        return error


@references_are_counted
@pytest.mark.skipif(sys.version_info < (3, 0), reason="a memoryview of NumPy 1.16 is a copy there")
@pytest.mark.parametrize("how", sorted(USERS))
def test_a_value_is_given_back_when_the_last_user_of_its_bytes_goes(how, name):
    put, get = ends(name, holds=1)
    for i in range(5):
        put.put(np.full(10, float(i)))
        user = USERS[how](get.borrow())
        gc.collect()
        put.put(np.full(10, -1.0))
        with pytest.raises(io_shared.AlreadyHeld):
            get.borrow()
        for _ in range(5):
            put.put(np.full(10, 99.0))
        held = user.args[0] if how == "traceback" else user
        assert struct.unpack("<d", np.asarray(held).tobytes()[-8:]) == (i,)
        del user, held
        gc.collect()
        assert get.borrow()[0] == 99


@native
def test_exports_of_a_borrowed_value_are_counted(name):
    put, get = ends(name)
    for _ in range(3):
        put.put(np.arange(10.0))
        view = get.borrow()
    held = view.base
    assert held.exports == 0, "an array has a reference, and no export"
    first, second = memoryview(held), memoryview(held)
    assert held.exports == 2 and first.readonly and first.nbytes == held.length
    with pytest.raises(BufferError):
        held.release()
    first.release()
    assert held.exports == 1
    ctypes.string_at(held.data, held.length)
    del second
    assert held.exports == 0


@native
@pytest.mark.parametrize("length", [4, 100000])
def test_a_loan_in_place_finds_a_buffer_that_outlives_its_array(name, length):
    put, get = ends(name)
    put.put([1])
    for kept_by in (memoryview, lambda out: (ctypes.c_double * 4).from_buffer(out)):
        for _ in range(3):
            with pytest.raises(io_shared.AlreadyLoaned):
                with put.loan((length,), in_place=True) as out:
                    kept = kept_by(out)
                    del out
            kept[0] = 9.0
            assert get.latest().tolist() == [1]
        del kept
        with put.loan((length,), in_place=True) as out:  # a buffer that is gone is none
            memoryview(out)[0] = 5.0
        assert get.get()[0] == 5
        put.put([1])


@native
def test_a_loan_in_place_is_the_packages_loan(name):
    put, get = ends(name)
    for _ in range(2):
        loan = put.loan((2,), np.uint8, in_place=True, tag=3)
        assert isinstance(loan, io_shared.Loan) and loan.tag == 3
        for wrong in (-1, "x", 2 ** 64):
            with pytest.raises(io_shared.Invalid):
                loan.tag = wrong
        with loan as out:
            out[...] = 7
            loan.tag = 2 ** 64 - 1
        assert get.get().tolist() == [7, 7] and get.tag == 2 ** 64 - 1
