"""An event loop that never blocks, as a window toolkit has one: it watches the cameras of
four_cameras.py, and paints 25 times a second. Python 2.7 or 3.

    python3 event_loop.py --seconds 10

``Loop`` stands for the toolkit's. In Qt, ``loop.watch(share, act)`` is

    notifier = QSocketNotifier(share.fileno(), QSocketNotifier.Read)
    notifier.activated.connect(act)

and ``loop.every(seconds, act)`` is a QTimer. An act must not wait, so it calls ``try_get``.
"""

from __future__ import print_function

import argparse
import select

import numpy as np

from io_shared import NumpyShare
from io_shared._wait import monotonic

CAMERAS, SIZE, EVERY = 4, "4M", 0.04


class Loop(object):
    """Calls acts when a descriptor is readable, and at intervals."""

    def __init__(self):
        self._poll, self._acts, self._timers, self.running = select.poll(), {}, [], True

    def watch(self, readable, act):
        """Calls ``act`` whenever ``readable`` is, which has a ``fileno``."""
        self._poll.register(readable.fileno(), select.POLLIN)
        self._acts[readable.fileno()] = act

    def every(self, seconds, act):
        """Calls ``act`` at this interval, with how late it is."""
        self._timers.append([monotonic() + seconds, seconds, act])

    def run(self):
        while self.running:
            due = min(timer[0] for timer in self._timers)
            for descriptor, _ in self._poll.poll(max(0, (due - monotonic()) * 1000)):
                self._acts[descriptor]()
            now = monotonic()
            for timer in self._timers:
                if now >= timer[0]:
                    timer[2](now - timer[0])
                    timer[0] += timer[1]


class Window(object):
    """Shows the newest image of each camera."""

    def __init__(self, loop, prefix):
        self._cameras = []
        self._images = [None] * CAMERAS
        self.got, self.empty, self.painted, self.latest = [0] * CAMERAS, 0, 0, 0.0
        for number in range(CAMERAS):
            camera = NumpyShare("%s_%d" % (prefix, number), SIZE, "get")
            self._cameras.append(camera)
            loop.watch(camera, lambda number=number: self._receive(number))
        loop.every(EVERY, self._paint)

    def _receive(self, number):
        image = self._cameras[number].try_get()
        if image is None:
            self.empty += 1  # the descriptor may be readable once too often
        else:
            self._images[number], self.got[number] = image, self.got[number] + 1

    def _paint(self, late):
        there = [image for image in self._images if image is not None]
        if there:
            np.concatenate(there, axis=1)[::4, ::4].sum()  # for a picture on the screen
        self.painted, self.latest = self.painted + 1, max(self.latest, late)

    def close(self):
        for camera in self._cameras:
            camera.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prefix", default="/camera", help="the channels are PREFIX_0 to PREFIX_3")
    parser.add_argument("--seconds", type=float, default=10, help="ends after that many")
    options = parser.parse_args()
    loop = Loop()
    window = Window(loop, options.prefix)
    loop.every(options.seconds, lambda late: setattr(loop, "running", False))
    try:
        loop.run()
    except KeyboardInterrupt:
        pass
    print("images %s, painted %d times, at most %.0f ms late, %d gets found nothing" % (
        " ".join(map(str, window.got)), window.painted, window.latest * 1e3, window.empty
    ))
    window.close()


if __name__ == "__main__":
    main()
