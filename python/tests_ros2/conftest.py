"""What the tests of the bridge to ROS 2 have in common. ci/ros2.sh runs them, next to real nodes.

IO_SHARED_FIELD: the C program field.c. IO_SHARED_COMMAND: the command `io-shared`. The script sets
both; without them, the tests that need them fail.
"""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

import io_shared

# A program that is started with `&` may ignore SIGINT, and Python keeps that.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = os.path.dirname(os.path.abspath(__file__))
#: The most seconds that a test may take, and that it waits for one thing.
LONGEST, PATIENCE = 400, 60
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def ends():
    """Ends every wait of a test: the test fails there, and its programs are killed."""

    def over(*_):
        pytest.fail("the test has not ended after %d s" % LONGEST)

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def new_name():
    """Makes names of channels and topics. The channels are removed afterwards."""
    made = []

    def make(what="channel"):
        made.append("/test_ros_%d/%s_%d" % (os.getpid(), what, next(_numbers)))
        return made[-1]

    yield make
    for found in io_shared.channels():
        if any(found["name"].startswith(name) for name in made):
            io_shared.remove(found["name"])


@pytest.fixture
def name(new_name):
    return new_name()


class Program:
    """A program, and what it says."""

    def __init__(self, command, **options):
        self.command = [str(word) for word in command]
        self._popen = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True, **options
        )
        self.lines, self._more = [], threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.daemon = True
        self._reader.start()

    def _read(self):
        for line in iter(self._popen.stdout.readline, ""):
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self.lines.append(None)
            self._more.notify_all()

    @property
    def said(self):
        return "\n".join(line for line in self.lines if line is not None)

    def wait_for(self, pattern, times=1):
        """Waits until that many lines match, and returns the last match."""
        def found():
            matches = [re.search(pattern, line) for line in self.lines if line is not None]
            matches = [match for match in matches if match]
            return matches[times - 1] if len(matches) >= times else None

        end = time.time() + PATIENCE
        with self._more:
            while not found():
                left = end - time.time()
                assert left > 0 and self.lines[-1:] != [None], "%s: no %r in:\n%s" % (
                    self.command, pattern, self.said
                )
                self._more.wait(min(left, 1))
            return found()

    def send(self, number):
        self._popen.send_signal(number)

    def end(self, number=signal.SIGINT):
        """Ends it by a signal; returns how many seconds that took."""
        began = time.time()
        self.send(number)
        self.wait()
        return time.time() - began

    def wait(self):
        """Waits for its end, and returns its status."""
        end = time.time() + PATIENCE
        while self._popen.poll() is None:
            assert time.time() < end, "%s has not ended; it said:\n%s" % (self.command, self.said)
            time.sleep(0.002)
        self._reader.join(PATIENCE)
        return self._popen.returncode

    def kill(self):
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
        self._reader.join(PATIENCE)
        self._popen.stdout.close()


@pytest.fixture
def start():
    """Starts programs that are killed afterwards."""
    started = []

    def start(*command, **options):
        started.append(Program(command, **options))
        return started[-1]

    yield start
    for program in started:
        program.kill()


def until(check, what, seconds=PATIENCE):
    """Waits until ``check`` returns something true, and returns that."""
    end = time.time() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.time() < end, "waited %s s for %s" % (seconds, what)
        time.sleep(0.01)


def program(variable):
    """The path of a program that the script has built."""
    path = os.environ.get(variable)
    assert path, "%s names no program: run ci/ros2.sh" % variable
    return path


def field_by_rust(channel, path):
    """A part of the newest value, as the command prints it."""
    command = [program("IO_SHARED_COMMAND"), "echo", channel, "--once", "--json", "--truncate", "0"]
    return json.loads(_printed(command + (["--field", path] if path else [])))["value"]


def field_by_c(channel, path):
    """A part of the newest value, as a C program prints it."""
    return json.loads(_printed([program("IO_SHARED_FIELD"), channel, path]))


def _printed(command):
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           universal_newlines=True)
    killer = threading.Timer(PATIENCE, run.kill)
    killer.start()
    try:
        printed, errors = run.communicate()
    finally:
        killer.cancel()
    assert run.returncode == 0, errors
    return printed
