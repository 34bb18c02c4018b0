"""A node that publishes: publish.py TOPIC KIND [COUNT BYTES RATE]

KIND is String or PointCloud2. It waits for a subscriber first, and ends when its messages have been
taken, or at once when it is killed.
"""

import sys
import time

import rclpy
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import String

from ros2_nodes import qos


def clouds(count, size):
    """Clouds whose first bytes are their numbers."""
    fields = [PointField(name=name, offset=4 * number, datatype=PointField.FLOAT32, count=1)
              for number, name in enumerate(("x", "y", "z", "intensity"))]
    message = PointCloud2(height=1, width=size // 16, fields=fields, point_step=16, row_step=size,
                          is_dense=True)
    message.header.frame_id = "lidar"
    data = bytearray(size)
    for number in range(count):
        data[:4] = number.to_bytes(4, "little")
        message.data = bytes(data)
        yield message


def strings(count):
    for number in range(count):
        yield String(data=str(number))


def main():
    topic, kind = sys.argv[1:3]
    count, size, rate = (list(map(int, sys.argv[3:])) + [10 ** 9, 0, 20][len(sys.argv) - 3:])
    rclpy.init()
    node = rclpy.create_node("publisher")
    types = {"String": String, "PointCloud2": PointCloud2}
    publisher = node.create_publisher(types[kind], topic, qos(transient=True))
    while not publisher.get_subscription_count():
        time.sleep(0.01)
    print("matched", flush=True)
    due = time.monotonic()
    for message in clouds(count, size) if kind == "PointCloud2" else strings(count):
        publisher.publish(message)
        due += 1 / rate
        time.sleep(max(0, due - time.monotonic()))
    time.sleep(2)


main()
