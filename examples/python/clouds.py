"""What the two scripts have in common: clouds to play, and what a message is."""

import glob
import os

import numpy as np

#: One cloud: n points of x, y, z in metres and intensity from 0 to 1, as KITTI has them on disk.
POINTS = 4


def scans(folder):
    """The KITTI scans (*.bin) in ``folder``, again and again; without one synthetic clouds."""
    files = sorted(glob.glob(os.path.join(folder, "*.bin"))) if folder else []
    if folder and not files:
        raise SystemExit("%s has no *.bin" % folder)
    number = 0
    while True:
        if files:
            scan = np.fromfile(files[number % len(files)], np.float32)
            yield scan.reshape(-1, POINTS)
        else:
            yield synthetic(number)
        number += 1


def synthetic(number, count=60000):
    """A flat street with boxes that drive along it."""
    random = np.random.RandomState(number)
    cloud = np.empty((count, POINTS), np.float32)
    cloud[:, 0] = random.uniform(-40, 40, count)
    cloud[:, 1] = random.uniform(-15, 15, count)
    cloud[:, 2] = -1.7 + 0.02 * random.randn(count)
    cloud[:, 3] = random.rand(count)
    for box in range(8):
        inside = slice(box * 500, (box + 1) * 500)
        cloud[inside, 0] = (box * 10 + number) % 80 - 40 + random.uniform(-2, 2, 500)
        cloud[inside, 1] = (-5, 5)[box % 2] + random.uniform(-1, 1, 500)
        cloud[inside, 2] = random.uniform(-1.5, 0.2, 500)
    return cloud
