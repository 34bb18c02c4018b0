"""What nodes of ROS 1 publish, as channels: read by field in Python, Rust and C."""

import json
import os
import signal
import subprocess

import numpy as np
import pytest

import io_shared
import ros1_nodes
from conftest import EACH, HERE, PAIRS, value_of

COMMAND = os.environ["IO_SHARED_COMMAND"]


def output(*command):
    """What a program prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, timeout=60, check=True,
                          universal_newlines=True).stdout


@PAIRS
def test_a_cloud_of_two_megabytes_is_an_array_with_its_points_frame_and_stamp(
    stage, name, node, bridge
):
    stage.bridge(bridge, "--from-ros", name)
    stage.node(node, "publish", name, "cloud", "--count", 3).line("published 3")
    with io_shared.NumpyShare(name, mode="get", open_timeout=30) as clouds:
        cloud = clouds.get(timeout=30)
        while cloud["y"][0] < 3:
            cloud = clouds.get(timeout=30)
        assert cloud.dtype == ros1_nodes.POINT
        assert np.array_equal(cloud, ros1_nodes.points(3))
        frame = value_of(name + ".frame")
        stamp = (ros1_nodes.SECONDS + 3) * 10**9 + ros1_nodes.NANOSECONDS
        assert (frame.frame_id, frame.stamp_ns) == ("lidar", stamp)


@PAIRS
def test_an_image_is_an_array_of_rows_columns_and_colors(stage, name, node, bridge):
    stage.bridge(bridge, "--from-ros", name)
    stage.node(node, "publish", name, "image")
    image = value_of(name)
    assert (image.dtype, image.shape) == (np.uint8, (480, 640, 3))
    assert np.array_equal(image, ros1_nodes.pixels(1))


@PAIRS
def test_an_imu_is_a_message_whose_fields_have_names(stage, name, node, bridge):
    stage.bridge(bridge, "--from-ros", name)
    stage.node(node, "publish", name, "imu")
    imu, sent = value_of(name), ros1_nodes.imu(1)
    assert imu.header["frame_id"] == b"imu_link"
    assert imu.header["stamp"].tolist() == (1600000001, 123456789)
    for part in ("orientation", "angular_velocity", "linear_acceleration"):
        for axis in getattr(sent, part).__slots__:
            assert getattr(imu, part)[axis] == getattr(getattr(sent, part), axis)
        covariance = part + "_covariance"
        assert list(getattr(imu, covariance)) == list(getattr(sent, covariance))


@EACH
def test_an_imu_is_read_by_field_in_rust_and_in_c(stage, name, tmp_path, bridge):
    stage.bridge(bridge, "--from-ros", name)
    stage.node(bridge, "publish", name, "imu", "--count", 1000)
    value_of(name)
    echo = [COMMAND, "echo", "--json", "--once", name, "--field"]
    for field, value in [("header.frame_id", "imu_link"), ("angular_velocity.y", 2.5),
                         ("linear_acceleration_covariance[8]", 28)]:
        assert json.loads(output(*(echo + [field])))["value"] == value
    header = output(COMMAND, "info", name, "--schema", "c")
    (tmp_path / "imu.h").write_text(header)
    library = os.path.dirname(COMMAND)
    output(
        os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
        "-I", str(tmp_path), "-I", os.path.join(HERE, "../../io-shared-ffi/include"),
        os.path.join(HERE, "imu.c"), "-o", str(tmp_path / "imu"), "-L", library,
        "-lio_shared_ffi", "-Wl,-rpath," + library,
    )
    words = output(str(tmp_path / "imu"), name).split()
    number = int(words[2])
    assert words == ["imu_link", "%d.123456789" % (1600000000 + number), str(number), "2.5",
                     "9.75", "28"]


@EACH
def test_a_string_is_a_text_and_one_that_is_longer_than_before_comes_whole(stage, name, bridge):
    stage.bridge(bridge, "--from-ros", name)
    stage.node(bridge, "publish", name, "string")
    assert value_of(name).data == "na\u00efve 1"


@EACH
def test_a_marker_array_is_decoded_by_echo_and_comes_back_byte_for_byte(stage, name, bridge):
    back = name + "_back"
    stage.bridge(bridge, "--from-ros", name)
    reader = stage.node(bridge, "digests", back, "--count", 3)
    reader.line("subscribed")
    stage.bridge(bridge, "--to-ros", "%s=%s" % (name, back))
    node = stage.node(bridge, "publish", name, "markers", "--count", 3, "--settle", 10)
    sent = [node.line(r"published \d+ (\w+)").group(1) for _ in range(3)]
    echo = json.loads(output(COMMAND, "echo", "--json", "--once", name))
    markers = echo["value"]["markers"]
    assert [marker["text"] for marker in markers] == ["box 0"]
    assert len(markers[0]["points"]) == 2 and markers[0]["header"]["frame_id"] == "map"
    for digest in sent:
        found = reader.line(r"digest (\w+) (\S+)")
        assert found.groups() == (digest, "visualization_msgs/MarkerArray")


@EACH
def test_a_topic_that_is_asked_for_as_it_is_comes_back_byte_for_byte(stage, name, bridge):
    back = name + "_back"
    stage.bridge(bridge, "--from-ros", name, "--cdr")
    reader = stage.node(bridge, "digests", back, "--count", 2)
    reader.line("subscribed")
    stage.bridge(bridge, "--to-ros", "%s=%s" % (name, back))
    node = stage.node(bridge, "publish", name, "imu", "--count", 2, "--settle", 10)
    for _ in range(2):
        sent = node.line(r"published \d+ (\w+)").group(1)
        assert reader.line(r"digest (\w+)").group(1) == sent
    assert io_shared.info(name)["type"] == "Cdr"


@EACH
def test_all_topics_of_other_nodes_come_if_all_is_asked_for(own_stage, name, bridge):
    running = own_stage.bridge(bridge, "--all", "--from-ros")
    nodes = [own_stage.node(bridge, "publish", name + kind, kind[1:], "--count", 200)
             for kind in ("_imu", "_string")]
    assert value_of(name + "_imu").orientation["w"] >= 1
    assert value_of(name + "_string").data.startswith("na")
    for node in nodes:
        node.line("published 50")  # with lines in the log
    assert not [found for found in io_shared.channels() if "rosout" in found["name"]]
    assert running.process.poll() is None


@PAIRS
def test_what_was_latched_before_the_bridge_came_is_put(stage, name, node, bridge):
    stage.node(node, "publish", name, "imu", "--latch", "--first", 9).line("done")
    stage.bridge(bridge, "--from-ros", name)
    assert value_of(name).orientation["w"] == 9


@EACH
def test_several_nodes_may_publish_one_topic(stage, name, bridge):
    stage.bridge(bridge, "--from-ros", name)
    for first in (1, 1001):
        stage.node(bridge, "publish", name, "imu", "--count", 100, "--first", first)
    with io_shared.open(name, open_timeout=30) as imus:
        seen = set()
        while len(seen) < 2:
            seen.add(imus.get(timeout=30).orientation["w"] > 1000)


@EACH
def test_a_node_that_was_killed_may_come_back(stage, name, bridge):
    stage.bridge(bridge, "--from-ros", name)
    first = stage.node(bridge, "publish", name, "imu", "--count", 1000)
    with io_shared.open(name, open_timeout=30) as imus:
        imus.get(timeout=30)
        first.kill()
        stage.node(bridge, "publish", name, "imu", "--count", 1000, "--first", 5000)
        while imus.get(timeout=30).orientation["w"] < 5000:
            pass


@EACH
def test_a_type_that_changes_is_followed_by_consumers_that_open_anew(stage, name, bridge):
    running = stage.bridge(bridge, "--from-ros", name)
    first = stage.node(bridge, "publish", name, "string", "--count", 1000)
    assert value_of(name).data.startswith("na")
    first.kill()
    stage.node(bridge, "publish", name, "imu", "--count", 1000)
    stage.until(lambda: io_shared.info(name)["type"] == "Imu", "the channel has no Imu")
    assert value_of(name).header["frame_id"] == b"imu_link"
    assert running.process.poll() is None


@EACH
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_bridge_that_comes_back_goes_on_for_the_same_consumers(stage, name, bridge, how):
    first = stage.bridge(bridge, "--from-ros", name)
    stage.node(bridge, "publish", name, "cloud", "--count", 1000)
    with io_shared.NumpyShare(name, mode="get", open_timeout=30) as clouds:
        before = clouds.get(timeout=30)["y"][0]
        first.end(how)
        stage.bridge(bridge, "--from-ros", name)
        seq = clouds.seq
        while clouds.get(timeout=30)["y"][0] < before + 10:
            assert clouds.seq > seq
