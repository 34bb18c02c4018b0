"""Writes tests/golden/*.region, which test_golden.py and tests/golden.rs read. Run it by hand when
the layout version changes."""

import os
import shutil

import numpy as np

import io_shared
from conftest import HERE
from test_typed import CLOUD, POINT

GOLDEN = os.path.join(HERE, "..", "..", "tests", "golden")
ARRAY = np.asfortranarray(np.arange(6, dtype="<i2").reshape(2, 3))


def points():
    made = np.zeros(2, POINT)
    for number, field in enumerate(POINT.names):
        made[field] = [number + 0.5, number - 10]
    return made


def main():
    if not os.path.isdir(GOLDEN):
        os.mkdir(GOLDEN)
    name = "/golden-%d" % os.getpid()
    with io_shared.NumpyShare(name, 256, "put") as put:
        put.put(np.zeros(3))
        put.put(ARRAY)
        put.sync()
    shutil.copy("/dev/shm" + name, os.path.join(GOLDEN, "array.region"))
    io_shared.remove(name)
    tail = ("points", POINT)
    with io_shared.producer(name, CLOUD, tail, capacity=64, message="Cloud") as put:
        put.put(frame=7, stamp_ns=1 << 40, points=points())
        put.sync()
    shutil.copy("/dev/shm" + name, os.path.join(GOLDEN, "cloud.region"))
    io_shared.remove(name)


if __name__ == "__main__":
    main()
