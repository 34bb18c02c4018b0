"""What was found in an image goes into one message, with the image: boxes, names and pixels.

Both ends are in this program; in two programs they would look the same.
"""

from __future__ import print_function

import os

import numpy as np

import io_shared

name = "/detections-%d" % os.getpid()
box = np.dtype([("corner", "f4", 2), ("size", "f4", 2)])
fields = {"frame": "u8", "boxes": [box], "names": ["S32"], "image": ("u1", (None, None, 3))}

with io_shared.producer(name, fields) as detector, io_shared.open(name) as viewer:
    boxes = np.array([([10, 20], [64, 128]), ([300, 40], [90, 50])], box)
    image = np.full((480, 640, 3), 128, "u1")
    detector.put(frame=7, boxes=boxes, names=["pedestrian", "car"], image=image)

    found = viewer.borrow()  # in place; get() returns a copy
    print("frame %d, an image of %s" % (found.frame, found.image.shape))
    for text, place in zip(found.names, found.boxes):
        print("%s of %s px at %s" % (text.decode(), place["size"], place["corner"]))
    del found, place
io_shared.remove(name)
