"""Every interpreter reads a committed region in the same way; tests/golden.rs is the same for
Rust."""

import os
import shutil

import numpy as np
import pytest

import io_shared
from golden import ARRAY, GOLDEN, points
from test_arrays import assert_same


@pytest.fixture
def region(new_name):
    def copy(file):
        name = new_name()
        shutil.copyfile(os.path.join(GOLDEN, file), "/dev/shm" + name)
        return name

    return copy


def test_the_golden_array_is_read(region):
    got = io_shared.open(region("array.region"), open_timeout=0)
    array = got.get(timeout=5)
    assert_same(array, ARRAY)
    assert array.flags.f_contiguous
    assert got.seq == 2


def test_the_golden_cloud_is_read(region):
    cloud = io_shared.open(region("cloud.region"), open_timeout=0).borrow(timeout=5)
    assert (cloud.frame, cloud.stamp_ns) == (7, 1 << 40)
    assert np.array_equal(cloud.points, points())
    assert cloud.points.dtype.names == ("x", "y", "z", "intensity")


def test_the_golden_detections_are_read(region):
    name = region("detections.region")
    for take in (lambda: io_shared.observe(name, open_timeout=0).copy(),
                 lambda: io_shared.open(name, open_timeout=0).borrow(timeout=5)):
        found = take()
        assert (found.frame, found.stamp_ns, found.source.name) == (7, 1 << 40, "Rear")
        assert (found.source, found.valid) == (7, True)
        assert found.boxes.tolist() == [[0.5, 1.5, 2.5, 3.5], [-10, -9, -8, -7]]
        assert found.names.tolist() == [b"car", b"tram"]
        assert found.image.tolist() == np.arange(18).reshape(2, 3, 3).tolist()
        assert list(found) == [
            "frame", "stamp_ns", "source", "valid", "boxes", "names", "image"
        ]
