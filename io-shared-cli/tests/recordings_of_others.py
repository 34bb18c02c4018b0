"""Writes MCAP files as other programs do: recordings_of_others.py DIRECTORY.

rosbags.mcap has a PointCloud2, an Image and an Imu, pip.mcap a type of its own, nested.mcap a bool,
texts and arrays in arrays of messages, and plan.mcap sequences in sequences. Each has three
messages a topic.
"""

import sys
from pathlib import Path

import numpy
from mcap_ros2.writer import Writer as PipWriter
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

NESTED = """\
bool valid
string name
string<=8 short
int16[3] few
float64[] numbers
"""
NESTED_OF = """\
std_msgs/Header header
uint8 KIND=3
p/Corner[2] corners
p/Corner[] more
================================================================================
MSG: p/Corner
bool is_left
float64 x
string name
int16[2] ids
"""
PLAN = """\
string goal
p/Way[] ways
================================================================================
MSG: p/Way
bool is_free
string name
float64[] steps
"""
SEPARATOR = "=" * 80 + "\nMSG: "


def by_rosbags(directory):
    store = get_typestore(Stores.ROS2_HUMBLE)
    types = store.types
    header = types["std_msgs/msg/Header"](
        stamp=types["builtin_interfaces/msg/Time"](sec=7, nanosec=8), frame_id="lidar"
    )
    field = types["sensor_msgs/msg/PointField"]
    vector = types["geometry_msgs/msg/Vector3"]
    with Writer(directory, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {
            name: writer.add_connection("/" + name.lower(), "sensor_msgs/msg/" + name,
                                        typestore=store)
            for name in ("PointCloud2", "Image", "Imu")
        }
        for number in range(3):
            points = numpy.arange(12, dtype="<f4") + number
            messages = {
                "PointCloud2": types["sensor_msgs/msg/PointCloud2"](
                    header=header, height=1, width=3,
                    fields=[field(name=name, offset=4 * at, datatype=7, count=1)
                            for at, name in enumerate("xyz")],
                    is_bigendian=False, point_step=16, row_step=48,
                    data=points.view(numpy.uint8), is_dense=True,
                ),
                "Image": types["sensor_msgs/msg/Image"](
                    header=header, height=2, width=2, encoding="bgr8", is_bigendian=0, step=6,
                    data=numpy.arange(12, dtype=numpy.uint8) + number,
                ),
                "Imu": types["sensor_msgs/msg/Imu"](
                    header=header,
                    orientation=types["geometry_msgs/msg/Quaternion"](x=0, y=0, z=0, w=1),
                    orientation_covariance=numpy.arange(9, dtype=numpy.float64),
                    angular_velocity=vector(x=1, y=2, z=3),
                    angular_velocity_covariance=numpy.zeros(9),
                    linear_acceleration=vector(x=0, y=0, z=9.81 + number),
                    linear_acceleration_covariance=numpy.zeros(9),
                ),
            }
            for name, message in messages.items():
                data = store.serialize_cdr(message, connections[name].msgtype)
                writer.write(connections[name], 10**18 + number * 10**7, data)


def by_pip(path, topic, name, text, message):
    with open(path, "wb") as file:
        writer = PipWriter(file)
        schema = writer.register_msgdef(name, text)
        for number in range(3):
            time = 10**18 + number * 10**7
            writer.write_message(topic, schema, message(number), log_time=time, publish_time=time)
        writer.finish()


def main(directory):
    by_rosbags(directory / "rosbags")
    by_pip(directory / "pip.mcap", "/state", "p/msg/State", NESTED, lambda number: {
        "valid": number != 1, "name": "a" * 300, "short": "größe", "few": [-1, number, 3],
        "numbers": [0.5] * number,
    })
    store = get_typestore(Stores.ROS2_HUMBLE)
    header, _ = store.generate_msgdef("std_msgs/msg/Header", ros_version=2)
    nested = NESTED_OF + SEPARATOR + "std_msgs/Header\n" + header.replace("/msg/", "/")
    corner = {"is_left": True, "x": 0.5, "name": "c", "ids": [-1, 2]}
    by_pip(directory / "nested.mcap", "/nested", "p/msg/Nested", nested, lambda number: {
        "header": {"stamp": {"sec": 1, "nanosec": 2}, "frame_id": "map"},
        "corners": [corner, dict(corner, x=float(number))],
        "more": [dict(corner, is_left=False)] * number,
    })
    by_pip(directory / "plan.mcap", "/plan", "p/msg/Plan", PLAN, lambda number: {
        "goal": "g" * 300,
        "ways": [{"is_free": way == 1, "name": "w", "steps": [0.5] * way} for way in range(number)],
    })


main(Path(sys.argv[1]))
