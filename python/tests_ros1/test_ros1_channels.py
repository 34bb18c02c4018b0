"""Channels as topics of ROS 1, of which rospy asserts every field."""

import json
import time

import numpy as np
import rosbag

import io_shared
from conftest import EACH, PAIRS, value_of


@PAIRS
def test_what_came_from_ros_goes_back_with_every_field(stage, name, node, bridge):
    for kind in ("cloud", "image", "imu", "string", "markers"):
        there, back = name + "_" + kind, name + "_back_" + kind
        stage.bridge(bridge, "--from-ros", there)
        stage.bridge(bridge, "--to-ros", "%s=%s" % (there, back))
        reader = stage.node(node, "expect", back, kind)
        reader.line("subscribed")
        stage.node(node, "publish", there, kind)
        assert reader.line("received 1 (.*)").group(1) == "equal", kind



@EACH
def test_an_array_of_four_columns_is_a_cloud_and_comes_back_as_the_array_it_was(
    stage, name, bridge
):
    points = np.random.RandomState(1).rand(120000, 4).astype("f4")
    stage.bridge(bridge, "--to-ros", name, "--frame", "lidar")
    reader = stage.node(bridge, "fields", name)
    reader.line("subscribed")
    with io_shared.NumpyShare(name, mode="put") as clouds:
        before = time.time()
        clouds.put(points)
        kind, cloud = json.loads(reader.line("fields (.*)").group(1))
        stamp = cloud["header"]["stamp"]
        assert kind == "sensor_msgs/PointCloud2" and cloud["header"]["frame_id"] == "lidar"
        assert abs(stamp[0] + stamp[1] / 1e9 - before) < 5
        assert [(f["name"], f["offset"], f["datatype"], f["count"]) for f in cloud["fields"]] == [
            ("x", 0, 7, 1), ("y", 4, 7, 1), ("z", 8, 7, 1), ("intensity", 12, 7, 1)
        ]
        sizes = [cloud[key] for key in ("height", "width", "point_step", "row_step")]
        assert sizes == [1, 120000, 16, 1920000] and not cloud["is_bigendian"]
        assert cloud["data"].encode("latin-1") == points.tobytes()
        stage.bridge(bridge, "--from-ros", "%s=%s_back" % (name, name))
        back = value_of(name + "_back")
        assert back.dtype == points.dtype and np.array_equal(back, points)


@EACH
def test_images_are_named_by_their_shape_or_by_what_the_user_says(stage, name, bridge):
    for channel, options, array, encoding in [
        (name, (), np.arange(30, dtype="u1").reshape(2, 5, 3), "rgb8"),
        (name + "_b", ("--as", name + "_b=image:bgr8"), np.zeros((2, 5, 3), "u1"), "bgr8"),
        (name + "_d", (), np.ones((3, 7), "u2"), "16UC1"),
    ]:
        stage.bridge(bridge, "--to-ros", channel, *options)
        with io_shared.NumpyShare(channel, mode="put") as images:
            images.put(array)
            reader = stage.node(bridge, "fields", channel)
            kind, image = json.loads(reader.line("fields (.*)").group(1))
        assert (kind, image["encoding"]) == ("sensor_msgs/Image", encoding)
        assert [image["height"], image["width"]] == list(array.shape[:2])
        assert image["data"].encode("latin-1") == array.tobytes()


@EACH
def test_a_message_of_ones_own_type_brings_its_definition_along(
    stage, name, tmp_path, bridge
):
    point = np.dtype([("x", "f4"), ("y", "f4")])
    head = np.dtype([("frame", "u8"), ("is_valid", "?"), ("mode", "i1"), ("_pad", "u1", (2,)),
                     ("gain", "f4", (3,))])
    stage.bridge(bridge, "--to-ros", name)
    reader = stage.node(bridge, "fields", name)
    reader.line("subscribed")
    with io_shared.producer(name, head, tail=("points", point), message="Track",
                            capacity=4096) as tracks:
        with tracks.loan(2) as track:
            track.frame, track.is_valid, track.mode, track.gain = 2**63 + 5, True, -3, (0.5, 1, 2)
            track.points = np.array([(1, 2), (3, 4.5)], point)
        kind, fields = json.loads(reader.line("fields (.*)").group(1))
        bag = str(tmp_path / "tracks.bag")
        stage.run("rosbag", "record", "--limit=1", "-O", bag, name).process.wait(30)
    assert kind.startswith("io_shared_msgs/Track")
    assert (fields["frame"], fields["is_valid"], fields["mode"]) == (2**63 + 5, True, -3)
    assert fields["gain"] == [0.5, 1, 2]
    assert fields["points"] == [{"x": 1, "y": 2}, {"x": 3, "y": 4.5}]
    (_, recorded, _), = rosbag.Bag(bag).read_messages()
    assert recorded.frame == 2**63 + 5 and [point.y for point in recorded.points] == [2, 4.5]


@EACH
def test_a_message_becomes_the_type_of_ros_that_the_user_names_if_its_package_is_there(
    stage, name, bridge
):
    vector = np.dtype([("x", "f8"), ("y", "f8"), ("z", "f8")])
    twist = np.dtype([("linear", vector), ("angular", vector), ("confidence", "f8")])
    stage.bridge(bridge, "--to-ros", name, "--as", name + "=geometry_msgs/Twist")
    with io_shared.producer(name, twist, message="Speed") as speeds:
        speeds.put(linear=(1, 2, 3), angular=(4, 5, 6), confidence=0.5)
        reader = stage.node(bridge, "fields", name)
        kind, fields = json.loads(reader.line("fields (.*)").group(1))
        assert (kind, fields["angular"]) == ("geometry_msgs/Twist", {"x": 4, "y": 5, "z": 6})
        assert sorted(fields) == ["angular", "linear"]
        refused = stage.bridge(bridge, "--to-ros", name, "--as", name + "=no_msgs/Twist")
        refused.line("no_msgs/Twist: rospy finds no such type of message here")
        assert refused.process.wait(30) == 2


@PAIRS
def test_who_subscribes_late_gets_the_last_message_at_once(stage, name, node, bridge):
    stage.bridge(bridge, "--to-ros", name)
    with io_shared.NumpyShare(name, mode="put") as clouds:
        for number in range(3):
            clouds.put(np.full((10, 3), number, "f4"))
        stage.until(lambda: clouds.connected == 1, "the bridge does not come")
        for _ in range(2):
            reader = stage.node(node, "fields", name)
            cloud = json.loads(reader.line("fields (.*)").group(1))[1]
            assert np.frombuffer(cloud["data"].encode("latin-1"), "f4")[0] == 2


@EACH
def test_a_channel_whose_name_ros_refuses_has_a_topic_of_a_similar_name(stage, name, bridge):
    with io_shared.NumpyShare(name + ".labels-2", mode="put") as labels:
        labels.put(np.ones((10, 3), "f4"))
        running = stage.bridge(bridge, "--to-ros", name + ".labels-2")
        reader = stage.node(bridge, "fields", name + "_labels_2")
        assert "PointCloud2" in reader.line("fields (.*)").group(1)
        assert running.process.poll() is None


@EACH
def test_a_topic_whose_name_ros_refuses_is_refused_with_what_to_do(stage, name, bridge):
    for arguments in (("--to-ros", "%s=/a.b" % name), ("--from-ros", "/a.b=%s" % name)):
        with io_shared.NumpyShare(name, mode="put") as clouds:
            clouds.put(np.ones((10, 3), "f4"))
            running = stage.bridge(bridge, *arguments)
            running.line(r"/a\.b is no name of a topic in ROS 1: use letters")


@EACH
def test_remappings_of_the_command_line_are_ros_s(stage, name, bridge):
    other = name + "_elsewhere"
    running = stage.bridge(
        bridge, "--to-ros", name, "%s:=%s" % (name, other), "__name:=a_bridge"
    )
    with io_shared.NumpyShare(name, mode="put") as clouds:
        clouds.put(np.ones((10, 3), "f4"))
        stage.node(bridge, "fields", other).line("fields")
    running.line("channel %s -> topic %s: sensor_msgs" % (name, other))
    assert "/a_bridge" in stage.nodes()


@EACH
def test_arrays_are_stamped_by_the_clock_of_a_simulation(own_stage, name, bridge):
    own_stage.run("rosparam", "set", "/use_sim_time", "true").process.wait(30)
    own_stage.node(bridge, "clock", 4321.5).line("ticking")
    running = own_stage.bridge(bridge, "--to-ros", name)
    with io_shared.NumpyShare(name, mode="put") as clouds:
        clouds.put(np.ones((10, 3), "f4"))
        own_stage.until(lambda: clouds.connected == 1, "the bridge does not come")
        stamps = []

        def is_simulated():
            clouds.put(np.ones((10, 3), "f4"))
            reader = own_stage.node(bridge, "fields", name)
            stamps.append(json.loads(reader.line("fields (.*)").group(1))[1]["header"]["stamp"])
            return stamps[-1] == [4321, 500000000]

        own_stage.until(is_simulated, "stamped %s" % stamps)
    assert running.process.poll() is None


@EACH
def test_a_type_that_changes_is_published_as_what_it_is_now(stage, name, bridge):
    stage.bridge(bridge, "--to-ros", name)
    reader = stage.node(bridge, "fields", name, "--count", 2)
    reader.line("subscribed")
    with io_shared.NumpyShare(name, mode="put") as values:
        values.put(np.ones((10, 3), "f4"))
        assert "sensor_msgs/PointCloud2" in reader.line("fields (.*)").group(1)
        values.put(np.ones((10, 10, 3), "u1"))
        assert "sensor_msgs/Image" in reader.line("fields (.*)").group(1)
