"""The node of ROS 2 next to a stub of rclpy, for versions of it that cannot be installed here.
ci/ros2.sh tests the node with the real one."""

import importlib
import re
import sys
import types

import pytest

#: What the node imports of rclpy, by module.
NAMES = {
    "rclpy": "",
    "rclpy.clock": "Clock ClockType",
    "rclpy.event_handler": "PublisherEventCallbacks SubscriptionEventCallbacks",
    "rclpy.executors": "SingleThreadedExecutor",
    "rclpy.qos": "DurabilityPolicy QoSProfile ReliabilityPolicy qos_policy_name_from_kind",
    "rclpy.signals": "SignalHandlerOptions",
}


class Anything(object):
    """Stands for what these tests do not look at: it has every attribute, and can be called."""

    def __getattr__(self, name):
        return self

    def __call__(self, *_, **__):
        return self


class OfHumble(object):
    """A stub of rclpy's class in ROS 2 Humble: its callback takes the message alone."""

    def __init__(self, callback):
        self._callback = callback

    def take(self, raw, info):
        self._callback(raw)


class OfIron(OfHumble):
    """A stub of rclpy's class since ROS 2 Iron: its callback may take two arguments."""

    CallbackType = Anything()

    def take(self, raw, info):
        self._callback(raw, info)


class Endpoint(object):
    """What rclpy says of a publisher."""

    topic_type = "std_msgs/msg/String"
    qos_profile = Anything()

    def __init__(self, node_name="talker"):
        self.node_name, self.node_namespace = node_name, "/"


class Node(object):
    """A stub of rclpy's node."""

    def __init__(self, kind):
        self._kind, self.made = kind, []
        self.publishers = [Endpoint()]

    def get_name(self):
        return "own"

    def get_namespace(self):
        return "/"

    def get_topic_names_and_types(self):
        return [("/text", [Endpoint.topic_type])]

    def get_publishers_info_by_topic(self, topic):
        return self.publishers

    def create_subscription(self, kind, topic, callback, *_, **__):
        self.made.append(self._kind(callback))
        return self.made[-1]


@pytest.fixture
def node_module(monkeypatch):
    """Imports the node next to a stub of rclpy with this class of subscriptions."""

    def run(subscription):
        modules = {name: words.split() for name, words in NAMES.items()}
        for name, words in dict(modules, **{"rclpy.subscription": ["Subscription"]}).items():
            module = types.ModuleType(name)
            for word in words:
                setattr(module, word, Anything())
            monkeypatch.setitem(sys.modules, name, module)
        sys.modules["rclpy.subscription"].Subscription = subscription
        monkeypatch.delitem(sys.modules, "io_shared._ros2_node", raising=False)
        module = importlib.import_module("io_shared._ros2_node")
        monkeypatch.setattr(module, "message_class", lambda type_: None)
        monkeypatch.setattr(module, "definition", lambda package, name: "string data\n")
        return module

    yield run
    sys.modules.pop("io_shared._ros2_node", None)


@pytest.mark.parametrize("kind, lost", [(OfHumble, 0), (OfIron, 3)])
def test_a_subscription_hears_messages_with_and_without_their_numbers(node_module, kind, lost):
    node, heard = Node(kind), []
    subscription = node_module(kind).Subscription(
        None, node, "/text", lambda raw, type_, text: heard.append((raw, type_, text))
    )
    for raw, number in ((b"a", 1), (b"b", 5)):
        node.made[0].take(raw, {"publication_sequence_number": number})
    assert heard == [(raw, "std_msgs/msg/String", "string data\n") for raw in (b"a", b"b")]
    assert subscription.lost == lost


def test_bridges_have_the_same_name_if_they_have_the_same_channels(node_module, monkeypatch):
    module, names = node_module(OfIron), []
    for domain in (None, None, "other"):
        if domain is not None:
            monkeypatch.setenv("IO_SHARED_DOMAIN", domain)
        names.append(module._name())
    memory = type("OfAnotherContainer", (), {"st_dev": 12345})
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "stat", lambda path: memory)
        names.append(module._name())
    assert names[0] == names[1] and len(set(names)) == 3
    assert all(re.match("io_shared_bridge_[0-9a-f]{8}$", name) for name in names)


def test_a_topic_whose_node_has_no_name_yet_waits_for_it(node_module, monkeypatch):
    module, seconds = node_module(OfIron), [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: seconds[0])
    node, ros = Node(OfIron), module.Ros.__new__(module.Ros)
    ros._node, ros._nameless = node, {}
    node.publishers = [Endpoint("_NODE_NAME_UNKNOWN_")]
    assert ros.topics() == []
    node.publishers = [Endpoint("own")]
    assert ros.topics() == []
    # A program that is none of ROS has no name, ever.
    node.publishers = [Endpoint("_NODE_NAME_UNKNOWN_"), Endpoint("own")]
    assert ros.topics() == []
    seconds[0] += 10
    assert ros.topics() == ["/text"]
    node.publishers = [Endpoint()]
    assert ros.topics() == ["/text"]
