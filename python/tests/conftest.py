"""What the tests have in common: names of their own, and the programs at the other end.

IO_SHARED_PYTHONS: other interpreters that have io_shared, separated by colons. IO_SHARED_PEER and
IO_SHARED_C_PEER: the Rust and the C program. IO_SHARED_PIPELINE: the Rust example
perception_pipeline. IO_SHARED_RELAY and IO_SHARED_C_RELAY: the examples relay in Rust and in C.
ci/python.sh sets them all; without them, the tests that need them fail.
"""

import itertools
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import io_shared

#: Without reference counts, loans and borrowed arrays are copies, which may live for any time.
references_are_counted = pytest.mark.skipif(
    not hasattr(sys, "getrefcount"), reason="PyPy: loans and borrowed arrays are copies"
)

#: A test with a limit of less than 2 seconds, or on a rate, which a machine with more to do than it
#: has processors for does not keep. ci/python.sh runs these apart, one interpreter after the other.
timed = pytest.mark.timed

#: A program that is started with `&` may ignore SIGINT, and Python keeps that: no Ctrl-C would end
#: a wait. This restores the default, also for the programs that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: The most seconds that a test may take. The long versions take longer.
PATIENCE = 3600 if os.environ.get("IO_SHARED_SLOW") else 600

#: The elements of the clouds that tests hand over.
POINT = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("intensity", "f4")])

#: These need `async def`.
collect_ignore = [] if sys.version_info >= (3, 7) else ["test_async.py"]

HERE = os.path.dirname(os.path.abspath(__file__))
_numbers = itertools.count()


def pytest_configure(config):
    config.addinivalue_line("markers", "timed: has a limit that a busy machine does not keep")


@pytest.fixture(autouse=True)
def patience():
    """Ends every wait of a test: the test fails there, and its programs are killed."""

    def over(*_):
        pytest.fail("the test has not ended after %d s" % PATIENCE)

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def ends(name, size="5M", **options):
    """Both ends of a channel of arrays."""
    put = io_shared.NumpyShare(name, size, "put", **options)
    return put, io_shared.NumpyShare(name, size, "get", **options)


def points(count):
    """A cloud of ``count`` points."""
    made = np.zeros(count, POINT)
    made["x"], made["z"] = np.arange(count), 2
    return made


def pythons():
    """This interpreter and the others."""
    others = os.environ.get("IO_SHARED_PYTHONS", "")
    return [sys.executable] + [other for other in others.split(":") if other]


@pytest.fixture
def new_name():
    """Makes names that are removed afterwards."""
    made = []

    def make():
        made.append("/test-python-%d-%d" % (os.getpid(), next(_numbers)))
        return made[-1]

    yield make
    for name in made:
        try:
            io_shared.remove(name)
        except io_shared.NotFound:
            pass


@pytest.fixture
def name(new_name):
    return new_name()


@pytest.fixture
def start():
    """Starts programs that are killed afterwards."""
    started = []

    def start(*command, **options):
        started.append(subprocess.Popen([str(word) for word in command], **options))
        return started[-1]

    yield start
    for program in started:
        if program.poll() is None:
            program.kill()
        program.wait()
        for pipe in (program.stdin, program.stdout, program.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def script(start):
    """Starts tests/<file> in an interpreter."""

    def run(python, file, *arguments, **options):
        return start(python, os.path.join(HERE, file), *arguments, **options)

    return run


PROGRAMS = {
    "rust": "IO_SHARED_PEER",
    "c": "IO_SHARED_C_PEER",
    "pipeline": "IO_SHARED_PIPELINE",
    "relay": "IO_SHARED_RELAY",
    "c_relay": "IO_SHARED_C_RELAY",
}


def program(which):
    """The path of a program that is not Python."""
    path = os.environ.get(PROGRAMS[which])
    assert path, "%s does not name the program: run ci/python.sh" % PROGRAMS[which]
    return path


@pytest.fixture(params=["rust", "c"])
def peer(request):
    return program(request.param)


@pytest.fixture
def rust_peer():
    return program("rust")
