"""Reads an MCAP file, or a folder of ROS 2, with the readers that others wrote.

It prints what each message has.

A line for each message of each reader: {"reader", "topic", "type", "seq", "time", "value"}. A value
is an object whose keys are in the order of the fields. Of many whole numbers it prints how many
there are, the first and last, and their sum. A cloud has "points" too: how many, the first and the
last, and the sum of each field.
"""

import json
import sys
from pathlib import Path

import numpy
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader


def plain(value):
    """A value as JSON has it."""
    if isinstance(value, numpy.ndarray):
        value = value.tolist()
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = list(bytes(value))
    if isinstance(value, list) and len(value) > 64 and all(type(v) is int for v in value):
        return {"count": len(value), "ends": [value[0], value[-1]], "sum": sum(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, numpy.generic):
        return value.item()
    names = getattr(value, "__slots__", None)
    if hasattr(value, "__dataclass_fields__"):
        names = [name for name in value.__dataclass_fields__ if name != "__msgtype__"]
        names = [name for name in names if name == name.lower()]
    if names is None:
        return value
    return {name.rstrip("_"): plain(getattr(value, name)) for name in names}


#: NumPy's kinds and sizes, by the numbers of PointField.
DATATYPES = [None, "i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"]


def points(cloud):
    """The points of a PointCloud2."""
    dtype = numpy.dtype({
        "names": [field.name for field in cloud.fields],
        "formats": ["<" + DATATYPES[field.datatype] for field in cloud.fields],
        "offsets": [field.offset for field in cloud.fields],
        "itemsize": cloud.point_step,
    })
    array = numpy.frombuffer(bytes(bytearray(cloud.data)), dtype)
    if len(array) == 0:
        return {"count": 0}

    def at(place):
        return {name: array[name][place].item() for name in dtype.names}

    # One after the other, since the order of a sum decides its last digits.
    sums = {name: float(numpy.cumsum(array[name].astype("f8"))[-1]) for name in dtype.names}
    return {"count": len(array), "first": at(0), "last": at(-1), "sums": sums}


def line(reader, topic, kind, seq, time, value):
    printed = {
        "reader": reader, "topic": topic, "type": kind, "seq": seq, "time": time,
        "value": plain(value),
    }
    if kind.endswith("/PointCloud2"):
        printed["points"] = points(value)
    print(json.dumps(printed))


def main(path):
    if not Path(path).is_dir():
        by_pip(path)
    by_rosbags(path)


def by_pip(path):
    with open(path, "rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for schema, channel, message, decoded in reader.iter_decoded_messages(
            log_time_order=False
        ):
            line("mcap", channel.topic, schema.name, message.sequence, message.log_time, decoded)


def by_rosbags(path):
    with AnyReader([Path(path)]) as reader:
        for connection, time, data in reader.messages():
            decoded = reader.deserialize(data, connection.msgtype)
            line("rosbags", connection.topic, connection.msgtype, None, time, decoded)


main(sys.argv[1])
