"""Topics of ROS 2 become channels, which Python, Rust and C read by field."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Vector3
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, Imu, PointCloud2, PointField
from std_msgs.msg import Header, String
from visualization_msgs.msg import Marker, MarkerArray

import io_shared
from conftest import field_by_c, field_by_rust, until
from ros2_nodes import bridge, keeps_putting, latest, node, qos  # noqa: F401

#: As lidars send them, with room between the intensity and the ring's successor.
POINT = np.dtype({
    "names": ["x", "y", "z", "intensity", "ring"],
    "formats": ["<f4", "<f4", "<f4", "<f4", "<u2"],
    "offsets": [0, 4, 8, 16, 20],
    "itemsize": 32,
})
TYPES = {"<f4": PointField.FLOAT32, "<u2": PointField.UINT16}


def header():
    return Header(stamp=Time(sec=1_700_000_000, nanosec=123_456_789), frame_id="lidar")


def points(count=62_500):
    """2 MB of points."""
    made = np.zeros(count, POINT)
    for number, field in enumerate(POINT.names):
        made[field] = np.arange(count) % 1000 + number
    return made


def cloud(made):
    fields = [
        PointField(name=name, offset=POINT.fields[name][1], count=1,
                   datatype=TYPES[POINT.fields[name][0].str])
        for name in POINT.names
    ]
    return PointCloud2(
        header=header(), height=1, width=len(made), fields=fields, is_bigendian=False,
        point_step=POINT.itemsize, row_step=POINT.itemsize * len(made), is_dense=True,
        data=made.tobytes(),
    )


def image():
    pixels = np.arange(480 * 640 * 3, dtype=np.uint8).reshape(480, 640, 3)
    return Image(header=header(), height=480, width=640, encoding="bgr8", step=640 * 3,
                 data=pixels.tobytes())


def imu():
    return Imu(
        header=header(), orientation=Quaternion(x=0.1, y=0.2, z=0.3, w=0.9),
        angular_velocity=Vector3(x=1.5, y=-2.5, z=3.5),
        linear_acceleration=Vector3(x=0.0, y=0.25, z=9.81),
        linear_acceleration_covariance=[float(number) for number in range(9)],
    )


def markers():
    made = MarkerArray()
    for number in range(3):
        marker = Marker(header=header(), ns="things", id=number, type=Marker.CUBE, text="car")
        marker.pose.position.x = 2.5 * number
        marker.points.append(marker.pose.position)
        made.markers.append(marker)
    return made


#: What is published, and what its fields are, by their paths in the channel.
MESSAGES = {
    "PointCloud2": (cloud(points()), {
        "shape": [62_500], "[999].x": 999.0, "[3].intensity": 6.0, "[62499].ring": 503,
    }),
    "Image": (image(), {
        "shape": [480, 640, 3], "[0][1][2]": 5, "[479, 639, 2]": (480 * 640 * 3 - 1) % 256,
    }),
    "Imu": (imu(), {
        "header.frame_id": "lidar", "header.stamp.sec": 1_700_000_000,
        "header.stamp.nanosec": 123_456_789, "orientation.w": 0.9, "angular_velocity.y": -2.5,
        "linear_acceleration.z": 9.81, "linear_acceleration_covariance[8]": 8.0,
    }),
    "String": (String(data="Größe: 3 m"), {"data": "Größe: 3 m"}),
}


@pytest.mark.parametrize("which", sorted(MESSAGES))
def test_python_rust_and_c_read_what_a_node_publishes_by_field(node, bridge, name, which):
    message, fields = MESSAGES[which]
    run = bridge("--from-ros", name)
    node.publisher(type(message), name, transient=True).publish(message)
    with io_shared.observe(name, open_timeout=20) as eyes:
        until(lambda: eyes.newest_seq, "a value")
        for path, value in fields.items():
            for read in (eyes.field(path), field_by_rust(name, path), field_by_c(name, path)):
                assert read == value, path
    assert "topic %s -> channel %s: " % (name, name) in run.said


def test_a_cloud_is_a_structured_array_and_its_frame_is_next_to_it(node, bridge, name):
    bridge("--from-ros", name)
    put = points()
    node.publisher(PointCloud2, name, transient=True).publish(cloud(put))
    got = io_shared.open(name, open_timeout=20)
    array = got.get(timeout=20)
    assert array.dtype.names == POINT.names
    for field in POINT.names:
        np.testing.assert_array_equal(array[field], put[field])
    frame = io_shared.observe(name + ".frame", open_timeout=5)
    seen = until(lambda: frame.tagged(got.seq), "its frame")
    assert (seen.frame_id, seen.stamp_ns) == ("lidar", 1_700_000_000_123_456_789)


def as_on_the_wire(got, sent):
    """Whether these bytes were sent. RTPS fills up what it sends to a multiple of 4 bytes."""
    return got[: len(sent)] == sent and len(got) == (len(sent) + 3) // 4 * 4


def test_what_no_struct_can_hold_stays_the_bytes_that_were_sent(node, bridge, new_name):
    topic, back = new_name("markers"), new_name("back")
    bridge("--from-ros", topic, "--to-ros", "%s=%s" % (topic, back))
    heard = node.listen(MarkerArray, back, raw=True, transient=True)
    # As bytes: what lies between fields is anything, and stays it.
    sent = serialize_message(markers())
    node.publisher(MarkerArray, topic, transient=True).publish(sent)
    back = heard.next()
    assert as_on_the_wire(back, sent)
    assert bytes(io_shared.open(topic).latest().cdr) == back
    # The command decodes it by the definition in its schema.
    echoed = field_by_rust(topic, "")
    assert [(each["ns"], each["id"], each["text"]) for each in echoed["markers"]] == [
        ("things", number, "car") for number in range(3)
    ]
    assert bytes(field_by_c(topic, "cdr")) == back


def test_cdr_keeps_the_bytes_of_any_topic(node, bridge, new_name):
    topic, channel, back = new_name(), new_name(), new_name()
    bridge("--cdr", "--from-ros", "%s=%s" % (topic, channel), "--to-ros", channel + "=" + back)
    heard = node.listen(Imu, back, raw=True, transient=True)
    sent = serialize_message(imu())
    node.publisher(Imu, topic, transient=True).publish(sent)
    back = heard.next()
    assert as_on_the_wire(back, sent) and bytes(io_shared.open(channel).latest().cdr) == back


@pytest.mark.parametrize("policies", [
    dict(reliable=False), dict(reliable=True), dict(reliable=True, transient=True),
    dict(reliable=False, transient=True),
])
def test_it_subscribes_in_the_way_that_the_publisher_publishes(node, bridge, name, policies):
    bridge("--from-ros", name)
    publisher = node.publisher(String, name, **policies)
    got = keeps_putting(publisher, String(data="heard"), lambda: latest(name))
    assert got.data == "heard"
    asked = node.node.get_subscriptions_info_by_topic(name)[0].qos_profile
    assert (asked.reliability.name == "RELIABLE") == policies["reliable"]
    assert (asked.durability.name == "TRANSIENT_LOCAL") == policies.get("transient", False)


def test_a_message_that_was_published_before_the_bridge_came_arrives(node, bridge, name):
    publisher = node.node.create_publisher(String, name, qos(transient=True))
    publisher.publish(String(data="early"))
    bridge("--from-ros", name)
    assert io_shared.open(name, open_timeout=20).get(timeout=20).data == "early"


def test_publishers_may_change_their_quality_of_service(node, bridge, name):
    bridge("--from-ros", name)
    seen = None
    for number, policies in enumerate([
        dict(reliable=True, transient=True), dict(reliable=False), dict(reliable=True),
        dict(reliable=True, transient=True),
    ]):
        publisher = node.publisher(String, name, **policies)
        wanted = str(number)
        seen = keeps_putting(publisher, String(data=wanted),
                             lambda: (latest(name) or String()).data == wanted)
        assert seen
        node.node.destroy_publisher(publisher)


def test_a_best_effort_publisher_is_heard_next_to_a_reliable_one(node, bridge, name):
    bridge("--from-ros", name)
    reliable = node.publisher(String, name, transient=True)
    keeps_putting(reliable, String(data="reliable"), lambda: latest(name))
    other = node.publisher(String, name, reliable=False)
    for publisher, text in ((other, "best effort"), (reliable, "both")):
        keeps_putting(publisher, String(data=text), lambda: latest(name).data == text)


def test_a_text_that_outgrows_its_room_gets_more(node, bridge, name):
    bridge("--from-ros", name)
    publisher = node.publisher(String, name, transient=True)
    for length in (5, 500, 50_000, 3):
        publisher.publish(String(data="x" * length))
        until(lambda: len((latest(name) or String()).data) == length, "%d bytes" % length)
