"""A bridge between channels and the topics of ROS, for the nodes of ROS 1 and of ROS 2.

One thread waits for any of the channels that go to ROS, converts what comes, and publishes it
(:class:`Outgoing`). The threads of ROS call an :class:`Incoming` with what comes from there. The
main thread waits for signals alone. So no value waits for a slower one of the other direction.

A node gives the bridge an object ``ros``:

- ``GENERATION``: 1 or 2.
- ``topic(name)``: the full name of a topic, as ROS resolves it.
- ``definition(type)``: the full name of a type and its definition.
- ``publisher(topic, type, definition, md5sum)``: has ``publish(bytes)`` and ``close()``.
- ``subscribe(topic, received)``: has ``close()``, and ``lost``: how many messages are known not to
  have come here. It calls ``received(bytes, type, definition)``.
- ``topics()``: the topics that others publish.
- ``now()``: the simulated time in nanoseconds; None without one.
- ``close()``: called last.
- ``fail``: the bridge sets it, for threads that fail in a way that they should not.

Each raises :class:`Refused` if ROS does not take what it is given.
"""

import contextlib
import errno
import os
import select
import signal
import threading
import traceback

import io_shared
from io_shared._bridge_channels import (
    Incoming, Outgoing, Refused, all_channels, say, topic_of, warn
)
from io_shared._wait import monotonic

__all__ = ["Bridge", "Refused", "say", "serve", "warn"]

#: How many seconds apart the bridge looks for channels that it has not opened yet and, with
#: ``--all``, for what is new; and how long it waits for values in between.
_LOOK, _SLICE = 0.25, 0.1
#: How many seconds the end waits for the thread, which may be publishing.
_LAST = 0.1


class Bridge(object):
    """Passes on what the options name, from ``start`` to ``stop``. ``on_failure`` is called by any
    thread that fails in a way that it should not; the program then ends."""

    def __init__(self, ros, options, on_failure):
        self._ros, self._options, self._on_failure = ros, options, on_failure
        self._outgoing, self._incoming = [], []
        self._ends, self._thread = threading.Event(), threading.Thread(target=self._run)
        self._thread.daemon = True
        #: What ``--all`` names, and is not passed on.
        self._refused = set()
        self.has_failed = False
        ros.fail = self._fail

    def start(self):
        """Subscribes, and starts the thread."""
        for entry in self._options.to_ros:
            self._give(entry)
        for entry in self._options.from_ros:
            self._take(entry)
        self._thread.start()

    def stop(self):
        """Ends the thread, closes the channels, and says what was passed on."""
        self._ends.set()
        for way in list(self._outgoing):
            way.interrupt()
        has_begun = self._thread.ident is not None
        if has_begun:
            self._thread.join(_LAST)
        for way in self._incoming:
            if way.subscription is not None:
                way.subscription.close()
        ways = self._outgoing + self._incoming
        for way in ways:
            way.close()
        for way in ways if has_begun else ():
            say(way.summary())
        self._ros.close()

    def _give(self, entry):
        """Passes on a channel from now on."""
        topic = entry.topic or topic_of(entry.channel)
        way = Outgoing(self._ros, entry, self._ros.topic(topic))
        self._refuse_circles(way)
        self._outgoing.append(way)

    def _take(self, entry):
        """Passes on a topic from now on."""
        topic = self._ros.topic(entry.topic)
        way = Incoming(self._ros.GENERATION, topic, entry.channel or topic, entry.cdr)
        self._refuse_circles(way)

        def received(raw, type_, definition):
            with self._failing():
                way.received(raw, type_, definition)

        self._incoming.append(way)
        way.subscription = self._ros.subscribe(topic, received)

    def _refuse_circles(self, way):
        """Refuses what would mix with other values, or come back."""
        for other in self._outgoing + self._incoming:
            same = (other.channel == way.channel, other.topic == way.topic)
            alike = type(other) is type(way)
            if any(same) if alike else all(same):
                raise Refused("%s: it would %s %s" % (way, "mix with" if alike else "go round by",
                                                      other))

    @contextlib.contextmanager
    def _failing(self):
        """Ends the program if the block fails."""
        try:
            yield
        except Exception:
            if not self._ends.is_set():
                self._fail()

    def _fail(self):
        """Ends the program because of the exception that is handled now."""
        traceback.print_exc()
        self.has_failed = True
        self._on_failure()

    def _run(self):
        """Passes on what comes into the channels, until the bridge ends."""
        looked = None
        with self._failing():
            while not self._ends.is_set():
                if looked is None or monotonic() - looked >= _LOOK:
                    self._look()
                    looked = monotonic()
                ways = [way for way in self._outgoing if way.consumer is not None]
                if not ways:
                    self._ends.wait(_SLICE)
                for way in _with_values(ways):
                    way.pass_on()

    def _look(self):
        """Finds what is new, and opens what is there now."""
        ways = self._outgoing + self._incoming
        if self._options.everything == "to_ros":
            known = self._refused.union(way.channel for way in ways)
            for channel in all_channels():
                if channel not in known:
                    self._try(self._give, self._options.outgoing(channel), channel)
        if self._options.everything == "from_ros":
            known = self._refused.union(way.topic for way in ways)
            for topic in self._ros.topics():
                if topic not in known:
                    self._try(self._take, self._options.incoming(topic), topic)
        for way in self._outgoing:
            if way.consumer is None:
                way.open()

    def _try(self, begin, entry, name):
        try:
            begin(entry)
        except Refused as error:
            self._refused.add(name)
            warn(error)


def _with_values(ways):
    """Those of ``ways`` that have something to get, after a wait."""
    if not ways:
        return ways
    try:
        ready = io_shared.wait_any([way.consumer for way in ways], timeout=_SLICE)
    except (io_shared.Timeout, io_shared.Interrupted):
        return []
    except io_shared.Error:
        return ways  # one of them says what is wrong with it
    return [way for way in ways if way.consumer in ready]


def serve(make_ros, options):
    """Runs a bridge until SIGINT or SIGTERM, and returns the program's status."""
    reads, writes = os.pipe()

    def end(*_):
        os.write(writes, b".")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    bridge = Bridge(make_ros(), options, end)
    status = 0
    try:
        bridge.start()
        _wait(reads)
    except Refused as error:
        warn(error)
        status = 2
    # A second one ends it at once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    bridge.stop()
    return 1 if bridge.has_failed else status


def _wait(descriptor):
    """Waits until it can be read from."""
    while True:
        try:
            if select.select([descriptor], [], [])[0]:
                return
        except select.error as error:  # Python 2 ends it at a signal
            if error.args[0] != errno.EINTR:
                raise
