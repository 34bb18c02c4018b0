"""In the role of a neural network in Python 3: gets clouds, and puts a label for each point.

    python3 segmentator.py

It runs until Ctrl-C, or for --frames. It reads each cloud without a copy. The clouds may come from
ros_node.py or from the lidar of the Rust example perception_pipeline.
"""

from __future__ import print_function

import argparse

import numpy as np

import clouds
import io_shared

#: The edge of the cells that a cloud is sorted into, in metres: for the ground, and for things on
#: it.
PATCH, CELL = 2.0, 0.5
#: How far the cells reach, in metres.
REACH = 100.0
#: A thing has at least this many points.
FEWEST = 12


def segment(points, out):
    """Writes 0 for nothing, 1 for the ground, 2 and up for the things on it, the largest first."""
    x, y, z = points["x"], points["y"], points["z"]
    # Without the sensor's own car, and without points that are too far away.
    seen = np.isfinite(z) & (np.hypot(x, y) > 2.5) & (np.maximum(np.abs(x), np.abs(y)) < REACH)
    above = z - ground(x, y, z, seen)
    out[...] = seen & (np.abs(above) < 0.3)
    standing = np.flatnonzero(seen & (above >= 0.3))
    things = connected(cell(x[standing], y[standing], CELL))
    _, thing, count = np.unique(things, return_inverse=True, return_counts=True)
    # Numbers by size; too few points are no thing.
    number = np.empty(len(count), out.dtype)
    number[np.argsort(-count, kind="mergesort")] = np.arange(2, len(count) + 2)
    number[count < FEWEST] = 0
    out[standing] = number[thing]


def cell(x, y, edge):
    """The number of the cell of each point. No cell is at the border."""
    side = int(2 * REACH / edge) + 2
    across, along = ((v + REACH) / edge + 1 for v in (y, x))
    return across.astype(np.intp) * side + along.astype(np.intp), side


def ground(x, y, z, seen):
    """The height of the ground under each point: the lowest point of its patch. Where that is far
    from level (behind a wall, or in a reflecting puddle), the ground is taken to be level."""
    level = np.percentile(z[seen], 20) if seen.any() else 0
    near = seen & (np.abs(z - level) < 0.3 + 0.03 * np.hypot(x, y))
    at, side = cell(np.where(seen, x, 0), np.where(seen, y, 0), PATCH)
    lowest = np.full(side * side, np.inf, np.float32)
    np.minimum.at(lowest, at[near], z[near])
    lowest[np.isinf(lowest)] = level
    return lowest[at]


def connected(cells):
    """For each point, the last cell of its group of touching cells."""
    at, side = cells
    group = np.zeros((side, side), np.intp)
    group.ravel()[at] = at
    filled = group > 0
    while True:
        grown = group.copy()
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                np.maximum(grown, np.roll(group, (down, right), (0, 1)), out=grown)
        # If the last cell of a group is now in a larger group, so is the rest.
        grown = np.where(filled, grown.ravel()[grown], 0)
        if np.array_equal(grown, group):
            return group.ravel()[at]
        group = grown


def answer(get, put):
    """Labels one cloud."""
    cloud = get.borrow()
    with put.loan(len(cloud.points), tag=get.seq) as labels:
        labels.frame = cloud.frame
        segment(cloud.points, labels.labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=clouds.count, default=0, help="0: until Ctrl-C")
    parser.add_argument("--prefix", default="perception_pipeline", help="of the channels' names")
    options = parser.parse_args()

    frames = 0
    try:
        get = clouds.clouds(io_shared.consumer, options.prefix, consumer_name="segmentator")
        put = clouds.labels(io_shared.producer, options.prefix)
        while not options.frames or frames < options.frames:
            answer(get, put)
            frames += 1
    except KeyboardInterrupt:
        pass
    print("%d clouds segmented" % frames)


if __name__ == "__main__":
    main()
