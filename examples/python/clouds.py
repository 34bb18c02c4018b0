"""What the two scripts have in common: the channels, their messages, and clouds to play.

Channels and messages are those of the Rust example perception_pipeline, so that programs of both
can replace each other: see its channels.rs and messages.rs.
"""

import argparse
import glob
import os

import numpy as np

#: The most points of a cloud, enough for any lidar.
MAX_POINTS = 1 << 18
#: One return of the laser, as in KITTI's files: x ahead, y left, z up, in metres from the sensor;
#: intensity from 0 to 1.
POINT = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("intensity", "f4")])
#: The fields before the points: the number of the turn, and nanoseconds since 1970.
CLOUD = np.dtype([("frame", "u8"), ("stamp_ns", "u8")])
#: The field before the labels: the frame of the labelled cloud, whose sequence number is their tag.
#: A label is 0 for nothing, 1 for the ground, and 2 and up for the things on it.
LABELS = np.dtype([("frame", "u8")])


def clouds(end, prefix, **options):
    """The channel of clouds; ``end`` is io_shared.producer or io_shared.consumer."""
    return end(prefix + "_clouds", CLOUD, tail=("points", POINT), message="Cloud", consumers=2,
               capacity=CLOUD.itemsize + MAX_POINTS * POINT.itemsize, **options)


def labels(end, prefix, **options):
    """The channel of labels."""
    return end(prefix + "_labels", LABELS, tail=("labels", "u4"), message="Labels", consumers=2,
               capacity=LABELS.itemsize + MAX_POINTS * 4, **options)


def count(text):
    """An option's number of frames. If it is not one, argparse names the option."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def rate(text):
    """An option's clouds per second, or 0."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(text)
    return number


def folder(text):
    """The files of an option's folder of KITTI scans."""
    files = sorted(glob.glob(os.path.join(text, "*.bin")))
    if not files:
        raise argparse.ArgumentTypeError("%s has no *.bin" % text)
    return files


def scans(files):
    """The KITTI scans in ``files``, repeated for ever; synthetic clouds if there are none."""
    number = 0
    while True:
        yield np.fromfile(files[number % len(files)], POINT) if files else synthetic(number)
        number += 1


def synthetic(number, count=60000):
    """A flat street with eight boxes that drive along it. The first points are the boxes', 500
    each."""
    random = np.random.RandomState(number)
    cloud = np.empty(count, POINT)
    cloud["x"] = random.uniform(-40, 40, count)
    cloud["y"] = random.uniform(-15, 15, count)
    cloud["z"] = -1.7 + 0.02 * random.randn(count)
    cloud["intensity"] = random.rand(count)
    for box in range(8):
        inside = cloud[box * 500 : (box + 1) * 500]
        inside["x"] = (box * 10 + number) % 80 - 40 + random.uniform(-2, 2, 500)
        inside["y"] = (-5, 5)[box % 2] + random.uniform(-1, 1, 500)
        inside["z"] = random.uniform(-1.2, 0.2, 500)
    return cloud
