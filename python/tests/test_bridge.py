"""What the bridges to ROS 1 and ROS 2 have in common, next to a ROS that only notes what it is
told. ci/ros1.sh and ci/ros2.sh test them with real nodes."""

import time

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare, _bridge, _bridge_channels, _bridge_options, _ros
from io_shared._bridge_channels import topic_of


class Ros(object):
    """As ROS 1 or ROS 2 is to the bridge."""

    GENERATION = 2

    def __init__(self):
        self.published, self.subscribed, self.others = [], {}, []
        self.refuses, self.is_closed, self.now_ns = None, False, None
        self.lost = 0

    def topic(self, name):
        return name

    def topics(self):
        return self.others

    def now(self):
        return self.now_ns

    def definition(self, type_):
        raise _bridge.Refused("no package has " + type_)

    def publisher(self, topic, type_, definition, md5sum):
        if self.refuses is not None:
            raise self.refuses
        return Publisher(self.published, topic, type_)

    def subscribe(self, topic, received):
        self.subscribed[topic] = received
        return self

    def close(self):
        self.is_closed = True


class Publisher(object):
    def __init__(self, published, topic, type_):
        self._published, self._topic, self._type = published, topic, type_

    def publish(self, raw):
        self._published.append((self._topic, self._type, raw))

    def close(self):
        pass


@pytest.fixture
def ros():
    return Ros()


@pytest.fixture
def bridge(ros):
    """Starts a bridge with these arguments."""
    started = []

    def run(*arguments):
        options = _bridge_options.parse("test", "A test.", list(arguments))
        made = _bridge.Bridge(ros, options, lambda: None)
        started.append(made)
        made.start()
        return made

    yield run
    for made in started:
        made.stop()


def until(check):
    end = time.time() + 20
    while not check():
        assert time.time() < end
        time.sleep(0.005)
    return check()


def messages_of(ros, topic):
    return [raw for to, _, raw in ros.published if to == topic]


def test_what_is_put_is_published_and_what_comes_back_is_what_was_put(ros, bridge, new_name):
    channel, back = new_name(), new_name()
    bridge("--to-ros", channel + "=/points", "--from-ros", "/points=" + back)
    cloud = np.arange(40, dtype="f4").reshape(10, 4)
    with NumpyShare(channel, mode="put") as share:
        share.put(cloud)
        topic, type_, raw = until(lambda: ros.published)[0]
    assert (topic, type_) == ("/points", "sensor_msgs/msg/PointCloud2")
    ros.subscribed["/points"](raw, type_, _definition(channel))
    got = io_shared.open(back, open_timeout=0).get(timeout=5)
    assert got.dtype == cloud.dtype and (got == cloud).all()


def _definition(channel):
    """The definition of what the channel is published as."""
    convert = []

    def converted(consumer, address, length):
        return convert[0].convert(address, length, 0, "")

    with _ros.Consumer(channel, converted, open_timeout=0) as consumer:
        convert.append(_ros.ToRos(consumer.schema, 2))
        consumer.latest()
        return convert[0].definition


def test_values_that_come_too_fast_are_counted(ros, bridge, name, capsys):
    made = bridge("--to-ros", name + "=/images")
    with NumpyShare(name, mode="put") as share:
        for number in range(3):
            share.put(np.full((4, 4), number, "u2"))
            if number == 0:
                until(lambda: ros.published)
        until(lambda: len(ros.published) > 1)
        for number in range(200):
            share.put(np.full((4, 4), number, "u2"))
        until(lambda: messages_of(ros, "/images")[-1].count(b"\xc7\x00") == 16)
    made.stop()
    said = capsys.readouterr()[0].splitlines()[-1]
    passed = len(ros.published)
    missed = 203 - passed
    lost = "%d came too fast" % missed if missed else "none lost"
    assert "%d passed on, %s, " % (passed, lost) in said


def test_a_message_that_is_none_is_refused_said_once_and_counted(ros, bridge, name, capsys):
    made = bridge("--from-ros", "/text=" + name)
    receive = ros.subscribed["/text"]
    good = b"\x00\x01\x00\x00\x03\x00\x00\x00ab\x00"
    for raw in (good, good[:6], b"", good[:-2], good):
        receive(raw, "std_msgs/msg/String", "string data\n")
    assert io_shared.open(name, open_timeout=0).get(timeout=5).data == "ab"
    made.stop()
    said, warned = capsys.readouterr()
    assert "topic /text -> channel %s: 2 passed on, 3 refused, " % name in said
    assert warned.count("topic /text -> channel %s: " % name) >= 1


def test_a_role_that_another_has_is_taken_when_it_is_free(ros, bridge, name, capsys):
    arguments = ["--cdr", "--from-ros", "/text=" + name]
    message = b"\x00\x01\x00\x00", "std_msgs/msg/Empty", ""
    first = Ros()
    other = _bridge.Bridge(first, _bridge_options.parse("test", "", arguments), lambda: None)
    other.start()
    first.subscribed["/text"](*message)
    made = bridge(*arguments)
    for _ in range(3):
        ros.subscribed["/text"](*message)
    warned = capsys.readouterr()[1].splitlines()
    assert len(warned) == 1 and warned[0].startswith("topic /text -> channel %s: " % name)
    other.stop()
    time.sleep(0.6)
    ros.subscribed["/text"](*message)
    assert io_shared.info(name)["seq"] == 2
    made.stop()
    assert "1 passed on, 3 refused" in capsys.readouterr()[0]


#: A message of a type that becomes a struct with a text.
TEXT = b"\x00\x01\x00\x00\x03\x00\x00\x00ab\x00", "std_msgs/msg/String", "string data\n"


@pytest.fixture
def clock(monkeypatch):
    """Has the ways look at a clock of this test."""
    seconds = [1000.0]
    monkeypatch.setattr(_bridge_channels, "monotonic", lambda: seconds[0])
    return seconds


def test_a_channel_of_another_type_that_is_removed_does_not_refuse_for_ever(name, clock, capsys):
    way = _bridge_channels.Incoming(2, "/text", name, False)
    with io_shared.producer(name, {"other": "u4"}):
        way.received(*TEXT)
    io_shared.remove(name)
    way.received(*TEXT)
    assert (way.passed, way.refused) == (0, 2)
    clock[0] += 1
    way.received(*TEXT)
    assert (way.passed, way.refused) == (1, 2)
    way.close()
    assert io_shared.open(name, open_timeout=0).get(timeout=5).data == "ab"
    assert len(capsys.readouterr()[1].splitlines()) == 1


def test_a_channel_that_gets_another_type_gets_the_messages_as_that_type(name, clock, capsys):
    way = _bridge_channels.Incoming(2, "/text", name, False)
    way.received(*TEXT)
    io_shared.remove(name)
    with io_shared.consumer(name, {"data": "S32"}, open_timeout=0) as got:
        way.received(*TEXT)
        assert (way.passed, way.refused) == (1, 1)
        clock[0] += 1
        way.received(*TEXT)
        assert (way.passed, way.refused) == (2, 1)
        assert got.get(timeout=5).data == "ab"
    way.close()


def test_an_error_that_passes_does_not_refuse_for_ever(name, clock, capsys, monkeypatch):
    def refuse(_):
        raise io_shared.Busy("for now")

    way = _bridge_channels.Incoming(2, "/text", name, False)
    with monkeypatch.context() as patch:
        patch.setattr(_ros, "schema_of", refuse)
        way.received(*TEXT)
    way.received(*TEXT)
    assert (way.passed, way.refused) == (0, 2)
    clock[0] += 1
    way.received(*TEXT)
    way.close()
    assert (way.passed, way.refused) == (1, 2)


def test_refused_messages_look_at_the_type_of_the_channel_twice_a_second(
    name, clock, capsys, monkeypatch
):
    looks, schema_of = [], _ros.schema_of
    monkeypatch.setattr(_ros, "schema_of", lambda name: looks.append(name) or schema_of(name))
    way = _bridge_channels.Incoming(2, "/text", name, False)
    with io_shared.producer(name, {"other": "u4"}):
        for _ in range(20):
            way.received(*TEXT)
            clock[0] += 0.1
    way.close()
    assert way.refused == 20 and len(looks) == 4


def test_what_ros_refuses_is_said_once_and_counted(ros, bridge, name, capsys):
    ros.refuses = _bridge.Refused("there is no such package")
    made = bridge("--to-ros", name + "=/images")
    with NumpyShare(name, mode="put") as share:
        for number in range(3):
            share.put(np.full((4, 4), number, "u2"))
            until(lambda: made._outgoing[0].refused > number)
    made.stop()
    said, warned = capsys.readouterr()
    assert "0 passed on, 3 refused" in said and warned.count("no such package") == 1


def test_all_passes_on_what_comes_but_nothing_in_a_circle(ros, bridge, new_name, monkeypatch):
    given, taken = new_name(), new_name()
    # Not the channels of other tests that run meanwhile.
    monkeypatch.setattr(_bridge, "all_channels", lambda: [taken, given])
    bridge("--all", "--to-ros", "--from-ros", "/taken=" + taken)
    ros.subscribed["/taken"](b"\x00\x01\x00\x00\x02\x00\x00\x00a\x00", "std_msgs/msg/String",
                             "string data\n")
    with NumpyShare(given, mode="put") as share:
        share.put(np.zeros((4, 4), "u2"))
        until(lambda: messages_of(ros, topic_of(given)))
    assert not messages_of(ros, topic_of(taken)) and not messages_of(ros, "/taken")


def test_all_takes_every_topic_that_comes(ros, bridge, new_name):
    bridge("--all", "--from-ros")
    ros.others = [new_name(), new_name()]
    until(lambda: sorted(ros.subscribed) == sorted(ros.others))


def test_the_simulated_time_is_the_stamp(ros, bridge, name):
    ros.now_ns = 7 * 10 ** 9 + 5
    bridge("--to-ros", name + "=/images")
    with NumpyShare(name, mode="put") as share:
        share.put(np.zeros((4, 4), "u2"))
        raw = until(lambda: messages_of(ros, "/images"))[0]
    assert np.frombuffer(raw, "<u4", 2, 4).tolist() == [7, 5]


def test_a_failure_of_ros_itself_ends_the_bridge_and_is_told(ros, bridge, name, capsys):
    ros.refuses = ValueError("a bug")
    made = bridge("--to-ros", name)
    with NumpyShare(name, mode="put") as share:
        share.put(np.zeros((4, 4), "u2"))
        until(lambda: made.has_failed)
    assert "ValueError: a bug" in capsys.readouterr()[1]


@pytest.mark.parametrize("arguments, reason", [
    ([], "--to-ros CHANNEL"),
    (["--to-ros"], "--to-ros names nothing"),
    (["--all"], "--all goes with"),
    (["--all", "--to-ros", "--from-ros"], "--all goes with"),
    (["--to-ros", "/a="], "neither a name"),
    (["--from-ros", "=/a"], "neither a name"),
    (["--to-ros", "/a", "/a"], "/a is named twice"),
    (["--to-ros", "/a", "--as", "/a=picture"], "CHANNEL=KIND"),
    (["--to-ros", "/a", "--as", "cloud"], "CHANNEL=KIND"),
])
def test_what_makes_no_sense_is_refused_with_the_reason(capsys, arguments, reason):
    with pytest.raises(SystemExit) as ended:
        _bridge_options.parse("test", "A test.", arguments)
    assert ended.value.code == 2
    assert reason in capsys.readouterr()[1]


@pytest.mark.parametrize("arguments, reason", [
    (["--to-ros", "/a=/t", "/b=/t"], "mix with"),
    (["--from-ros", "/t=/a", "/s=/a"], "mix with"),
    (["--to-ros", "/a", "--from-ros", "/a"], "go round by"),
    (["--to-ros", "/a", "--as", "/a=nowhere_msgs/msg/Nothing"], "nowhere_msgs"),
])
def test_circles_and_mixtures_are_refused_at_the_start(ros, bridge, arguments, reason):
    with pytest.raises(_bridge.Refused) as refused:
        bridge(*arguments)
    assert reason in str(refused.value)


def test_names_that_ros_refuses_are_mapped_as_in_recordings():
    names = {"/camera/rgb": "/camera/rgb", "/clouds.labels": "/clouds_labels", "clouds": "/clouds",
             u"/3d/gr\xf6\xdfe": "/_3d/gr__e"}
    assert {name: topic_of(name) for name in names} == names
