"""Channels become topics of ROS 2, whose every field rclpy sees."""

import array

import numpy as np
import pytest
from geometry_msgs.msg import Twist, Vector3
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, Imu, PointCloud2, PointField
from std_msgs.msg import String

import io_shared
from conftest import until
from io_shared import NumpyShare
from ros2_nodes import bridge, node  # noqa: F401
from test_ros2_from import cloud, image, imu, points


def of_message(message):
    """A message as values that can be compared, header included."""
    if hasattr(message, "get_fields_and_field_types"):
        names = message.get_fields_and_field_types()
        return {name: of_message(getattr(message, name)) for name in names}
    if isinstance(message, (np.ndarray, array.array)):
        return message.tolist()
    return [of_message(each) for each in message] if isinstance(message, list) else message


def test_an_array_of_points_arrives_as_a_cloud_and_comes_back_as_the_array_it_was(
    node, bridge, new_name
):
    channel, topic, back = new_name("clouds"), new_name("points"), new_name("back")
    heard = node.listen(PointCloud2, topic, transient=True)
    put = np.random.default_rng(1).normal(size=(125_000, 4)).astype("f4")
    with NumpyShare(channel, mode="put") as share:
        share.put(put)
        bridge("--frame", "lidar", "--to-ros", "%s=%s" % (channel, topic),
               "--from-ros", "%s=%s" % (topic, back))
        message = heard.next()
        assert (message.header.frame_id, message.height, message.width) == ("lidar", 1, 125_000)
        assert [(each.name, each.offset, each.datatype, each.count) for each in message.fields] == [
            (name, 4 * number, PointField.FLOAT32, 1)
            for number, name in enumerate(("x", "y", "z", "intensity"))
        ]
        assert (message.point_step, message.row_step) == (16, 2_000_000)
        assert not message.is_bigendian and message.data.tobytes() == put.tobytes()
        now = node.node.get_clock().now().nanoseconds
        stamp = message.header.stamp.sec * 10 ** 9 + message.header.stamp.nanosec
        assert 0 < now - stamp < 30e9
        got = io_shared.open(back, open_timeout=20).get(timeout=20)
        assert got.dtype == put.dtype and got.shape == put.shape
        np.testing.assert_array_equal(got, put)


@pytest.mark.parametrize("pixels, encoding", [
    (np.arange(48, dtype="u1").reshape(4, 4, 3), "rgb8"),
    (np.arange(32, dtype="u1").reshape(4, 8), "mono8"),
    (np.arange(32, dtype="u2").reshape(4, 8), "16UC1"),
    (np.arange(64, dtype="f4").reshape(4, 16), "32FC1"),
])
def test_arrays_of_pixels_arrive_as_images(node, bridge, name, pixels, encoding):
    heard = node.listen(Image, name, transient=True)
    with NumpyShare(name, mode="put") as share:
        share.put(pixels)
        bridge("--to-ros", name)
        message = heard.next()
    assert (message.height, message.width, message.encoding) == pixels.shape[:2] + (encoding,)
    assert (message.step, message.is_bigendian) == (pixels.strides[0], 0)
    assert message.header.frame_id == name.lstrip("/")
    assert message.data.tobytes() == pixels.tobytes()


def test_as_says_what_the_arrays_of_a_channel_are(node, bridge, name):
    heard = node.listen(Image, name, transient=True)
    with NumpyShare(name, mode="put") as share:
        share.put(np.zeros((4, 4, 3), "u1"))
        bridge("--to-ros", name, "--as", name + "=image:bgr8")
        assert heard.next().encoding == "bgr8"


@pytest.mark.parametrize("message", [cloud(points(1000)), image(), imu(), String(data="Größe")])
def test_what_came_from_ros_goes_back_as_it_was(node, bridge, new_name, message):
    topic, back = new_name("there"), new_name("back")
    bridge("--from-ros", topic, "--to-ros", "%s=%s" % (topic, back))
    heard = node.listen(type(message), back, transient=True)
    node.publisher(type(message), topic, transient=True).publish(message)
    back, sent = of_message(heard.next()), of_message(message)
    if "is_dense" in sent:  # which a channel of points does not have
        assert (back.pop("is_dense"), sent.pop("is_dense")) == (False, True)
    assert back == sent


def test_a_struct_is_published_as_the_type_that_as_names_by_its_fields_names(node, bridge, name):
    vector = np.dtype([("x", "f8"), ("y", "f8"), ("z", "f8")])
    heard = node.listen(Twist, name, transient=True)
    with io_shared.producer(name, np.dtype([("angular", vector), ("linear", vector)])) as put:
        put.put(angular=(0, 0, 0.5), linear=(1.5, 0, 0))
        bridge("--to-ros", name, "--as", name + "=geometry_msgs/msg/Twist")
        assert heard.next() == Twist(linear=Vector3(x=1.5), angular=Vector3(z=0.5))


def test_a_name_that_ros_refuses_is_mapped_and_said(node, bridge, name):
    channel, topic = name + ".labels", name + "_labels"
    heard = node.listen(Image, topic, transient=True)
    with NumpyShare(channel, mode="put") as share:
        share.put(np.zeros((4, 8), "u2"))
        run = bridge("--to-ros", channel)
        assert heard.next().encoding == "16UC1"
        run.wait_for("^channel %s -> topic %s: sensor_msgs/msg/Image$" % (channel, topic))


def test_a_topic_that_ros_refuses_is_refused_at_the_start(bridge, name):
    run = bridge("--to-ros", name + "=/not.a.topic")
    assert run.wait() == 2
    assert "/not.a.topic" in run.said and "Traceback" not in run.said


def test_who_subscribes_later_gets_the_last_value_and_any_quality_of_service(node, bridge, name):
    with NumpyShare(name, mode="put") as share:
        share.put(np.zeros((4, 8), "u2"))
        run = bridge("--to-ros", name)
        run.wait_for("sensor_msgs/msg/Image")
        late = node.listen(Image, name, transient=True)
        assert late.next().width == 8
        others = [node.listen(Image, name, reliable=reliable).matched()
                  for reliable in (True, False)]
        for number in range(9, 12):
            share.put(np.zeros((4, number), "u2"))
            for heard in others + [late]:
                assert heard.next().width == number


def test_labels_have_the_stamp_and_the_frame_of_their_cloud(node, bridge, name):
    labels = name + ".labels"
    heard = node.listen(PointCloud2, name + "_labels", transient=True)
    bridge("--from-ros", name, "--to-ros", labels)
    publisher = node.publisher(PointCloud2, name, transient=True)
    publisher.publish(cloud(points(100)))
    get = io_shared.open(name, open_timeout=20)
    array = get.get(timeout=20)
    with NumpyShare(labels, mode="put") as share:
        out = np.zeros(len(array), [(field, "f4") for field in "xyz"] + [("label", "u4")])
        out["label"] = 7
        share.put(out, tag=get.seq)
        message = heard.next()
    assert message.header == cloud(points(1)).header
    assert [each.name for each in message.fields] == ["x", "y", "z", "label"]


def test_simulated_time_is_the_time_at_which_a_value_is_published(node, bridge, name):
    clock = node.node.create_publisher(Clock, "/clock", 10)
    heard = node.listen(PointCloud2, name, transient=True)
    with NumpyShare(name, mode="put") as share:
        bridge("--to-ros", name, "--ros-args", "-p", "use_sim_time:=true")
        until(clock.get_subscription_count, "the bridge to hear the clock")
        time = Clock()
        time.clock.sec, time.clock.nanosec = 42, 7

        def stamped():
            clock.publish(time)
            share.put(np.zeros((2, 3), "f4"))
            stamp = heard.next().header.stamp
            return (stamp.sec, stamp.nanosec) == (42, 7)

        until(stamped, "a stamp of the simulated time")


def test_a_generated_type_that_no_package_has_is_said_with_what_to_do(bridge, name, tmp_path):
    with io_shared.producer(name, np.dtype([("speed", "f4")])) as put:
        put.put(speed=1)
        run = bridge("--to-ros", name)
        run.wait_for("io_shared_msgs/msg/.*--schema ros2pkg")
        put.put(speed=2)
        assert run.end() < 5
        assert "0 passed on, 2 refused" in run.said
