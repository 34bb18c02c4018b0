"""Nodes of ROS 2 for the tests: one in the test's own process, and the bridge."""

import collections
import sys
import threading

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

import io_shared
from conftest import until


def qos(reliable=True, transient=False, depth=10):
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if transient else DurabilityPolicy.VOLATILE,
    )


class Node:
    """A node of rclpy, whose executor has a thread of its own."""

    def __init__(self, name="tester"):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node(name, context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def publisher(self, kind, topic, **policies):
        """A publisher that the bridge has matched."""
        made = self.node.create_publisher(kind, topic, qos(**policies))
        until(made.get_subscription_count, "the bridge to subscribe to %s" % topic)
        return made

    def listen(self, kind, topic, raw=False, **policies):
        """What comes from a topic, as it comes."""
        heard = collections.deque()
        made = self.node.create_subscription(kind, topic, heard.append, qos(**policies), raw=raw)
        return Heard(heard, made, topic)

    def close(self):
        self._executor.shutdown(timeout_sec=1)
        self._thread.join(5)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


class Heard:
    def __init__(self, messages, subscription, topic):
        self.messages, self.subscription, self.topic = messages, subscription, topic

    def next(self):
        """The next message, after waiting for it."""
        until(lambda: self.messages, "a message of %s" % self.topic)
        return self.messages.popleft()

    def matched(self):
        until(self.subscription.get_publisher_count, "a publisher of %s" % self.topic)
        return self


@pytest.fixture
def node():
    made = Node()
    yield made
    made.close()


@pytest.fixture
def other_node():
    """For another type of a topic, of which a node has one."""
    made = Node("other")
    yield made
    made.close()


@pytest.fixture
def bridge(start):
    """Starts a bridge."""
    return lambda *arguments: start(sys.executable, "-m", "io_shared.ros2", *arguments)


def latest(name):
    """The newest value of a channel; None if there is none."""
    try:
        with io_shared.open(name, open_timeout=0) as channel:
            return channel.latest()
    except (io_shared.NotFound, io_shared.Mismatch):  # or it is replaced just now
        return None


def keeps_putting(publisher, message, until_it):
    """Publishes until ``until_it`` returns something true, which best effort may need."""

    def attempt():
        publisher.publish(message)
        return until_it()

    return until(attempt, "a message to come")
