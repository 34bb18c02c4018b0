"""Puts a robot's pose ten times a second, until Ctrl-C.

Run `python3 put.py` in one terminal and `python3 get.py` in another, in any order, also with
python2.7. The examples `put` and `get` in Rust and C use the same channel.
"""

import math
import time

import numpy as np

import io_shared

pose = np.dtype([("x", "f8"), ("y", "f8"), ("heading", "f8")])

with io_shared.producer("/pose", pose) as poses:
    heading = 0.0
    try:
        while True:
            poses.put(x=math.cos(heading), y=math.sin(heading), heading=heading)  # never waits
            heading += 0.1
            time.sleep(0.1)
    except KeyboardInterrupt:
        pass
