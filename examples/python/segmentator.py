"""Stands for a neural network in Python 3: gets clouds, and puts a label for each point back.

    python3 segmentator.py

until Ctrl-C, or --frames. It reads the cloud where it lies and fills the labels in place.
"""

from __future__ import print_function

import argparse

import numpy as np

from io_shared import NumpyShare


def segment(cloud, out):
    """1 for what stands on the ground, 0 for the ground."""
    np.greater(cloud[:, 2], np.percentile(cloud[:, 2], 20) + 0.3, out=out, casting="unsafe")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=0, help="0: until Ctrl-C")
    parser.add_argument("--suffix", default="", help="after the channels' names")
    options = parser.parse_args()

    cloud_share = NumpyShare("/cloud_share" + options.suffix, "5M", "get")
    label_share = NumpyShare("/label_share" + options.suffix, "5M", "put")
    frames = 0
    try:
        while not options.frames or frames < options.frames:
            cloud = cloud_share.borrow()
            with label_share.loan(len(cloud), np.uint32) as labels:
                segment(cloud, labels)
            frames += 1
    except KeyboardInterrupt:
        pass
    print("%d clouds segmented" % frames)


if __name__ == "__main__":
    main()
