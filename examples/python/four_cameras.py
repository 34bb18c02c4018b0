"""Four cameras in one asyncio program. Python 3.7 or later. In five terminals, in any order:

    python3 four_cameras.py camera 0        # and 1, 2, 3
    python3 four_cameras.py viewer

A camera puts an image 50 times a second. The viewer awaits all four at once, and says each second
how many sets of four it has got. One thread of the process waits for all of them, so other tasks
of the loop go on meanwhile. ``--prefix`` names other channels, ``--images`` and ``--sets`` end a
role after that many, and Ctrl-C ends it too.
"""

import argparse
import asyncio
import time

import numpy as np

from io_shared import NumpyShare

CAMERAS, SIZE = 4, "4M"


def camera(options):
    """Puts images, each filled with its number."""
    name = "%s_%d" % (options.prefix, options.number)
    image = np.zeros((480, 640, 3), np.uint8)
    with NumpyShare(name, SIZE, "put") as images:
        due = time.monotonic()
        for number in range(options.images):
            image[:] = number % 256
            images.put(image)
            due += 1 / options.rate
            time.sleep(max(0, due - time.monotonic()))


async def viewer(options):
    """Awaits sets of images, one of each camera."""
    names = ["%s_%d" % (options.prefix, number) for number in range(CAMERAS)]
    cameras = [NumpyShare(name, SIZE, "get") for name in names]
    await asyncio.gather(*(camera.get_async() for camera in cameras))  # until all four run
    said, sets = time.monotonic(), 0
    for number in range(options.sets):
        images = await asyncio.gather(*(camera.get_async() for camera in cameras))
        sets += 1
        seconds = time.monotonic() - said
        if seconds >= 1 or number == options.sets - 1:
            means = " ".join("%3.0f" % image.mean() for image in images)
            ages = " ".join("%4.1f" % (camera.age * 1e3) for camera in cameras)
            print("%.1f sets/s, means %s, ages %s ms" % (sets / seconds, means, ages), flush=True)
            said, sets = time.monotonic(), 0
    for camera in cameras:
        camera.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prefix", default="/camera", help="the channels are PREFIX_0 to PREFIX_3")
    roles = parser.add_subparsers(dest="role", required=True)
    one = roles.add_parser("camera", help="puts images")
    one.add_argument("number", type=int, choices=range(CAMERAS))
    one.add_argument("--rate", type=float, default=50, help="images per second")
    one.add_argument("--images", type=int, default=10 ** 9, help="ends after that many")
    several = roles.add_parser("viewer", help="gets sets of images")
    several.add_argument("--sets", type=int, default=10 ** 9, help="ends after that many")
    options = parser.parse_args()
    try:
        camera(options) if options.role == "camera" else asyncio.run(viewer(options))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
