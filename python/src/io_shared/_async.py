"""Gets that are awaited in an asyncio loop. For Python 3; nothing else imports this file."""

import asyncio
import os

from io_shared import _library, errors


async def get(consumer):
    """A copy of a value that was not seen yet, awaited."""
    while True:
        value = consumer.try_get()
        if value is not None:
            return value
        if consumer._watch is not None and not consumer._watch.is_over():
            raise errors.Busy(
                "%s: another task waits for this handle: open one for each task" % consumer.name
            )
        watch = consumer._watch = _Watch(consumer.fileno())
        try:
            # Again: another thread may have closed the handle before it could find this watch.
            value = consumer.try_get()
            if value is not None:
                return value
            await watch.future
        finally:
            watch.end()
            if consumer._watch is watch:
                consumer._watch = None


async def get_within(consumer, timeout):
    """As ``get``, for ``timeout`` seconds."""
    seconds = _library.nanoseconds(timeout) * 1e-9
    # With 0 seconds, wait_for ends a task before it begins.
    value = consumer.try_get()
    if value is not None:
        return value
    try:
        return await asyncio.wait_for(get(consumer), seconds)
    except asyncio.TimeoutError:
        raise errors.alone(errors.Timeout(
            "%s: no new value came within %s s" % (consumer.name, timeout)
        ))


class _Watch(object):
    """Waits in the running loop until a descriptor is readable."""

    def __init__(self, descriptor):
        self._loop, self._process = asyncio.get_running_loop(), os.getpid()
        self.future = self._loop.create_future()
        # A copy: a loop has one reader for each descriptor, and ``fileno()`` is for the user's.
        self._descriptor = os.dup(descriptor)
        try:
            self._loop.add_reader(self._descriptor, self._set)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _set(self):
        if not self.future.done():
            self.future.set_result(None)

    def is_over(self):
        """Whether its task can never go on: its loop was closed, or is a parent process's."""
        return self._loop.is_closed() or self._process != os.getpid()

    def wake(self):
        """Ends the wait of its task. Any thread may call it."""
        try:
            if not self.is_over():
                self._loop.call_soon_threadsafe(self._set)
        except RuntimeError:
            pass  # another thread has closed the loop meanwhile

    def end(self):
        """Forgets the descriptor, in the thread of its loop."""
        # A forked child shares what the parent's loop sleeps in, and would take the reader out.
        if not self.is_over():
            self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
