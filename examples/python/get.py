"""Prints the poses that put.py puts, until Ctrl-C."""

from __future__ import print_function

import io_shared

try:
    with io_shared.open("/pose", open_timeout=None) as poses:
        while True:
            pose = poses.get()  # waits for a pose that this program has not seen yet
            text = "%d: x %.2f m, y %.2f m, heading %.1f rad, missed %d"
            print(text % (poses.seq, pose.x, pose.y, pose.heading, poses.missed))
except KeyboardInterrupt:
    pass
