"""Gets that are awaited in an asyncio loop. For Python 3; nothing else imports this file."""

import asyncio
import os

from io_shared import errors


async def get(consumer):
    """A copy of a value that was not seen yet, awaited."""
    while True:
        value = consumer.try_get()
        if value is not None:
            return value
        if consumer._watch is not None:
            raise errors.Busy(
                "%s: another task waits for this handle: open one for each task" % consumer.name
            )
        watch = consumer._watch = _Watch(consumer.fileno())
        try:
            await watch.future
        finally:
            watch.end()
            consumer._watch = None


class _Watch(object):
    """Waits in the running loop until a descriptor is readable."""

    def __init__(self, descriptor):
        loop = asyncio.get_running_loop()
        # A copy: a loop has one reader for each descriptor, and ``fileno()`` is for the user's.
        self._loop, self._descriptor, self.future = loop, os.dup(descriptor), loop.create_future()
        loop.add_reader(self._descriptor, self._wake)

    def _wake(self):
        if not self.future.done():
            self.future.set_result(None)

    def end(self):
        """Ends the wait, before the descriptor is closed at the latest."""
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
        self._wake()
