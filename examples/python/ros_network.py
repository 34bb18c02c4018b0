"""In the role of a neural network, in Python 3, for clouds that come from ROS: gets them, and puts
them back with a label for each point.

    python3 ros_network.py

The bridge to ROS brings the topic /points into the channel /points, and publishes the channel
/points.labels as the topic /points_labels. See ros1_node.py, and docs/guide/ros1.md.
"""

from __future__ import print_function

import argparse

import numpy as np

import clouds
import io_shared
from segmentator import segment

#: A point with its label: 0 for nothing, 1 for the ground, 2 and up for the things on it. RViz
#: colours clouds by any of their fields.
LABELLED = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("label", "u4")])


def answer(get, put):
    """Labels one cloud. By the tag, the bridge finds the frame and the time of that cloud."""
    cloud = get.borrow().ravel()
    with put.loan(cloud.shape, LABELLED, tag=get.seq) as labelled:
        for axis in "xyz":
            labelled[axis] = cloud[axis]
        segment(cloud, labelled["label"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clouds", default="/points", help="the channel of the clouds")
    parser.add_argument("--frames", type=clouds.count, default=0, help="0: until Ctrl-C")
    options = parser.parse_args()

    frames = 0
    try:
        get = io_shared.NumpyShare(options.clouds, mode="get", open_timeout=None)
        put = io_shared.NumpyShare(options.clouds + ".labels", mode="put")
        while not options.frames or frames < options.frames:
            answer(get, put)
            frames += 1
    except KeyboardInterrupt:
        pass
    print("%d clouds segmented" % frames)


if __name__ == "__main__":
    main()
