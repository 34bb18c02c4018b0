"""The node of ROS 2 that a bridge is."""

import hashlib
import os
import socket
import threading
import time

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import (
    DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
)
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription as RosSubscription

from io_shared._bridge import Refused, warn
from io_shared._ros2_types import definition, message_class
from io_shared._wait import monotonic

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # before ROS 2 Iron
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

#: Whether callbacks may take the number of a message, too: since ROS 2 Iron.
_HAS_INFO = hasattr(RosSubscription, "CallbackType")
#: How many seconds apart the publishers of topics are looked at.
_LOOK = 0.25
#: How many messages of a topic wait to be converted. A fast topic waits while a large message of
#: another one is.
_DEPTH = 10
#: How many seconds a publisher of another type may take to go.
_GONE = 0.3
#: What rclpy calls a node whose name it has not heard; and after how many seconds it is a program
#: that is none of ROS, and has no name.
_NAMELESS, _NAMED = "_NODE_NAME_UNKNOWN_", 2
#: Topics that nodes have for themselves.
_OWN = ("/rosout", "/parameter_events")


def _name():
    """The name of the node, if ROS's own arguments have none. Bridges over the same channels have
    the same, so that with ``--all`` none takes back what another one publishes from there. Those of
    other machines have others."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            machine = file.read()
    except (IOError, OSError):
        machine = socket.gethostname()
    try:
        memory = os.stat("/dev/shm").st_dev  # containers mostly have one each
    except OSError:
        memory = None
    channels = repr((machine, memory, os.environ.get("IO_SHARED_DOMAIN", "")))
    return "io_shared_bridge_" + hashlib.sha256(channels.encode("utf-8")).hexdigest()[:8]


class Ros(object):
    """The node. Its executor has a thread of its own, which calls what subscribed."""

    GENERATION = 2

    def __init__(self, arguments):
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        #: The bridge sets it: what is called if a thread of the node fails.
        self.fail = lambda: None
        self._subscriptions, self._closes = [], False
        #: When topics of nodes without a name were seen first.
        self._nameless = {}
        self._node = rclpy.create_node(_name())
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._node.create_timer(_LOOK, self._look, clock=steady)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin)
        self._thread.daemon = True
        self._thread.start()

    def _spin(self):
        try:
            self._executor.spin()
        except Exception:
            if not self._closes:
                self.fail()

    def topic(self, name):
        """The full name of a topic, with what ``--ros-args`` say of it."""
        try:
            return self._node.resolve_topic_name(name)
        except Exception as error:  # of types that differ between distributions
            raise Refused("%r is no topic of ROS: %s" % (name, error))

    def now(self):
        """The simulated time in nanoseconds; None without ``use_sim_time``."""
        clock = self._node.get_clock()
        return clock.now().nanoseconds if clock.ros_time_is_active else None

    def topics(self):
        """The topics that nodes of other names publish, without hidden ones."""
        return [
            name for name, _ in self._node.get_topic_names_and_types()
            if name not in _OWN and "/_" not in name and self._is_published(name)
        ]

    def _is_published(self, name):
        own = self._node.get_name(), self._node.get_namespace()
        publishers = self._node.get_publishers_info_by_topic(name)
        others = [each.node_name for each in publishers
                  if (each.node_name, each.node_namespace) != own]
        if any(node != _NAMELESS for node in others):
            return True
        # It may be one of our name, of which only the topic has been heard yet.
        return bool(others) and monotonic() > self._nameless.setdefault(name, monotonic()) + _NAMED

    def definition(self, type_):
        """The full name of a type, and its definition with those of all types in it."""
        parts = type_.split("/")
        return "/".join((parts[0], "msg", parts[-1])), definition(parts[0], parts[-1])

    def publisher(self, topic, type_, _definition, _md5sum):
        """A publisher that every subscriber matches; one that joins later has the last message."""
        events = PublisherEventCallbacks(
            incompatible_qos=lambda event: warn(
                "topic %s: a subscriber asks for another %s than this bridge publishes with"
                % (topic, _policy(event))
            ),
            use_default_callbacks=False,
        )
        kind, end = message_class(type_), monotonic() + _GONE
        while True:
            try:
                made = self._node.create_publisher(
                    kind, topic, _qos(1, True, True), event_callbacks=events
                )
                return _Publisher(self._node, made)
            except Exception as error:
                if monotonic() > end:
                    raise Refused("topic %s: %s" % (topic, error))
                time.sleep(0.01)

    def subscribe(self, topic, received):
        """Subscribes as soon as somebody publishes, in the way of the publishers."""
        made = Subscription(self, self._node, topic, received)
        self._subscriptions.append(made)
        return made

    def _look(self):
        for subscription in list(self._subscriptions):
            subscription.look()

    def forget(self, subscription):
        self._subscriptions.remove(subscription)

    def close(self):
        self._closes = True
        self._executor.shutdown(timeout_sec=0)
        self._thread.join(0.1)
        self._node.destroy_node()
        rclpy.try_shutdown()


class _Publisher(object):
    def __init__(self, node, publisher):
        self._node, self._publisher = node, publisher
        self.publish = publisher.publish

    def close(self):
        self._node.destroy_publisher(self._publisher)


class Subscription(object):
    """A subscription whose type and quality of service are those of the publishers: best effort if
    any of them is, transient local if all are. It follows when they change."""

    def __init__(self, ros, node, topic, received):
        self._ros, self._node, self._topic, self._received = ros, node, topic, received
        self._lock, self._closed = threading.Lock(), False
        self._subscription = None
        #: The type, and whether it is reliable and transient local.
        self._way = None
        self._told = None
        #: The number of the last message of the only publisher, and how many are missing before it.
        self._number, self.lost = None, 0
        self.look()

    def look(self):
        """Looks at the publishers, and subscribes anew if they are others than before."""
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        if len(publishers) != 1:
            self._number = None
        self._is_one = len(publishers) == 1
        if not publishers:
            if self._way is None:
                self._tell("nobody publishes it yet: waiting")
            return
        types = sorted(set(each.topic_type for each in publishers))
        had = self._way and self._way[0]
        way = (
            had if had in types else types[0],
            not any(_is(each.qos_profile.reliability, "BEST_EFFORT") for each in publishers),
            all(_is(each.qos_profile.durability, "TRANSIENT_LOCAL") for each in publishers),
        )
        if len(types) > 1:
            self._tell("it has publishers of %s: only those of %s are heard"
                       % (" and of ".join(types), way[0]))
        with self._lock:
            is_same = way == self._way
            if self._closed or (is_same and self._subscription is not None):
                return
            self._drop()
            self._way, self._number = way, None
            try:
                self._subscription = self._subscribe(*way)
            except Refused as error:
                # One of another type may go only when this callback has ended.
                if is_same:
                    self._tell(error)

    def _subscribe(self, type_, is_reliable, is_transient):
        kind, parts = message_class(type_), type_.split("/")
        text = definition(parts[0], parts[-1])
        events = SubscriptionEventCallbacks(
            incompatible_qos=lambda event: self._tell(
                "a publisher offers another %s than this bridge asks for" % _policy(event)
            ),
            use_default_callbacks=False,
        )

        def arrived(raw, info):
            self._arrived(raw, info, type_, text)

        try:
            return self._node.create_subscription(
                kind, self._topic, arrived if _HAS_INFO else lambda raw: arrived(raw, {}),
                _qos(_DEPTH, is_reliable, is_transient), raw=True, event_callbacks=events,
            )
        except Exception as error:
            raise Refused(error)

    def _arrived(self, raw, info, type_, text):
        number = info.get("publication_sequence_number") if self._is_one else None
        if number is not None and self._number is not None:
            # A publisher that is started again counts from 1.
            self.lost += max(0, number - self._number - 1)
        self._number = number
        self._received(raw, type_, text)

    def _tell(self, what):
        text = "topic %s: %s" % (self._topic, what)
        if text != self._told:
            self._told = text
            warn(text)

    def _drop(self):
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def close(self):
        self._ros.forget(self)
        with self._lock:
            self._closed = True
            self._drop()


def _qos(depth, is_reliable, is_transient):
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if is_transient else DurabilityPolicy.VOLATILE,
    )


def _is(policy, name):
    return policy.name == name


def _policy(event):
    return qos_policy_name_from_kind(event.last_policy_kind)
