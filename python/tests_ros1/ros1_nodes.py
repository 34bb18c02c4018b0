"""ROS 1 nodes for the tests, and the messages that they publish. For Python 2.7 and 3.

    ros1_nodes.py publish TOPIC KIND [--count N] [--rate HZ] [--first N] [--latch] [--settle S]
    ros1_nodes.py expect TOPIC KIND [--count N] [--first N]
    ros1_nodes.py digests TOPIC [--count N]
    ros1_nodes.py fields TOPIC [--count N]
    ros1_nodes.py damaged TOPIC KIND [--count N] [--untold]
    ros1_nodes.py clock SECONDS

``publish`` and ``expect`` know message number N of each kind: one publishes it, the other says
whether what comes is that message in every field. ``digests`` prints a hash of the bytes of each
message, as ``publish`` does of its own; ``fields`` what rospy reads by the definition that the
publisher sends, for types of which there is no package. ``damaged`` publishes messages that are
cut off, and in the end a whole one; ``--untold`` without the definition of their type.
"""

from __future__ import print_function

import argparse
import hashlib
import io
import itertools
import json
import sys
import threading
import time

import genpy.dynamic
import numpy as np
import rosgraph_msgs.msg
import rospy
import sensor_msgs.msg
import std_msgs.msg
import visualization_msgs.msg

#: 2 MB.
POINTS = 131072
POINT = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("intensity", "f4")])
SECONDS, NANOSECONDS = 1600000000, 123456789
#: The most seconds that a node waits for a subscriber, a publisher or a message.
PATIENCE = 60


def points(number, count=POINTS):
    """The points of cloud ``number``."""
    made = np.zeros(count, POINT)
    made["x"] = np.arange(count) % 1000
    made["y"], made["z"], made["intensity"] = number, -1.75, 0.5
    return made


def pixels(number):
    """The pixels of image ``number``."""
    return (np.arange(480 * 640 * 3) + number).astype("u1").reshape(480, 640, 3)


def header(number, frame):
    """The header of message ``number``."""
    return std_msgs.msg.Header(0, rospy.Time(SECONDS + number, NANOSECONDS), frame)


def cloud(number, count=POINTS):
    """A PointCloud2."""
    field = sensor_msgs.msg.PointField
    return sensor_msgs.msg.PointCloud2(
        header=header(number, "lidar"), height=1, width=count, is_bigendian=False,
        fields=[field(name, 4 * at, field.FLOAT32, 1) for at, name in enumerate(POINT.names)],
        point_step=16, row_step=16 * count, data=points(number, count).tobytes(), is_dense=False,
    )


def large(number):
    """A PointCloud2 of 5 MB."""
    return cloud(number, 327680)


def image(number):
    """An Image."""
    return sensor_msgs.msg.Image(
        header=header(number, "camera"), height=480, width=640, encoding="bgr8", is_bigendian=0,
        step=1920, data=pixels(number).tobytes(),
    )


def imu(number):
    """An Imu, in which every field has a value of its own."""
    made = sensor_msgs.msg.Imu(header=header(number, "imu_link"))
    turn, speed, push = made.orientation, made.angular_velocity, made.linear_acceleration
    turn.x, turn.y, turn.z, turn.w = 0.125, 0.25, 0.5, number
    speed.x, speed.y, speed.z = 1.5, 2.5, 3.5
    push.x, push.y, push.z = -0.25, -0.5, 9.75
    # As rospy has them after deserialisation.
    made.orientation_covariance = tuple(0.5 * at for at in range(9))
    made.angular_velocity_covariance = tuple(10 + at for at in range(9))
    made.linear_acceleration_covariance = tuple(20 + at for at in range(9))
    return made


def string(number):
    """A String, with letters of two bytes."""
    return std_msgs.msg.String("na\xc3\xafve %d" % number if sys.version_info[0] == 2
                               else u"na\xefve %d" % number)


def markers(number):
    """A MarkerArray: sequences within the elements of a sequence."""
    made = visualization_msgs.msg.MarkerArray()
    for at in range(number % 3 + 1):
        marker = visualization_msgs.msg.Marker(header=header(number, "map"), ns="box", id=at)
        marker.pose.orientation.w, marker.scale.x, marker.text = 1, 0.5 + at, "box %d" % at
        marker.points = [type(marker.pose.position)(at, number, 2.5) for _ in range(at + 2)]
        marker.lifetime = rospy.Duration(1, 5)
        made.markers.append(marker)
    return made


KINDS = {made.__name__: made for made in (cloud, large, image, imu, string, markers)}


def say(*words):
    """A line, at once."""
    print(*words)
    sys.stdout.flush()


def digest(raw):
    """A name for bytes."""
    return hashlib.sha1(raw).hexdigest()


def publish(options):
    """Publishes messages; prints the digest of each that is not large."""
    made = KINDS[options.kind]
    publisher = rospy.Publisher(options.topic, type(made(0)), queue_size=10, latch=options.latch)
    end = time.time() + PATIENCE
    while not options.latch and not publisher.get_num_connections():
        if time.time() > end:
            sys.exit("nobody subscribes to %s" % options.topic)
        time.sleep(0.02)
    say("connected")
    due = time.time()
    for number in range(options.first, options.first + options.count):
        message, raw = made(number), io.BytesIO()
        publisher.publish(message)
        if made is not large:  # which would take the time that the bridges need
            message.serialize(raw)  # with the number that rospy has given it
        say("published", number, digest(raw.getvalue()))
        if number % 10 == 0:
            rospy.loginfo("%d is published", number)
        if number == options.first:
            time.sleep(options.settle)
            due = time.time()
        due += 1 / options.rate
        time.sleep(max(0, due - time.time()))
    say("done")
    # What waits is sent meanwhile, and a latched message stays.
    time.sleep(PATIENCE if options.latch else 1)


def damaged(options):
    """Publishes messages of which the end, or the half, is missing; the last one is whole."""
    message, raw = KINDS[options.kind](options.count), io.BytesIO()
    message.serialize(raw)
    whole = raw.getvalue()
    kind = type("Damaged", (rospy.AnyMsg,), {
        "_type": message._type, "_md5sum": message._md5sum,
        "_full_text": "" if options.untold else message._full_text,
    })
    publisher = rospy.Publisher(options.topic, kind, queue_size=10)
    while not publisher.get_num_connections():
        time.sleep(0.02)
    for number in range(1, options.count + 1):
        sent = kind()
        sent._buff = whole[: len(whole) * number // options.count]
        publisher.publish(sent)
        say("published", number)
    time.sleep(1)


class Receiver(object):
    """Subscribes, and hands messages to ``look`` until ``count`` have come."""

    def __init__(self, options, kind, look):
        self._left, self._look, self._over = options.count, look, threading.Event()
        rospy.Subscriber(options.topic, kind, self._on, queue_size=None, buff_size=1 << 24)
        say("subscribed")
        if not self._over.wait(PATIENCE):
            sys.exit("%d messages on %s are missing" % (self._left, options.topic))

    def _on(self, message):
        if self._left:
            self._look(message)
            self._left -= 1
        if not self._left:
            self._over.set()


def expect(options):
    """Says of each message whether it is what ``publish`` would have sent, in every field. One
    with a header says itself which it is."""
    made, numbers = KINDS[options.kind], itertools.count(options.first)

    def look(message):
        number = next(numbers)
        if hasattr(message, "header"):
            number = message.header.stamp.secs - SECONDS
        wanted = made(number)
        if hasattr(wanted, "header"):
            wanted.header.seq = message.header.seq
        unlike = [name for name in wanted.__slots__
                  if getattr(wanted, name) != getattr(message, name)]
        say("received", number, "equal" if not unlike else "with other %s" % ", ".join(unlike))

    Receiver(options, type(made(0)), look)


def digests(options):
    """Prints the digest of the bytes of each message, and its type."""
    Receiver(options, rospy.AnyMsg, lambda message: say(
        "digest", digest(message._buff), message._connection_header["type"]
    ))


def fields(options):
    """Prints what rospy reads of each message by the definition that comes with it."""
    made = {}

    def look(message):
        name, text = (message._connection_header[key] for key in ("type", "message_definition"))
        if name not in made:
            made[name] = genpy.dynamic.generate_dynamic(name, text)[name]
            assert made[name]._md5sum == message._connection_header["md5sum"]
        say("fields", json.dumps([name, plain(made[name]().deserialize(message._buff))]))

    Receiver(options, rospy.AnyMsg, look)


def plain(value):
    """A message as JSON has it."""
    if hasattr(value, "__slots__") and not isinstance(value, genpy.TVal):
        return {name: plain(getattr(value, name)) for name in value.__slots__}
    if isinstance(value, genpy.TVal):
        return [value.secs, value.nsecs]
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.decode("latin-1") if isinstance(value, bytes) else value


def clock(options):
    """The clock of a simulation, which stands still."""
    publisher = rospy.Publisher("/clock", rosgraph_msgs.msg.Clock, queue_size=1, latch=True)
    publisher.publish(rosgraph_msgs.msg.Clock(rospy.Time.from_sec(options.seconds)))
    say("ticking")
    time.sleep(PATIENCE)


def main():
    """The node that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    roles = parser.add_subparsers(dest="role")
    for role in (publish, expect, digests, fields, damaged):
        its = roles.add_parser(role.__name__)
        its.add_argument("topic")
        if role in (publish, expect, damaged):
            its.add_argument("kind", choices=sorted(KINDS))
        its.add_argument("--count", type=int, default=1)
        its.add_argument("--first", type=int, default=1)
        its.add_argument("--rate", type=float, default=10.0)
        its.add_argument("--latch", action="store_true")
        its.add_argument("--untold", action="store_true")
        its.add_argument("--settle", type=float, default=0, help="seconds after the first")
        its.set_defaults(run=role)
    its = roles.add_parser("clock")
    its.add_argument("seconds", type=float)
    its.set_defaults(run=clock)
    options = parser.parse_args(rospy.myargv(sys.argv)[1:])
    rospy.init_node("test_" + options.role, anonymous=True)
    options.run(options)


if __name__ == "__main__":
    main()
