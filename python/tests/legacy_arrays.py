"""Arrays that show whether they are whole, for both sides of the tests with the original."""

import numpy as np


def array(number):
    """All of its elements are its number, and its length follows from that."""
    return np.full(1 + number * 7919 % 100000, number, np.uint32)


def check(found):
    """The number of :func:`array`; fails if it is torn."""
    number = int(found[0])
    if found.dtype != np.uint32 or not np.array_equal(found, array(number)):
        raise AssertionError("a torn array of %d elements, %r" % (len(found), np.unique(found)))
    return number
