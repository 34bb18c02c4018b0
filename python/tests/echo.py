"""The other interpreter: it returns what it gets, by copies or in place, or only puts or gets."""

import sys

import numpy as np

import io_shared


def copying(there, back, count):
    with io_shared.NumpyShare(there, "5M", "get") as incoming:
        with io_shared.NumpyShare(back, "5M", "put") as outgoing:
            for _ in range(count):
                outgoing.put(incoming.get())


def in_place(there, back, count):
    incoming = io_shared.NumpyShare(there, "5M", "get")
    outgoing = io_shared.NumpyShare(back, "5M", "put")
    for _ in range(count):
        array = incoming.borrow()
        order = "C" if array.flags.c_contiguous else "F"
        with outgoing.loan(array.shape, array.dtype, order) as out:
            out[...] = array
        del array, out


def files(there, back, count):
    copying(io_shared.File(there), io_shared.File(back), count)


def putting(there, back, count):
    """Puts arrays filled with one number, for ever: a torn array would show two."""
    outgoing = io_shared.NumpyShare(there, "1M", "put")
    number = outgoing.seq
    while True:
        number += 1
        with outgoing.loan(20000, np.int64) as out:
            out[:] = number


def copying_in(there, back, count):
    """The same, by copies that a waiting consumer reads ahead."""
    outgoing = io_shared.NumpyShare(there, "2M", "put")
    number = outgoing.seq
    while True:
        number += 1
        outgoing.put(np.full(200000, number, np.int64))


def getting(there, back, count):
    """Borrows for ever."""
    incoming = io_shared.NumpyShare(there, "1M", "get")
    while True:
        array = incoming.borrow()
        assert array[0] == array[-1]


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]))
