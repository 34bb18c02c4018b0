"""In the role of a ROS node in Python 2.7: puts clouds, and gets a label for each point.

    python2.7 ros_node.py [--frames 100] [--rate 10] [--input FOLDER]

Run segmentator.py in Python 3 next to it. Either may start first, be killed and come back. The
viewer of the Rust example perception_pipeline can join in at any time, and at Ctrl-C draws what it
showed last:

    cargo run --release --example perception_pipeline -- viewer --png picture.png
"""

from __future__ import print_function

import argparse
import sys
import time

import numpy as np

import clouds
import io_shared


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=clouds.count, default=100)
    parser.add_argument("--rate", type=clouds.rate, default=10, help="clouds a second; 0: no pause")
    parser.add_argument("--input", type=clouds.folder, help="a folder of KITTI scans (*.bin)")
    parser.add_argument("--prefix", default="perception_pipeline", help="of the channels' names")
    options = parser.parse_args()

    answered = 0
    try:
        for found in play(options):
            answered += found
    except KeyboardInterrupt:
        pass
    print("%d of %d clouds answered by Python %d" % (answered, options.frames, sys.version_info[0]))


def play(options):
    """Puts each cloud, and says what its labels are; yields whether they came."""
    out = clouds.clouds(io_shared.producer, options.prefix)
    back = clouds.labels(io_shared.consumer, options.prefix, consumer_name="node")
    played = clouds.scans(options.input)
    for frame in range(options.frames):
        scan = next(played)
        started = time.time()
        with out.loan(len(scan)) as cloud:
            cloud.frame, cloud.stamp_ns = frame, int(started * 1e9)
            cloud.points = scan
        try:
            labels = answer(back, out.seq, 10)
        except io_shared.Timeout as error:
            print("frame %d: %s" % (frame, error), file=sys.stderr)
            yield False
            continue
        print(
            "frame %d: %d points, %d of them on %d things, %.1f ms"
            % (frame, len(labels), np.count_nonzero(labels > 1),
               len(np.unique(labels[labels > 1])), (time.time() - started) * 1e3)
        )
        yield True
        if options.rate:
            time.sleep(max(0, started + 1 / options.rate - time.time()))


def answer(back, cloud_seq, timeout):
    """The labels of that cloud. After a restart, labels of earlier clouds may come first."""
    end = time.time() + timeout
    while True:
        labels = back.get(timeout=max(0, end - time.time()))
        if back.tag == cloud_seq:
            return labels.labels


if __name__ == "__main__":
    main()
