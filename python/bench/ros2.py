"""Measures 5 MB from one Python node to another, by rclpy and by io_shared, in one run.

    ci/ros2.sh --bench [--count 300]

The rows are rclpy with Fast DDS as it is, rclpy with FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA, and
io_shared with copies and in place. A time is from just before the call of publish or put, with the
data ready in the sender's array, to when the receiver has the array. What was sent and did not
arrive is lost. io_shared's receiver takes the newest value, as a subscription of depth 1 does.
"""

import argparse
import os
import subprocess
import sys
import time

import numpy as np

import io_shared

CHANNEL = "/bench_ros2"
#: How many messages come first, which are not counted.
FIRST = 5


def positive(text):
    number = int(text)
    if number <= 0:
        raise ValueError(text)
    return number


def publisher(options):
    """Publishes PointCloud2 by rclpy."""
    import array

    import rclpy
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import PointCloud2

    rclpy.init()
    node = rclpy.create_node("bench_publisher")
    made = node.create_publisher(PointCloud2, "bench", QoSProfile(depth=1))
    while not made.get_subscription_count():
        time.sleep(0.01)
    message = PointCloud2(height=1, width=options.size // 16, point_step=16, row_step=options.size)
    # Without a copy for each message: a setter would check each byte.
    message.data = array.array("B", bytes(options.size))
    head = np.frombuffer(message.data, "i8", 2)

    def send(number):
        head[:] = number, time.monotonic_ns()
        made.publish(message)

    _paced(send, options)
    time.sleep(2)


def subscriber(options):
    """Subscribes by rclpy."""
    import rclpy
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import PointCloud2

    rclpy.init()
    node = rclpy.create_node("bench_subscriber")
    times = _Times(options)
    node.create_subscription(
        PointCloud2, "bench", lambda message: times.note(np.frombuffer(message.data, "u1")),
        QoSProfile(depth=1),
    )
    while not times.are_over():
        rclpy.spin_once(node, timeout_sec=0.1)
    times.tell()


def putter(options):
    """Puts arrays of points."""
    shape = (options.size // 16, 4)
    with io_shared.NumpyShare(CHANNEL, mode="put") as share:
        while not share.connected:
            time.sleep(0.01)
        cloud = np.zeros(shape, "f4")
        head = cloud.reshape(-1)[:4].view("i8")

        def send(number):
            head[:] = number, time.monotonic_ns()
            share.put(cloud)

        def send_in_place(number):
            with share.loan(shape, "f4", in_place=True) as out:
                out.reshape(-1)[:4].view("i8")[:] = number, time.monotonic_ns()

        _paced(send_in_place if options.in_place else send, options)
        time.sleep(1)


def getter(options):
    """Gets them."""
    times = _Times(options)
    with io_shared.NumpyShare(CHANNEL, mode="get", open_timeout=None) as share:
        while not times.are_over():
            try:
                get = share.borrow if options.in_place else share.get
                times.note(get(timeout=0.1).reshape(-1).view("u1"))
            except io_shared.Timeout:
                pass
    times.tell()


def _paced(send, options):
    """Calls ``send`` with numbers, at the rate."""
    due = time.monotonic()
    for number in range(FIRST + options.count):
        send(number)
        due += 1 / options.rate
        time.sleep(max(0, due - time.monotonic()))


class _Times:
    """How long each message took."""

    def __init__(self, options):
        self._count, self._last = options.count, None
        self._taken = {}

    def note(self, data):
        now = time.monotonic_ns()
        number, sent = (int(each) for each in data[:16].view("i8"))
        self._taken[number] = (now - sent) / 1e6
        self._last = time.monotonic()

    def are_over(self):
        """Whether the last has come, or nothing comes any more."""
        if FIRST + self._count - 1 in self._taken:
            return True
        return self._last is not None and time.monotonic() - self._last > 3

    def tell(self):
        times = [took for number, took in self._taken.items() if number >= FIRST]
        half, most = np.percentile(times, [50, 99]) if times else (np.nan, np.nan)
        print("%.2f ms | %.2f ms | %d of %d" % (half, most, self._count - len(times), self._count))


ROLES = {each.__name__: each for each in (publisher, subscriber, putter, getter)}
ROWS = [
    ("rclpy, Fast DDS's defaults", publisher, subscriber, {}, []),
    ("rclpy, `LARGE_DATA`", publisher, subscriber,
     {"FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA"}, []),
    ("io_shared, `put` and `get`", putter, getter, {}, []),
    ("io_shared, in place", putter, getter, {}, ["--in-place"]),
]


def measure(row, options):
    """One row of the table."""
    what, sender, receiver, environment, more = row
    words = ["--count", str(options.count), "--size", str(options.size), "--rate",
             str(options.rate)] + more
    started = [
        subprocess.Popen([sys.executable, __file__, "--role", role.__name__] + words,
                         env=dict(os.environ, **environment), stdout=subprocess.PIPE,
                         universal_newlines=True)
        for role in (receiver, sender)
    ]
    try:
        limit = (FIRST + options.count) / options.rate + 60
        said = started[0].communicate(timeout=limit)[0]
        started[1].wait(30)
    finally:
        for each in started:
            each.kill()
    if sender is putter:
        io_shared.remove(CHANNEL)
    return "| %s | %s |" % (what, said.strip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=positive, default=300, help="messages of each row")
    parser.add_argument("--size", type=positive, default=5_000_000, help="bytes of each")
    parser.add_argument("--rate", type=positive, default=10, help="messages a second")
    parser.add_argument("--role", choices=sorted(ROLES), help=argparse.SUPPRESS)
    parser.add_argument("--in-place", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.size -= options.size % 16
    if options.role:
        return ROLES[options.role](options)
    print("| %d messages of %.1f MB, %d a second | p50 | p99 | lost |"
          % (options.count, options.size / 1e6, options.rate))
    print("|---|--:|--:|--:|")
    for row in ROWS:
        print(measure(row, options), flush=True)


if __name__ == "__main__":
    main()
