"""What code keeps of a loan's memory changes nothing that was put."""

import copy
import ctypes
import gc
import os
import pickle
import sys
import threading

import numpy as np
import pytest

import io_shared
from conftest import ends, references_are_counted


def _dlpack(out):
    if not hasattr(np, "from_dlpack"):
        pytest.skip("this NumPy (%s) has no from_dlpack" % np.__version__)
    return np.from_dlpack(out)


def _address(out):
    kept = (ctypes.c_double * 4).from_address(out.__array_interface__["data"][0])
    kept.keeps = out
    return kept


KEPT = {
    "itself": lambda out: out,
    "slice": lambda out: out[1:],
    "reshape": lambda out: out.reshape(-1),
    "recarray": lambda out: out.view(np.recarray),
    "memoryview": memoryview,
    "asarray": lambda out: np.asarray(out)[::2],
    "base": lambda out: out.base,
    "dlpack": _dlpack,
    "address": _address,
    "ctypes": lambda out: (ctypes.c_double * 4).from_buffer(out),
    "references": lambda out: [out, out],
}


def _thread(out):
    kept = []
    thread = threading.Thread(target=lambda: kept.append(out[1:]))
    thread.start()
    thread.join(60)
    return kept[0]


def _traceback(out):
    try:
        raise KeyError(out)
    except KeyError as error:
        return error.args[0]


#: What else code may make of a loan's memory.
TRICKS = dict(KEPT, **{
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda out: pickle.loads(pickle.dumps(out)),
    "add": lambda out: np.add(out, 0, out=out),
    "rebinding": lambda out: [out.reshape(-1)[::-1]][0],
    "thread": _thread,
    "traceback": _traceback,
})


def _overwrite(kept):
    """Writes to an array that was kept, if it is writable."""
    if isinstance(kept, list):
        kept = kept[0]
    if isinstance(kept, ctypes.Array):
        kept[0] = 99.0
        return
    if sys.version_info[0] == 2 and isinstance(kept, memoryview):
        return  # NumPy 1.16 gives bytes there
    array = np.asarray(kept)
    try:
        array[...] = 99
    except ValueError:
        pass


@pytest.mark.parametrize("length", [4, 100000])
@pytest.mark.parametrize("how", sorted(TRICKS))
def test_what_was_put_never_changes_whatever_is_kept_of_a_loan(name, how, length):
    put, get = ends(name)
    looking = io_shared.observe(name)
    kept = []
    for i in range(4):
        with put.loan(length) as out:
            out[...] = i
            kept.append(TRICKS[how](out))
            del out
        view = get.borrow()
        for it in kept:
            _overwrite(it)
        gc.collect()
        assert (view == i).all() and (looking.copy() == i).all()
        put.put(np.full(length, -1.0))
        for it in kept:
            _overwrite(it)
        assert (get.get() == -1).all()


def test_what_was_put_never_changes_whatever_a_forked_child_writes(name):
    put, get = ends(name)
    with put.loan(1000) as out:
        out[...] = 7
        kept = memoryview(out) if sys.version_info[0] > 2 else out
        child = os.fork()
        if child == 0:  # pragma: no cover
            try:
                np.asarray(kept)[...] = 99
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    assert (get.get() == 7).all()


@references_are_counted
@pytest.mark.parametrize("how", sorted(set(KEPT) - {"itself", "address", "ctypes"}))
def test_what_is_found_to_be_kept_of_a_loan_in_place_raises_and_blocks_nothing(name, how):
    put, get = ends(name)
    put.put([1])
    with pytest.raises(io_shared.AlreadyLoaned) as error:
        with put.loan(4, in_place=True) as out:
            out[...] = 7
            kept = KEPT[how](out)
    assert "in_place" in str(error.value)
    assert get.get().tolist() == [1]
    for i in range(6):
        put.put(np.full(4, i))
        _overwrite(kept)
        assert get.get().tolist() == [i] * 4
        with put.loan(4, in_place=True) as out:
            out[...] = -i
        _overwrite(kept)
        assert get.get().tolist() == [-i] * 4
