"""``python -m io_shared.ros1``: a ROS 1 node that publishes channels, and puts what topics bring.

It runs on the user's rospy, in Python 2.7 or 3. Messages go in and out of rospy as bytes
(``AnyMsg``), so the Python packages of their types need not be there. ``_bridge`` has what this
node and that of ROS 2 have in common; here is what it asks of ROS.

Publishers are latched: whoever subscribes gets the last message at once. For each subscriber one
message waits at most, and a newer one takes its place. Only one thread talks to the master, which
may be frozen, gone or restarted: messages go on meanwhile.
"""

from __future__ import print_function

import contextlib
import os
import signal
import socket
import sys
import threading

try:
    import http.client as http
    import queue
    import xmlrpc.client as xmlrpc
except ImportError:  # Python 2.7
    import httplib as http
    import Queue as queue
    import xmlrpclib as xmlrpc

from io_shared import _bridge, _bridge_options

try:
    import rosgraph
    import roslib.message
    import rospy
except ImportError as error:
    rospy, _absent = None, str(error)

_HOW = """\
python -m io_shared.ros1 needs rospy, and %s has none (%s).
Source the setup.bash of your ROS first. Debian 12 has ROS 1 as packages of its Python:

    sudo apt-get install python3-rospy python3-sensor-msgs python3-numpy
    /usr/bin/python3 -m venv --system-site-packages ros     # then install io_shared there
"""

#: Seconds that the master may take to answer a question.
PATIENCE = 1.0
#: Seconds between two looks at the master.
LOOK = 1.0
#: Seconds that leaving the master may take at the end.
LEAVING = 0.1
#: The most bytes that rospy reads from a socket at once.
READ = 1 << 24
#: What every node publishes, and the clock of a simulation.
_INTERNAL = frozenset(["/rosout", "/rosout_agg", "/clock"])
#: The code of an answer by which the master, or a node, did what it was asked.
_OK = 1


class Ros1(object):
    """This process's node, as ``_bridge`` wants it."""

    GENERATION = 1
    #: What a thread calls that fails, within its ``except``. The bridge sets it.
    fail = None

    def __init__(self):
        _check_master()
        with _interruptible():
            # It waits for the master. Each process is a node of its own name, or of `__name:=`.
            rospy.init_node("io_shared", anonymous=True, disable_signals=True)
        self._is_simulated = bool(rospy.get_param("/use_sim_time", False))
        self._master, self._chores, self._is_over = _Api(), queue.Queue(), False
        self._wants_topics, self._topics = False, []
        #: The subscriptions by their topics. And the topics of which rospy may have overlooked a
        #: publisher, with the publishers that it was told of last.
        self._subscriptions, self._unsure = {}, {}
        # The master ends nodes: by `rosnode kill`, and for another one of the same name.
        rospy.on_shutdown(self._end)
        thread = threading.Thread(target=self._talk)
        thread.daemon = True
        thread.start()

    def topic(self, name):
        """The full name of a topic, after the remappings of the command line."""
        return rospy.resolve_name(name)

    def definition(self, type_name):
        """The name and the definition of a type whose package is there."""
        found = None
        try:
            found = roslib.message.get_message_class(type_name)
        except (ImportError, ValueError):
            pass
        if found is None:
            raise _bridge.Refused(
                "%s: rospy finds no such type of message here. Its name is PACKAGE/NAME; install "
                "its package, or source the setup.bash of the workspace that has it" % type_name
            )
        return found._type, found._full_text

    def publisher(self, topic, type_name, text, md5sum):
        """Publishes bytes: messages of this type, with this definition."""
        _check(topic)
        kind = type("Raw", (rospy.AnyMsg,), {
            "__slots__": (), "_type": type_name, "_full_text": text, "_md5sum": md5sum,
        })
        return _Publisher(self._chores.put, topic, kind)

    def subscribe(self, topic, received):
        """Has ``received`` called with the bytes, the type and the definition of each message, by
        a thread for each publisher."""
        _check(topic)
        return _Subscription(self._chores.put, topic, received, self._subscriptions, self._unsure)

    def topics(self):
        """What other nodes publish, as of the last look at the master."""
        self._wants_topics = True
        return self._topics

    def now(self):
        """Simulated time in nanoseconds, where there is one; 0 before the clock has come."""
        return rospy.get_rostime().to_nsec() if self._is_simulated else None

    def close(self):
        """Leaves the master, unless that takes too long."""
        self._is_over = True
        left = threading.Event()
        # It comes after rospy's own, which leaves the master. What is later waits for threads.
        rospy.core.add_preshutdown_hook(lambda reason: left.set())
        leaving = threading.Thread(target=rospy.signal_shutdown, args=("the bridge ends",))
        leaving.daemon = True
        leaving.start()
        left.wait(LEAVING)

    def _end(self):
        if not self._is_over:
            _bridge.warn("ROS ends this node")
            os.kill(os.getpid(), signal.SIGTERM)

    def _talk(self):
        """Registers what is to be registered, and looks at the master in between."""
        while not self._is_over:
            try:
                chore = self._chores.get(timeout=LOOK)
            except queue.Empty:
                chore = self._look
            try:
                chore()
            except Exception:
                if not self._is_over:
                    self.fail()

    def _look(self):
        code, _ = self._master.ask("lookupNode", rospy.get_name())
        if code not in (None, _OK) and not self._is_over:
            self._register()
        for topic, told in list(self._unsure.items()):
            self._connect(topic, told)
        if self._wants_topics:
            own, (_, system) = rospy.get_name(), self._master.ask("getSystemState")
            self._topics = self._topics if system is None else [
                topic for topic, nodes in system[0]
                if topic not in _INTERNAL and any(node != own for node in nodes)
            ]

    def _register(self):
        """Tells a master that was restarted what this node publishes and subscribes to, which no
        node of rospy does by itself. Its connections stay."""
        uri = rospy.get_node_uri()
        node = _Api(uri)
        for topic, type_name in node.ask("getPublications")[1] or ():
            self._master.ask("registerPublisher", topic, type_name, uri)
        for topic, type_name in node.ask("getSubscriptions")[1] or ():
            code, publishers = self._master.ask("registerSubscriber", topic, type_name, uri)
            if code == _OK:
                node.ask("publisherUpdate", topic, publishers)
                if topic in self._subscriptions:
                    self._unsure[topic] = publishers  # others register at the same time
        _bridge.say("the ROS master was restarted: registered with it again")

    def _connect(self, topic, told):
        """Has rospy connect to the publishers of a topic that it has overlooked.

        That are those of which the master tells while its answer to a registration, which does not
        have them, is under way: rospy takes the one that comes last. What the master tells of later
        comes in order, so it need not be asked again once it says nothing new.
        """
        uri = rospy.get_node_uri()
        publishers = self._master.ask("registerSubscriber", topic, rospy.AnyMsg._type, uri)[1]
        if publishers is None:
            return  # the next look asks again
        # Told of a publisher to which it is connecting, rospy would connect to it twice.
        is_connected = told is None and len(publishers) <= self._subscriptions[topic].connections()
        if publishers == told or is_connected:
            del self._unsure[topic]
        else:
            self._unsure[topic] = publishers
            _Api(uri).ask("publisherUpdate", topic, publishers)


class _Publisher(object):
    """``later`` takes what the thread that talks to the master shall call."""

    def __init__(self, later, topic, kind):
        self._later, self._topic, self._kind = later, topic, kind
        self._lock = threading.Lock()
        #: rospy's, once the master knows it; until then, the message that it will begin with.
        self._publisher = self._first = None
        later(self._register)

    def _register(self):
        publisher = rospy.Publisher(
            self._topic, self._kind, latch=True, queue_size=1, tcp_nodelay=True
        )
        with self._lock:
            self._publisher = publisher
            if self._first is not None:
                publisher.publish(self._first)

    def publish(self, raw):
        """Publishes bytes, which rospy keeps for later subscribers."""
        message = self._kind()
        message._buff = raw
        with self._lock:
            if self._publisher is None:
                self._first = message
            else:
                self._publisher.publish(message)

    def close(self):
        """Ends the publication."""
        self._later(lambda: self._publisher.unregister())


class _Subscription(object):
    """``later`` takes what the thread that talks to the master shall call. That thread notes
    it in ``subscriptions`` and ``unsure``, by its topic, once it is registered."""

    #: How many messages are known not to have come to this node: nothing in ROS 1 counts them.
    lost = 0

    def __init__(self, later, topic, received, subscriptions, unsure):
        self._topic, self._later, self._received = topic, later, received
        self._subscriptions, self._unsure = subscriptions, unsure
        self._subscriber, self._told = None, set()
        later(self._register)

    def _register(self):
        # Without a queue: each message is passed on, in the order in which they come.
        self._subscriber = rospy.Subscriber(
            self._topic, rospy.AnyMsg, self._on, buff_size=READ, tcp_nodelay=True
        )
        self._subscriptions[self._topic], self._unsure[self._topic] = self, None

    def connections(self):
        """With how many publishers it is connected, or about to be."""
        return self._subscriber.get_num_connections()

    def _on(self, message):
        header = message._connection_header
        type_name, text = header["type"], header.get("message_definition")
        if text:
            self._received(message._buff, type_name, text)
        elif type_name not in self._told:
            self._told.add(type_name)
            _bridge.warn(
                "%s: %s publishes %s without its definition, and nothing of it is passed on"
                % (self._topic, header.get("callerid", "a node"), type_name)
            )

    def close(self):
        """Ends the subscription."""
        self._later(self._unregister)

    def _unregister(self):
        for known in (self._subscriptions, self._unsure):
            known.pop(self._topic, None)
        self._subscriber.unregister()


class _Api(object):
    """The XML-RPC interface of the master, or of a node."""

    #: What a question may end with, if there is no answer.
    _FAILURES = (socket.error, xmlrpc.Error, http.HTTPException)

    def __init__(self, uri=None):
        self._uri = uri or rosgraph.get_master_uri()

    def ask(self, method, *arguments):
        """The code and the value of an answer; None and None if none comes in time."""
        asked = xmlrpc.ServerProxy(self._uri, transport=_Impatient())
        try:
            code, _, value = getattr(asked, method)(rospy.get_name(), *arguments)
        except self._FAILURES:
            return None, None
        return code, value if code == _OK else None


class _Impatient(xmlrpc.Transport):
    def make_connection(self, host):
        connection = xmlrpc.Transport.make_connection(self, host)
        connection.timeout = PATIENCE
        return connection


@contextlib.contextmanager
def _interruptible():
    """SIGINT and SIGTERM end the block with a KeyboardInterrupt."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def _check_master():
    uri = rosgraph.get_master_uri()
    try:
        rosgraph.network.parse_http_host_and_port(uri)
    except ValueError:
        raise ValueError(
            "the ROS master cannot be at %r: set ROS_MASTER_URI to http://HOST:11311/" % uri
        )


def _check(topic):
    if not rosgraph.names.is_legal_name(topic):
        raise _bridge.Refused(
            "%s is no name of a topic in ROS 1: use letters, digits, _ and / in it" % topic
        )


def main():
    """Runs the node until Ctrl-C, SIGTERM or ROS ends it."""
    if rospy is None:
        print(_HOW % (sys.executable, _absent), file=sys.stderr, end="")
        return 1
    options = _bridge_options.parse(
        "python -m io_shared.ros1", __doc__.split("\n")[0], rospy.myargv(sys.argv)[1:]
    )
    try:
        code = _bridge.serve(Ros1, options)
    except KeyboardInterrupt:  # while it waited for the master
        code = 130
    except (rospy.ROSException, ValueError) as error:
        _bridge.warn("%s" % error)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # At an exit in order, Python would wait for rospy's threads.
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
