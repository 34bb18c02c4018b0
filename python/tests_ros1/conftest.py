"""What the tests of io_shared.ros1 have in common: a ROS master, and programs on each Python.

IO_SHARED_ROS1_PYTHONS: interpreters that have rospy and io_shared, separated by colons.
IO_SHARED_COMMAND: the io-shared command. ci/ros1.sh sets them, without which nothing can be tested.
Every wait has a timeout.
"""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import xmlrpc.client

import pytest

#: The programs of the tests see no channels but their own.
os.environ["IO_SHARED_DOMAIN"] = "ros1-tests-%d" % os.getpid()

import io_shared  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHONS = os.environ["IO_SHARED_ROS1_PYTHONS"].split(":")
#: The most seconds that a test waits for one thing.
PATIENCE = 60
_numbers = itertools.count()

#: A program that is started with `&` may ignore SIGINT; the programs of the tests shall not.
signal.signal(signal.SIGINT, signal.default_int_handler)


def names(python):
    """How the tests show an interpreter."""
    return "py2" if "/2/" in python else "py3"


#: Each interpreter as the node's and as the bridge's.
PAIRS = pytest.mark.parametrize(
    "node, bridge", list(itertools.product(PYTHONS, PYTHONS)), ids=names
)
EACH = pytest.mark.parametrize("bridge", PYTHONS, ids=names)


class Program(object):
    """A program whose lines are read as they come."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            [str(word) for word in command], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, bufsize=1,
            start_new_session=True,
        )
        self._lines, self._news, self._read = [], threading.Condition(), 0
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def _follow(self):
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._lines.append(None)
            self._news.notify_all()

    def line(self, pattern, patience=PATIENCE):
        """Waits for the next line with this pattern, and returns the match."""
        end = time.monotonic() + patience
        with self._news:
            while True:
                while self._read < len(self._lines):
                    line = self._lines[self._read]
                    if line is None:
                        pytest.fail("ended without a line with %r:\n%s" % (pattern, self.said()))
                    self._read += 1
                    found = re.search(pattern, line)
                    if found:
                        return found
                if not self._news.wait(max(0, end - time.monotonic())):
                    pytest.fail("no line with %r:\n%s" % (pattern, self.said()))

    def said(self):
        """All lines until now."""
        return "\n".join(line for line in self._lines if line is not None)

    def done(self, patience=60):
        """Waits for its end, and for its last line; returns its status."""
        status = self.process.wait(patience)
        self._reader.join(patience)
        return status

    def end(self, how=signal.SIGINT, patience=PATIENCE):
        """Ends it by a signal; returns its status and how many seconds that took."""
        ended = []
        # With a timeout, a wait looks only now and then.
        wait = threading.Thread(
            target=lambda: ended.append((self.process.wait(), time.monotonic())), daemon=True
        )
        start = time.monotonic()
        self.process.send_signal(how)
        wait.start()
        wait.join(patience)
        assert ended, "it has not ended after %d s:\n%s" % (patience, self.said())
        status, end = ended[0]
        return status, end - start

    def kill(self):
        """Ends it at once, with the programs that it has started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


class Stage(object):
    """A ROS master on a port of its own, and the programs that use it."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        uri = "http://localhost:%d/" % self.port
        self.environment = dict(
            os.environ, ROS_MASTER_URI=uri, ROS_HOSTNAME="localhost", ROS_HOME=str(folder),
            ROS_LOG_DIR=str(folder), PYTHONUNBUFFERED="1",
        )
        self._master = xmlrpc.client.ServerProxy(uri)
        self.programs = []
        self.start_core()

    def run(self, *command):
        """Starts a program."""
        self.programs.append(Program(command, self.environment))
        return self.programs[-1]

    def start_core(self):
        """Starts roscore, and waits until the master answers."""
        self.core = self.run("roscore", "-p", self.port)
        self.core.line("started core service")

    def kill_core(self, name="ros", how=signal.SIGKILL):
        """Sends a signal to the programs of roscore, or to those of them with this name, which it
        has put into sessions of their own."""
        sent = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid) as file:
                    words = file.read().split("\0")
                with open("/proc/%s/environ" % pid) as file:
                    environment = file.read().split("\0")
            except (OSError, ValueError):
                continue  # it has gone, or is not ours
            program = " ".join(os.path.basename(word) for word in words[:2])
            own = "ROS_MASTER_URI=" + self.environment["ROS_MASTER_URI"] in environment
            if own and re.search(r"\b(roscore|rosmaster|rosout)\b", program) and name in program:
                os.kill(int(pid), how)
                sent += 1
        assert sent, "no program of roscore runs"

    def node(self, python, *arguments):
        """Starts a node of ros1_nodes.py."""
        return self.run(python, os.path.join(HERE, "ros1_nodes.py"), *arguments)

    def bridge(self, python, *arguments):
        """Starts the bridge."""
        return self.run(python, "-m", "io_shared.ros1", *arguments)

    def nodes(self):
        """The nodes of which the master knows."""
        state = self._master.getSystemState("/test")[2]
        return {node for kind in state for _, nodes in kind for node in nodes}

    def until(self, holds, what):
        """Waits until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                pytest.fail("%s\n%s" % (what, "\n--\n".join(p.said() for p in self.programs)))
            time.sleep(0.02)

    def end(self, since=0):
        """Ends all programs but the first ones, and prints what they said, for tests that fail."""
        for program in reversed(self.programs[since:]):
            program.kill()
            print("%s:\n%s\n" % (program.process.args, program.said()))
        del self.programs[since:]

    def close(self):
        """Ends all programs that still run."""
        self.end()
        try:
            self.kill_core()
        except AssertionError:
            pass


@pytest.fixture(scope="session")
def core(tmp_path_factory):
    """One master for the tests that leave it running."""
    stage = Stage(tmp_path_factory.mktemp("ros"))
    yield stage
    stage.close()


@pytest.fixture
def stage(core):
    """The master that all tests share; what a test has started is ended after it."""
    before = len(core.programs)
    yield core
    core.end(before)


@pytest.fixture
def own_stage(tmp_path):
    """A master for this test alone."""
    made = Stage(tmp_path)
    yield made
    made.close()
    remove_channels()


@pytest.fixture(autouse=True)
def patience():
    """Ends a test that waits for what no other timeout covers."""

    def over(*_):
        pytest.fail("the test has not ended after 600 s")

    signal.signal(signal.SIGALRM, over)
    signal.alarm(600)
    yield
    signal.alarm(0)


@pytest.fixture
def name():
    """A name for channels and their topics. All channels are removed afterwards."""
    yield "/number_%d" % next(_numbers)
    remove_channels()


def remove_channels():
    """Removes all channels of the tests."""
    for channel in io_shared.channels():
        io_shared.remove(channel["name"])


def value_of(channel, patience=PATIENCE):
    """Waits for a channel and its next value."""
    with io_shared.open(channel, open_timeout=patience) as consumer:
        return consumer.get(timeout=patience)
