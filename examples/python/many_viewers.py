"""Viewers join a channel while arrays flow, and leave again. The producer needs no option for it.

The viewers are threads of this program; in other processes they would look the same.
"""

from __future__ import print_function

import os
import threading
import time

import numpy as np

import io_shared
from io_shared import NumpyShare

NAME = "/many_viewers-%d" % os.getpid()
LAST = 200
saw = {}


def watch(number):
    time.sleep(0.05 * number)
    with NumpyShare(NAME, mode="get") as frames:
        frame = first = frames.get(timeout=10)[0]
        got, missed = 1, 0
        while frame < LAST:
            frame = frames.get(timeout=10)[0]
            got, missed = got + 1, missed + frames.missed
    saw[number] = (first, got, missed)


with NumpyShare(NAME, mode="put") as frames:
    frames.put(np.array([0]))
    viewers = [threading.Thread(target=watch, args=(number,)) for number in range(5)]
    for viewer in viewers:
        viewer.start()
    for frame in range(1, LAST + 1):
        frames.put(np.array([frame]))
        time.sleep(0.002)
    for viewer in viewers:
        viewer.join()
for number in sorted(saw):
    print("viewer %d: from frame %d on, got %d, missed %d" % ((number,) + saw[number]))
io_shared.remove(NAME)
