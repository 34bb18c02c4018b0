"""A camera's images, awaited by asyncio next to a timer. Python 3.7 and later.

The camera is a thread of this program; in another process it would look the same.
"""

import asyncio
import os
import threading
import time

import numpy as np

import io_shared
from io_shared import NumpyShare

NAME = "/camera_asyncio-%d" % os.getpid()
FRAMES = 20


def camera():
    with NumpyShare(NAME, mode="put") as images:
        for frame in range(1, FRAMES + 1):
            images.put(np.full((480, 640), frame, "u1"))
            time.sleep(0.02)


async def show(images):
    frame = 0
    while frame < FRAMES:
        image = await asyncio.wait_for(images.get_async(), timeout=10)
        frame = image[0, 0]
    print("the last image is number %d, of %s" % (frame, image.shape))


async def tick():
    for _ in range(3):
        print("the loop goes on")  # while show() waits
        await asyncio.sleep(0.1)


async def main():
    with NumpyShare(NAME, "1M", "get") as images:
        threading.Thread(target=camera).start()
        await asyncio.gather(show(images), tick())
    io_shared.remove(NAME)


asyncio.run(main())
