"""Messages of ROS as NumPy arrays, and back, in ROS 1 and ROS 2: clouds of points and images.

>>> points = io_shared.ros.cloud(message)                       # sensor_msgs/PointCloud2
>>> publisher.publish(io_shared.ros.pointcloud2(points, "lidar", message.header.stamp))
>>> picture = io_shared.ros.image(message)                      # sensor_msgs/Image
>>> publisher.publish(io_shared.ros.to_image(picture, "bgr8", "camera"))

The objects are those of ``rclpy`` or ``rospy``, of whichever is installed. Nothing here needs
either to be imported.
"""

import array as _array

import numpy as np

from io_shared import errors

#: NumPy's kinds and sizes, in the order of PointField's numbers from 1 on.
_DATATYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")
_COLUMNS = ("x", "y", "z", "intensity")
_PIXELS = {
    "mono8": ("u1", 1), "mono16": ("u2", 1),
    "rgb8": ("u1", 3), "bgr8": ("u1", 3), "rgba8": ("u1", 4), "bgra8": ("u1", 4),
    "rgb16": ("u2", 3), "bgr16": ("u2", 3), "rgba16": ("u2", 4), "bgra16": ("u2", 4),
}
_KINDS = {"U": "u", "S": "i", "F": "f"}
#: What an image without a stated encoding is, by its dtype and its channels.
_GUESSED = {("u1", 1): "mono8", ("u1", 3): "rgb8", ("u2", 1): "16UC1", ("f4", 1): "32FC1"}


def cloud(message):
    """The points of a PointCloud2 as a structured array of shape (width,), or (height, width) if
    there are several rows.

    It shares the memory of ``message.data`` if that has any to share (bytes, ``array.array``), and
    is read-only then if the data is. :class:`Invalid`: what the message says of its points does
    not fit them.

    >>> points = io_shared.ros.cloud(message)
    >>> points["x"].mean()
    """
    names, formats, offsets = [], [], []
    step = int(message.point_step)
    for field in message.fields:
        if not field.name.strip("_"):
            continue  # it stands for padding
        if not 1 <= field.datatype <= len(_DATATYPES):
            raise errors.Invalid(
                "field `%s` of a PointCloud2 has the datatype %s, which is none of 1 to 8"
                % (field.name, field.datatype)
            )
        inner, count = np.dtype(_order(message) + _DATATYPES[field.datatype - 1]), field.count or 1
        if field.offset + inner.itemsize * count > step:
            raise errors.Invalid(
                "field `%s` of a PointCloud2 ends after byte %d of a point of %d bytes"
                % (field.name, field.offset + inner.itemsize * count, step)
            )
        names.append(str(field.name))
        formats.append(inner if count == 1 else np.dtype((inner, (int(count),))))
        offsets.append(int(field.offset))
    if len(set(names)) != len(names) or step < 1:
        raise errors.Invalid(
            "a PointCloud2 whose points have %s"
            % ("no bytes" if step < 1 else "two fields of the same name")
        )
    dtype = np.dtype(
        {"names": names, "formats": formats, "offsets": offsets, "itemsize": step}
    )
    shape = (int(message.height), int(message.width))
    rows = _rows(message.data, shape, dtype, int(message.row_step), "PointCloud2")
    return rows[0] if shape[0] == 1 else rows


def pointcloud2(array, frame_id="", stamp=None, messages=None):
    """A PointCloud2 of the points in ``array``: structs, whose fields become those of the points;
    or floats in rows of x, y, z, intensity and further columns.

    ``stamp``: a time of ROS (that of another header, ``node.get_clock().now()``,
    ``rospy.Time.now()``), or seconds since 1970; None is 0. ``messages``: the module that has
    PointCloud2 and PointField, if it is not ``sensor_msgs.msg``.

    >>> publisher.publish(io_shared.ros.pointcloud2(points, "lidar", node.get_clock().now()))
    """
    messages = _messages(messages)
    array = np.asarray(array)
    if array.dtype.names is not None:
        fields, array = _fields_of(array.dtype), _little(array)
    elif array.ndim == 2 and array.dtype.kind == "f" and 3 <= array.shape[1]:
        array = _little(array)
        size, kind = array.dtype.itemsize, array.dtype
        names = ["column%d" % i if i > 3 else _COLUMNS[i] for i in range(array.shape[1])]
        fields = [(name, i * size, kind, 1) for i, name in enumerate(names)]
        rows = np.ascontiguousarray(array)
        array = np.ndarray(rows.shape[:1], "V%d" % (size * rows.shape[1]), rows)
    else:
        raise errors.Invalid(
            "points are an array of structs, or of floats with 3 columns or more, not %s of shape "
            "%s" % (array.dtype, array.shape)
        )
    if not 1 <= array.ndim <= 2:
        raise errors.Invalid("points have one or two axes, not the shape %s" % (array.shape,))
    made = messages.PointCloud2()
    made.height, made.width = array.shape if array.ndim == 2 else (1, array.shape[0])
    made.fields = [_point_field(messages, *field) for field in fields]
    made.is_bigendian, made.is_dense = False, False  # nobody has looked whether all are valid
    made.point_step = array.dtype.itemsize
    made.row_step = made.point_step * made.width
    return _filled(made, array, frame_id, stamp)


def image(message):
    """The pixels of an Image as an array of shape (height, width) or (height, width, channels).

    It shares the memory of ``message.data`` as that of :func:`cloud` does. :class:`Invalid`: the
    encoding is not one of numbers side by side (``yuv422``), or there are too few bytes.

    >>> picture = io_shared.ros.image(message)
    >>> picture.shape
    (480, 640, 3)
    """
    kind, channels = _pixel(message.encoding)
    shape = (int(message.height), int(message.width)) + (() if channels == 1 else (channels,))
    dtype = np.dtype(_order(message) + kind)
    return _rows(message.data, shape, dtype, int(message.step), "Image")


def to_image(array, encoding=None, frame_id="", stamp=None, messages=None):
    """An Image of the pixels in ``array``, of shape (height, width) or (height, width, channels).

    ``encoding``: as in ROS (``bgr8``, ``mono16``, ``8UC4``). Without one, it is ``mono8``,
    ``rgb8``, ``16UC1`` or ``32FC1``. ``stamp`` and ``messages``: as for :func:`pointcloud2`.

    >>> publisher.publish(io_shared.ros.to_image(picture, "bgr8", "camera"))
    """
    messages = _messages(messages)
    array = _little(np.asarray(array))
    kind = array.dtype.str[1:]
    channels = array.shape[2] if array.ndim == 3 else 1
    if encoding is None:
        encoding = _GUESSED.get((kind, channels))
    if array.ndim not in (2, 3) or encoding is None or _pixel(encoding) != (kind, channels):
        raise errors.Invalid(
            "an array of %s of shape %s is no image%s: name an encoding that it has"
            % (array.dtype, array.shape, "" if encoding is None else " of encoding " + encoding)
        )
    made = messages.Image()
    made.height, made.width = array.shape[:2]
    made.encoding, made.is_bigendian = encoding, 0
    made.step = array.dtype.itemsize * channels * made.width
    return _filled(made, array, frame_id, stamp)


def _order(message):
    return ">" if message.is_bigendian else "<"


def _rows(data, shape, dtype, step, what):
    """The elements in ``data``, whose rows are ``step`` bytes apart."""
    if isinstance(data, (list, tuple)):
        data = np.array(data, np.uint8)
    elif len(data) == 0:
        data = np.zeros(0, np.uint8)
    data = np.frombuffer(data, np.uint8)
    inner = dtype.itemsize
    for axis in shape[2:]:
        inner *= axis
    row = inner * shape[1]
    step = row if shape[0] <= 1 else step
    if step < row or (shape[0] - 1) * step + row > len(data) or shape[0] < 0:
        raise errors.Invalid(
            "%s of %d rows of %d bytes, %d bytes apart, cannot lie in %d bytes of data"
            % (what, shape[0], row, step, len(data))
        )
    strides = (step, inner) + ((dtype.itemsize,) if len(shape) == 3 else ())
    return np.ndarray(shape, dtype, data, strides=strides)


def _pixel(encoding):
    """The dtype of an encoding's numbers, and how many of them a pixel has."""
    if encoding in _PIXELS:
        return _PIXELS[encoding]
    if encoding.startswith("bayer_"):
        return ("u2" if encoding.endswith("16") else "u1"), 1
    bits, kind, channels = encoding.rstrip("0123456789C"), "", ""
    kind = bits[-1:]
    bits = bits[:-1]
    channels = encoding[len(bits) + 1 :]
    known = bits in ("8", "16", "32", "64") and kind in _KINDS and channels[:1] == "C"
    if not known or (kind, bits) == ("F", "8") or channels[1:] not in ("", "1", "2", "3", "4"):
        raise errors.Invalid("an image of encoding %r cannot be an array of numbers" % (encoding,))
    return "%s%d" % (_KINDS[kind], int(bits) // 8), int(channels[1:] or 1)


def _little(array):
    """``array`` with numbers in the order of this machine, one after the other."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")) if array.ndim else array


def _fields_of(dtype):
    """``(name, offset, number, count)`` of each field."""
    fields = []
    for name in dtype.names:
        inner, offset = dtype.fields[name][:2]
        base, count = inner.base, 1
        for axis in inner.shape:
            count *= axis
        fields.append((name, offset, base, count))
    return fields


def _point_field(messages, name, offset, base, count):
    kind = base.str[1:].replace("b1", "u1")
    if kind not in _DATATYPES:
        raise errors.Invalid(
            "field `%s` is %s, which no PointCloud2 can have: use integers of up to 32 bits, f4 or "
            "f8" % (name, base)
        )
    made = messages.PointField()
    made.name, made.offset, made.count = str(name), int(offset), int(count)
    made.datatype = _DATATYPES.index(kind) + 1
    return made


def _messages(messages):
    if messages is not None:
        return messages
    try:
        import sensor_msgs.msg
    except ImportError as error:
        raise errors.alone(errors.Invalid(
            "the messages of ROS are not installed (%s): source its setup.bash, or pass messages="
            % (error,)
        ))
    return sensor_msgs.msg


def _filled(message, array, frame_id, stamp):
    """``message`` with its header and the bytes of ``array``."""
    time = message.header.stamp
    seconds, nanos = _time(stamp)
    if hasattr(time, "nanosec"):
        time.sec, time.nanosec = seconds, nanos
        data = _array.array("B")
        # An array.array is taken as it is; anything else is checked number by number.
        if not hasattr(data, "frombytes"):  # Python 2
            data.fromstring(array.tobytes())
        elif array.size:
            data.frombytes(memoryview(array.reshape(-1).view(np.uint8)))
        message.data = data
    else:
        time.secs, time.nsecs = seconds, nanos
        message.data = array.tobytes()
    message.header.frame_id = frame_id
    return message


def _time(stamp):
    """Whole seconds, and nanoseconds."""
    if stamp is None:
        return 0, 0
    if hasattr(stamp, "to_msg"):
        stamp = stamp.to_msg()
    for seconds, nanos in (("sec", "nanosec"), ("secs", "nsecs")):
        if hasattr(stamp, nanos):
            return int(getattr(stamp, seconds)), int(getattr(stamp, nanos))
    try:
        nanos = int(round(float(stamp) * 1e9))
    except (TypeError, ValueError):
        raise errors.alone(errors.WrongFields(
            "stamp is a time of ROS or a number of seconds, not %r" % (stamp,)
        ))
    return nanos // 10 ** 9, nanos % 10 ** 9
