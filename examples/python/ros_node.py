"""Stands for a ROS node in Python 2.7: puts clouds, and gets a label for each point back.

    python2.7 ros_node.py [--frames 100] [--rate 10] [--input FOLDER]

and segmentator.py in a Python 3. Either may start first, be killed and come back.
"""

from __future__ import print_function

import argparse
import sys
import time

import numpy as np

from clouds import scans
from io_shared import NumpyShare, Timeout


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rate", type=float, default=10, help="clouds a second; 0: no pause")
    parser.add_argument("--input", help="a folder of KITTI scans (*.bin)")
    parser.add_argument("--suffix", default="", help="after the channels' names")
    options = parser.parse_args()

    cloud_share = NumpyShare("/cloud_share" + options.suffix, "5M", "put")
    label_share = NumpyShare("/label_share" + options.suffix, "5M", "get")
    answered = 0
    played = scans(options.input)
    for frame in range(options.frames):
        cloud = next(played)
        started = time.time()
        cloud_share.put(cloud)
        try:
            label = label_share.get(timeout=10 if not answered else 2)
        except Timeout as error:
            print("frame %d: %s" % (frame, error), file=sys.stderr)
            continue
        if len(label) != len(cloud):  # of a cloud before, after a restart
            continue
        answered += 1
        print(
            "frame %d: %d points, %d of them obstacles, %.1f ms"
            % (frame, len(cloud), np.count_nonzero(label), (time.time() - started) * 1e3)
        )
        if options.rate:
            time.sleep(max(0, started + 1 / options.rate - time.time()))
    print("%d of %d clouds answered by Python %d" % (answered, options.frames, sys.version_info[0]))


if __name__ == "__main__":
    main()
