"""The two ways of a bridge to ROS: a channel that goes to a topic, and a topic that goes to a
channel.

Each converts and counts on its own. Errors of one value, of a channel or of a topic are told once,
and never end the bridge: it goes on with the next value, and opens again what was replaced.
"""

import collections
import re
import sys
import threading
import time

import io_shared
from io_shared import _library, _ros
from io_shared._wait import monotonic

#: Of how many values the median time is said.
_TIMES = 1000
#: How many frames are kept before the newest, for what comes later than its cloud: labels.
_FRAMES = 14
#: How many seconds apart a way tries again to take a role that others have, and looks whether a
#: channel that it cannot pass values on to has another type now.
_AGAIN = 0.5


class Refused(Exception):
    """ROS or the bridge does not take what it is given. The text says why, and what to do."""


def say(text):
    """Prints a line, whole, whichever thread prints another one."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text):
    """Prints a line of what does not work."""
    sys.stderr.write("%s\n" % text)
    sys.stderr.flush()


def topic_of(channel):
    """The name of a channel as a topic: with `_` for each character that ROS refuses."""
    name = _library.native(channel)
    name = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    parts = [re.sub(r"[^A-Za-z0-9]", "_", part) for part in name.split("/") if part]
    return str("/" + "/".join("_" + part if part[0].isdigit() else part for part in parts))


def all_channels():
    """The names of the channels on this machine."""
    found = [each["name"] for each in io_shared.channels() if each["kind"] == "channel"]
    # What frames clouds are in is part of the clouds.
    return [_library.native(name) for name in found if not name.endswith(".frame")]


class _Way(object):
    """What both ways have in common: what they tell and count."""

    def __init__(self, channel, topic):
        self.channel, self.topic = _library.native(channel), _library.native(topic)
        #: How many values were passed on, were put and not seen in time, and could not be
        #: converted.
        self.passed = self.missed = self.refused = 0
        #: How many seconds the last ones took to convert and to hand over.
        self._seconds = collections.deque(maxlen=_TIMES)
        self._told = None

    #: How many values are known not to have come to the bridge.
    lost = 0

    def tell(self, error):
        """Says what does not work, once."""
        text = "%s: %s" % (self, error)
        if text != self._told:
            self._told = text
            warn(text)

    def refuse(self, error):
        """Counts a value that is not passed on, and says why."""
        self.refused += 1
        self.tell(error)

    def begin(self, type_):
        """Says that values of a type are passed on now."""
        self._told = None
        say("%s: %s" % (self, type_))

    def summary(self):
        """What was passed on, and what was not."""
        lost = [(self.missed, "came too fast"), (self.refused, "refused"),
                (self.lost, "lost before they came here")]
        lost = ["%d %s" % each for each in lost if each[0]] or ["none lost"]
        text = "%s: %d passed on, %s" % (self, self.passed, ", ".join(lost))
        if self._seconds:
            text += ", %.2f ms each" % (sorted(self._seconds)[len(self._seconds) // 2] * 1e3)
        return text

    def note(self, began):
        """Counts a value that was passed on, and the seconds since ``began``."""
        self.passed += 1
        self._seconds.append(monotonic() - began)


class Outgoing(_Way):
    """A channel that goes to a topic. For one thread, but for ``interrupt``."""

    def __init__(self, ros, entry, topic):
        super(Outgoing, self).__init__(entry.channel, topic)
        self._ros, self._frame = ros, entry.frame
        #: None while the channel is not open.
        self.consumer = None
        self._kind, self._type = entry.kind, (None, None)
        if entry.kind and "/" in entry.kind:
            self._kind, self._type = None, ros.definition(entry.kind)
        self._converter = None
        self._publisher, self._published = None, None
        #: The frames of this channel; and of the one whose values have the numbers that this one's
        #: have as tags, by their names: /clouds of /clouds.labels.
        self._frames, self._source = _ros.FrameConsumer(self.channel), None
        source, dot, _ = self.channel.rpartition(".")
        if dot and source.strip("/"):
            self._source = _ros.FrameConsumer(source)

    def __str__(self):
        return "channel %s -> topic %s" % (self.channel, self.topic)

    def open(self):
        """Opens the channel if it is there, and passes on its latest value."""
        try:
            self.consumer = _ros.Consumer(self.channel, self._convert, open_timeout=0)
            self._converter = _ros.ToRos(
                self.consumer.schema, self._ros.GENERATION, self._kind, *self._type
            )
        except io_shared.NotFound:
            self.tell("there is no such channel yet: waiting for it")
        except io_shared.Error as error:
            self.tell(error)
            self._close_consumer()
        else:
            self._published = None
            # Also one that a bridge before this one had: topics keep their last message.
            self._pass_on(self.consumer.latest)

    def pass_on(self):
        """Passes on the newest value, if there is one that was not yet."""
        if self._pass_on(self.consumer.try_get):
            self.missed += self.consumer.missed

    def _pass_on(self, get):
        """Whether there was a value."""
        began = monotonic()
        try:
            raw = get()
            if raw is None:
                return False
            self._publish(raw)
            self.note(began)
        except (Refused, io_shared.BadValue, io_shared.Corrupt) as error:
            self.refuse(error)
        except io_shared.Error as error:
            # It was replaced by one of another type, or is not ours to read any more.
            self.tell(error)
            self._close_consumer()
            return False
        return True

    def _convert(self, consumer, address, length):
        frame, stamp = self._header(consumer)
        now = self._ros.now()
        try:
            return self._converter.convert(
                address, length, stamp if now is None else now, frame, force_stamp=now is not None
            )
        except io_shared.Error as error:
            raise Refused(str(error))

    def _header(self, consumer):
        """The frame and the time of a value, as far as it does not say them itself."""
        frame, stamp = self._frames.of(consumer.seq)
        if frame is None and self._source is not None and consumer.tag:
            frame, stamp = self._source.of(consumer.tag)
        frame = self._frame or frame or self._converter.frame_id or self.channel.lstrip("/")
        return frame, stamp or _since_1970(consumer.stamp)

    def _publish(self, raw):
        converter = self._converter
        if converter.version != self._published:
            self._published = converter.version
            self._close_publisher()
            try:
                self._publisher = self._ros.publisher(
                    self.topic, converter.type, converter.definition, converter.md5sum
                )
            except Refused as error:
                self._why = str(error)
            else:
                self.begin(converter.type)
        if self._publisher is None:
            raise Refused(self._why)
        self._publisher.publish(raw)

    def interrupt(self):
        """Ends a wait for this channel. For any thread."""
        consumer = self.consumer
        if consumer is not None:
            consumer.interrupt()

    def close(self):
        self._close_consumer()
        self._close_publisher()
        for frames in (self._frames, self._source):
            if frames is not None:
                frames.close()

    def _close_consumer(self):
        consumer, self.consumer = self.consumer, None
        if consumer is not None:
            consumer.close()

    def _close_publisher(self):
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.close()


class Incoming(_Way):
    """A topic that goes to a channel. For any thread."""

    def __init__(self, generation, topic, channel, cdr):
        super(Incoming, self).__init__(channel, topic)
        self._generation, self._cdr = generation, cdr
        self._lock, self._closed = threading.Lock(), False
        #: The type of the channel that the converter is for; None if there was no channel.
        self._type, self._converter, self._known = None, None, None
        #: Whether the last message was refused, and when to look at the channel's type again.
        self._is_doubted, self._next_look = False, 0
        #: The channel, the frames of its clouds, and the version of the converter that it is for.
        self._producer = self._frames = self._opened = None
        self._next_try = 0
        self.subscription = None

    @property
    def lost(self):
        return self.subscription.lost if self.subscription is not None else 0

    def __str__(self):
        return "topic %s -> channel %s" % (self.topic, self.channel)

    def received(self, raw, type_, definition):
        """Passes on a message."""
        with self._lock:
            if self._closed:
                return
            began = monotonic()
            try:
                self._put(raw, type_, definition)
                self.note(began)
                self._is_doubted = False
            except (Refused, io_shared.Error) as error:
                self._is_doubted = True
                self.refuse(error)

    def _put(self, raw, type_, definition):
        if self._type != (type_, definition) or self._has_changed():
            self._begin(type_, definition)
        if self._converter is None:
            raise Refused(self._why)
        message = self._converter.convert(raw)
        if self._producer is None or self._converter.version != self._opened:
            self._open()
        if self._frames is not None and message.frame_id is not None:
            self._frames.put(message.frame_id, message.stamp_ns, self._producer.seq + 1)
        try:
            self._producer.put(message)
        except (io_shared.RoleLost, io_shared.Replaced, io_shared.Mismatch, io_shared.Closed):
            self._close_producer()
            raise
        if message.is_cut:
            self.tell("its texts are cut: the channel has less room for them")

    def _has_changed(self):
        """Whether messages were refused, and may not be now: the channel has another type than the
        converter was made for, or than it makes."""
        if not self._is_doubted or monotonic() < self._next_look:
            return False
        self._next_look = monotonic() + _AGAIN
        if self._converter is None:
            return True
        try:
            known = _ros.schema_of(self.channel)
        except io_shared.Error:
            return False
        # It makes nothing before the first message that it takes.
        return known not in (self._known, self._converter.schema or self._known)

    def _begin(self, type_, definition):
        """Converts messages of another type, or for another one of the channel, from now on."""
        self._close_producer()
        self._type, self._converter, self._next_try = (type_, definition), None, 0
        self._next_look = monotonic() + _AGAIN
        try:
            self._known = _ros.schema_of(self.channel)
            self._converter = _ros.FromRos(
                type_, definition, self._generation, self._known, self._cdr
            )
        except io_shared.Error as error:
            self._why = str(error)

    def _open(self):
        """Opens the channel for what the converter makes now."""
        self._close_producer()
        if monotonic() < self._next_try:
            raise Refused(self._why)
        try:
            self._producer = _ros.Producer(self.channel, self._converter)
            if self._converter.has_frame:
                self._frames = _ros.FrameProducer(self.channel, history=_FRAMES)
        except io_shared.Error as error:
            self._next_try, self._why = monotonic() + _AGAIN, str(error)
            self._close_producer()
            raise
        self._opened = self._converter.version
        self.begin(self._type[0])

    def close(self):
        with self._lock:
            self._closed = True
            self._close_producer()

    def _close_producer(self):
        for end in (self._producer, self._frames):
            if end is not None:
                end.close()
        self._producer = self._frames = None


def _since_1970(stamp):
    """The time of a stamp, in nanoseconds since 1970; now if it is not known."""
    now = int(time.time() * 1e9)
    return now - int(monotonic() * 1e9) + stamp if stamp else now
