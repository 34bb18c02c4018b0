"""The other interpreter: it returns what it gets, by copies or in place, or only puts or gets."""

import sys

import numpy as np

import io_shared


def copying(there, back, count):
    with io_shared.NumpyShare(there, "5M", "get") as incoming:
        with io_shared.NumpyShare(back, "5M", "put") as outgoing:
            for _ in range(count):
                outgoing.put(incoming.get(), tag=incoming.tag)


def in_place(there, back, count):
    incoming = io_shared.NumpyShare(there, "5M", "get")
    outgoing = io_shared.NumpyShare(back, "5M", "put")
    for _ in range(count):
        array = incoming.borrow()
        order = "C" if array.flags.c_contiguous else "F"
        loan = outgoing.loan(array.shape, array.dtype, order)
        with loan as out:
            out[...] = array
            loan.tag = incoming.tag
        del array, out


def files(there, back, count):
    copying(io_shared.File(there), io_shared.File(back), count)


def join(there, back, count):
    """Opens ``count`` consumers of arrays of one number, and gets by each in turn until it has a
    value with a tag. The elements of each value are the same, and the numbers grow."""
    consumers = [io_shared.open(there) for _ in range(count)]
    while consumers:
        for consumer in list(consumers):
            before = consumer.seq
            array = consumer.get(timeout=60)
            assert array.min() == array.max() and consumer.seq > before
            if consumer.tag:
                consumers.remove(consumer)


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
