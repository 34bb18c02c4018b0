"""Messages of ROS as arrays and as messages of channels, without ROS: with classes in place of its
own, and with bytes. ci/ros1.sh and ci/ros2.sh have real nodes."""

import array
import struct
import types

import numpy as np
import pytest

import io_shared
from conftest import POINT, points
from io_shared import _ros, ros

CLOUD = (
    "std_msgs/Header header\nuint32 height\nuint32 width\nsensor_msgs/PointField[] fields\n"
    "bool is_bigendian\nuint32 point_step\nuint32 row_step\nuint8[] data\nbool is_dense\n"
    "===\nMSG: sensor_msgs/PointField\nstring name\nuint32 offset\nuint8 datatype\nuint32 count\n"
)
HEADER = "===\nMSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id\n"
IMAGE = (
    "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\n"
    "uint32 step\nuint8[] data\n"
)


class Bare(object):
    def __init__(self, **fields):
        self.__dict__.update(fields)


class Messages(object):
    """In place of the module ``sensor_msgs.msg`` of ROS 1 or 2."""

    PointField = Bare

    def __init__(self, number):
        self._number = number

    def _header(self):
        time = Bare(sec=0, nanosec=0) if self._number == 2 else Bare(secs=0, nsecs=0)
        return Bare(stamp=time, frame_id="")

    def PointCloud2(self):
        return Bare(header=self._header())

    def Image(self):
        return Bare(header=self._header())


@pytest.fixture(params=[1, 2])
def messages(request):
    return Messages(request.param)


def type_name(ros_number, name):
    return name if ros_number == 1 else name.replace("/", "/msg/")


def text_of(ros_number, text):
    return text + HEADER if ros_number == 1 else text


def string(text):
    coded = text.encode("utf-8")
    return struct.pack("<I", len(coded)) + coded


@pytest.mark.parametrize("shape", [(5,), (2, 3)])
def test_structs_become_a_cloud_and_come_back_as_what_they_were(messages, shape):
    dtype = np.dtype({"names": ["x", "ring", "normal"], "formats": ["f8", "u2", ("f4", (3,))],
                      "offsets": [0, 12, 16], "itemsize": 32})
    made = np.zeros(shape, dtype)
    made["x"], made["ring"], made["normal"] = 1.5, 7, [1, 2, 3]
    message = ros.pointcloud2(made, "lidar", 1.5, messages)
    assert (message.height, message.width) == ((1, 5) if shape == (5,) else (2, 3))
    assert [(f.name, f.offset, f.datatype, f.count) for f in message.fields] == [
        ("x", 0, 8, 1), ("ring", 12, 4, 1), ("normal", 16, 7, 3),
    ]
    assert message.header.frame_id == "lidar" and message.point_step == 32
    time = message.header.stamp
    assert (getattr(time, "sec", None) or time.secs) == 1
    assert (getattr(time, "nanosec", None) or time.nsecs) == 500000000
    found = ros.cloud(message)
    assert found.dtype == dtype and found.shape == shape
    assert all(np.array_equal(found[name], made[name]) for name in dtype.names)


def test_rows_of_floats_become_a_cloud_also_if_they_are_not_in_order(messages):
    made = np.arange(30, dtype=">f4").reshape(6, 5)[::2]
    message = ros.pointcloud2(made, messages=messages)
    assert [field.name for field in message.fields] == ["x", "y", "z", "intensity", "column4"]
    found = ros.cloud(message)
    assert found["y"].tolist() == [1, 11, 21] and found["column4"].tolist() == [4, 14, 24]
    assert found["x"].dtype == np.dtype("<f4")


def test_a_cloud_shares_the_memory_of_its_message():
    data = array.array("B", bytearray(POINT.itemsize * 3))
    message = ros.pointcloud2(points(3), messages=Messages(2))
    message.data = data
    found = ros.cloud(message)
    found["x"][1] = 4
    assert np.frombuffer(data, "f4")[4] == 4


@pytest.mark.parametrize("change", [
    {"point_step": 0}, {"point_step": 8}, {"width": 4}, {"height": 2, "row_step": 1},
    {"height": 2, "row_step": 48}, {"width": 2 ** 31},
])
def test_a_cloud_that_does_not_fit_its_data_is_refused(messages, change):
    message = ros.pointcloud2(points(3), messages=messages)
    ros.cloud(message)
    message.__dict__.update(change)
    with pytest.raises(io_shared.Invalid, match="PointCloud2"):
        ros.cloud(message)


def test_what_no_cloud_can_have_is_refused(messages):
    for wrong in (np.zeros(3), np.zeros((3, 2), "f4"), np.zeros((3, 4), "f2"),
                  np.zeros(3, [("x", "i8")]), np.zeros((1, 1, 1), POINT)):
        with pytest.raises(io_shared.Invalid):
            ros.pointcloud2(wrong, messages=messages)
    with pytest.raises(io_shared.WrongFields):
        ros.pointcloud2(points(1), "", "now", messages)
    message = ros.pointcloud2(points(1), messages=messages)
    for datatype in (0, 9):
        message.fields[0].datatype = datatype
        with pytest.raises(io_shared.Invalid, match="datatype"):
            ros.cloud(message)


@pytest.mark.parametrize("encoding, kind, channels", [
    (None, "u1", 1), (None, "u1", 3), (None, "u2", 1), (None, "f4", 1), ("bgr8", "u1", 3),
    ("mono16", "u2", 1), ("bgra8", "u1", 4), ("16SC2", "i2", 2), ("bayer_rggb8", "u1", 1),
    ("64FC1", "f8", 1), ("8UC", "u1", 1),
])
def test_images_come_back_as_what_they_were(messages, encoding, kind, channels):
    shape = (3, 20) if channels == 1 else (3, 20, channels)
    made = np.arange(60 * channels).astype(kind).reshape(shape)
    message = ros.to_image(made[:, ::2], encoding, "camera", messages=messages)
    assert message.step == 10 * channels * made.dtype.itemsize and (message.width == 10)
    found = ros.image(message)
    assert found.dtype == made.dtype and np.array_equal(found, made[:, ::2])


def test_an_image_may_have_space_between_its_rows_and_be_big_endian(messages):
    message = ros.to_image(np.zeros((2, 2), "u2"), messages=messages)
    message.step, message.is_bigendian = 6, 1
    message.data = struct.pack(">HHHHH", 1, 2, 99, 3, 4)
    assert ros.image(message).tolist() == [[1, 2], [3, 4]]
    message.height = 3
    with pytest.raises(io_shared.Invalid):
        ros.image(message)
    for encoding in ("yuv422", "", "8FC1", "8UC5", "12UC1", "C1"):
        message.encoding = encoding
        with pytest.raises(io_shared.Invalid, match="encoding"):
            ros.image(message)
        with pytest.raises(io_shared.Invalid):
            ros.to_image(np.zeros((2, 2), "u2"), encoding, messages=messages)
    for wrong in (np.zeros(3, "u1"), np.zeros((2, 2, 2), "u1"), np.zeros((2, 2), "i8")):
        with pytest.raises(io_shared.Invalid):
            ros.to_image(wrong, messages=messages)


def test_without_ros_it_is_said_that_its_messages_are_missing():
    try:
        import sensor_msgs.msg  # noqa: F401
    except ImportError:
        with pytest.raises(io_shared.Invalid, match="setup.bash"):
            ros.pointcloud2(points(1))


def test_a_time_of_ros_is_the_stamp(messages):
    class Now(object):
        def to_msg(self):
            return Bare(sec=3, nanosec=4)

    for stamp in (Now(), Bare(sec=3, nanosec=4), Bare(secs=3, nsecs=4)):
        time = ros.pointcloud2(points(1), "", stamp, messages).header.stamp
        assert sorted(vars(time).values()) == [3, 4]


class Bridge(object):
    """From bytes of ROS to a channel, and back."""

    def __init__(self, number, name, type_, text, **options):
        self.number, self.name = number, name
        self.converter = _ros.FromRos(type_, text, number, _ros.schema_of(name), **options)
        self.producer = None
        self.opened = 0

    def put(self, raw, tag=0):
        message = self.converter.convert(raw)
        if self.converter.version != self.opened:
            if self.producer:
                self.producer.close()
            self.producer = _ros.Producer(self.name, self.converter, open_timeout=1)
            self.opened = self.converter.version
        self.producer.put(message, tag=tag)
        return message

    def close(self):
        self.producer.close()


class Back(object):
    """From a channel to bytes of ROS."""

    def __init__(self, number, name, **options):
        self.consumer = _ros.Consumer(name, self._convert, open_timeout=5)
        self.converter = _ros.ToRos(self.consumer.schema, number, **options)

    def _convert(self, consumer, address, length):
        return self.converter.convert(address, length, 1500000000, "lidar")

    def get(self):
        return self.consumer.get(timeout=5)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("made", [
    np.arange(40, dtype="f4").reshape(10, 4), np.zeros((0, 3), "f8"), np.ones((40000, 4), "f4"),
])
def test_an_array_of_floats_goes_through_ros_and_comes_back(new_name, number, made):
    one, two = new_name(), new_name()
    share = io_shared.NumpyShare(one, mode="put")
    share.put(made)
    back = Back(number, one)
    raw = back.get()
    assert isinstance(raw, bytes) and back.consumer.stamp > 0
    assert back.converter.type == type_name(number, "sensor_msgs/PointCloud2")
    assert not back.converter.is_generated
    bridge = Bridge(number, two, back.converter.type, back.converter.definition)
    message = bridge.put(raw)
    assert (message.stamp_ns, message.frame_id) == (1500000000, "lidar")
    assert bridge.converter.has_frame and not bridge.converter.is_cdr
    found = io_shared.open(two).get(timeout=5)
    assert found.dtype == made.dtype and np.array_equal(found, made)


def test_the_sums_are_those_of_ros(name):
    for text, sum_ in ((CLOUD, "1158d486dd51d683ce2f1be655c3c181"),
                       (IMAGE, "060021388200f6f0f447d0fcd9c64743")):
        is_cloud = text == CLOUD
        type_ = "sensor_msgs/PointCloud2" if is_cloud else "sensor_msgs/Image"
        dtype = POINT if is_cloud else "u1"
        made = np.zeros(2, dtype) if is_cloud else np.zeros((2, 2), dtype)
        share = io_shared.NumpyShare(name, mode="put")
        share.put(made)
        back = Back(1, name)
        back.get()
        assert (back.converter.type, back.converter.md5sum) == (type_, sum_)
        back.consumer.close()
        share.close()
    bridge = Bridge(1, name + ".text", "std_msgs/String", "string data\n")
    bridge.put(string("a"))
    back = Back(1, name + ".text")
    assert back.converter.md5sum == "992ce8a1687cec8c8bd883ec73ca41d1"
    bridge.close()
    io_shared.remove(name + ".text")


def test_a_text_that_outgrows_its_room_gets_a_new_channel_that_readers_follow(name):
    bridge = Bridge(1, name, "std_msgs/String", "string data\n")
    bridge.put(string("short"))
    reader = io_shared.observe(name)
    assert reader.copy().data == "short"
    bridge.put(string("long" * 100))
    with pytest.raises(io_shared.Mismatch):
        reader.copy()
    assert io_shared.open(name).get(timeout=5).data == "long" * 100
    bridge.close()
    # A bridge that is started again goes on in the channel that is there.
    again = Bridge(1, name, "std_msgs/String", "string data\n")
    again.put(string("a"))
    assert again.producer.seq == 2
    back = Back(1, name)
    assert back.get() == string("a") and back.converter.type == "std_msgs/String"
    again.close()
    # Another type takes its place.
    other = Bridge(1, name, "std_msgs/UInt8", "uint8 data\n")
    other.put(b"\x07")
    assert io_shared.open(name).get(timeout=5).data == 7
    other.close()


def test_a_channel_of_another_program_keeps_its_type(name):
    dtype = np.dtype([("data", "S4"), ("more", "f4")])
    mine = io_shared.consumer(name, dtype)
    bridge = Bridge(1, name, "std_msgs/String", "string data\n")
    assert bridge.put(string("hello")).is_cut
    found = mine.get(timeout=5)
    assert (found.data, found.more) == ("hell", 0)
    wrong = Bridge(1, name, "std_msgs/UInt8", "uint8 data\n")
    with pytest.raises(io_shared.Invalid, match="data"):
        wrong.put(b"\x07")


def test_lists_grow(name):
    bridge = Bridge(1, name, "pkg/Numbers", "uint8 a\nfloat64[] x\nuint16[] y\n")
    reader = None
    for count in (1, 2, 1000, 100000, 3):
        x = np.arange(count, dtype="f8")
        y = np.arange(3, dtype="u2")
        raw = b"\x07" + struct.pack("<I", count) + x.tobytes() + struct.pack("<I", 3) + y.tobytes()
        bridge.put(raw, tag=count)
        reader = reader or io_shared.open(name)
        found = reader.get(timeout=5)
        assert found.a == 7 and np.array_equal(found.x, x) and np.array_equal(found.y, y)
        assert reader.tag == count and bridge.opened == 1
        back = Back(1, name)
        assert back.get() == raw
        back.consumer.close()


def test_what_no_struct_can_hold_is_the_same_bytes_again(name):
    raw = struct.pack("<IBI", 1, 7, 2) + string("a") + string("")
    for cdr in (False, True):
        bridge = Bridge(1, name, "p/All", "p/B[] all\n===\nMSG: p/B\nuint8 a\nstring[] names\n",
                        cdr=cdr)
        message = bridge.put(raw)
        assert bridge.converter.is_cdr and message.tobytes()[:4] == b"\0\1\0\0"
        back = Back(1, name)
        assert back.get() == raw and back.converter.type == "p/All"
        back.consumer.close()
        bridge.close()


def test_the_frame_of_an_array_is_in_the_channel_of_its_name(name):
    found = _ros.FrameConsumer(name)
    assert found.of(1) == (None, 0)
    frames = _ros.FrameProducer(name)
    frames.put("lidar", 12, 1)
    found._next_look = 0
    assert found.of(1) == ("lidar", 12) and found.of(2) == ("lidar", 0)
    frames.put(u"m\u00f6", 13, 2)
    assert found.of(2)[1] == 13
    frames.close()
    found.close()
    io_shared.remove(name + ".frame")


@pytest.mark.parametrize("number", [1, 2])
def test_bytes_that_are_no_message_are_an_error_and_the_next_one_is_put(name, number):
    type_, text = type_name(number, "sensor_msgs/PointCloud2"), text_of(number, CLOUD)
    bridge = Bridge(number, name, type_, text)
    for wrong in (b"", b"\0", b"\0\1\0\0", b"\xff" * 100, b"\0" * 3, b"\0\7\0\0" + b"\0" * 100):
        with pytest.raises(io_shared.Error) as caught:
            bridge.put(wrong)
        assert isinstance(caught.value, (io_shared.Corrupt, io_shared.Invalid))
        assert "PointCloud2" in str(caught.value)
    share = io_shared.NumpyShare(name + ".out", mode="put")
    share.put(points(3))
    raw = Back(number, name + ".out").get()
    for at in range(0, len(raw), 7):
        with pytest.raises(io_shared.Error):
            bridge.put(raw[:at])
    for kind in (bytes, bytearray, memoryview):
        bridge.put(kind(raw))
    assert np.array_equal(io_shared.open(name).get(timeout=5), points(3))
    share.close()
    io_shared.remove(name + ".out")


def test_a_definition_that_is_none_is_refused():
    for text in ("uint8", "p/B b\n", "uint8 a-b\n"):
        with pytest.raises(io_shared.Invalid, match="definition"):
            _ros.FromRos("p/msg/A", text)
    with pytest.raises(io_shared.Invalid):
        _ros.ToRos('"<f4"', kind="picture")


def test_its_functions_have_docstrings():
    public = [getattr(ros, name) for name in ("cloud", "pointcloud2", "image", "to_image")]
    assert all(isinstance(each, types.FunctionType) and ">>>" in each.__doc__ for each in public)
