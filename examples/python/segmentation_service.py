"""A service that labels the points of clouds, and two clients of it, one of which is killed.

    python3 segmentation_service.py

It starts the server and the clients as processes of their own, and says what they see. The Rust
example segmentation_service has the same types, so each can be the server or a client of the other:

    python3 segmentation_service.py server /segment
    python3 segmentation_service.py client /segment 3
"""

from __future__ import print_function

import os
import subprocess
import sys
import time

import numpy as np

import io_shared

POINT = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4")])
GROUND, OBJECT = 1, 2
#: In Rust: `Service<[Point], [u16]>`.
TYPES = {"question_tail": POINT, "answer_tail": "u2"}
#: The processes that run.
started = []


def serve(name):
    """The server: labels clouds until it is killed."""
    with io_shared.Server(name, **TYPES) as server:
        say("the server is ready")
        for question in server:
            question.answer(np.where(question.value["z"] < 0.2, GROUND, OBJECT).astype("u2"))


def ask(name, clouds):
    """A client: has clouds labelled, and says how many of their points are objects."""
    with io_shared.Client(name, **TYPES) as client:
        for size in range(1, clouds + 1):
            cloud = np.zeros(100 * size, POINT)
            cloud["x"], cloud["y"] = np.arange(len(cloud)), size
            cloud["z"][::4] = 1.5
            labels = client.call(cloud, timeout=10)
            objects = np.count_nonzero(labels == OBJECT)
            say("%d of %d points are objects" % (objects, len(labels)))
        time.sleep(600)  # until it is killed


def say(text):
    print(text)
    sys.stdout.flush()


def start(*arguments):
    """Starts another process of this program."""
    command = [sys.executable, os.path.abspath(__file__)] + [str(each) for each in arguments]
    started.append(subprocess.Popen(command, stdout=subprocess.PIPE, universal_newlines=True))
    return started[-1]


def kill(process):
    process.kill()
    process.wait()
    process.stdout.close()
    started.remove(process)


def heard(process):
    """The next line that a process says."""
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a process has ended")
    return line.strip()


def demonstrate():
    name = "/segmentation_service_py-%d" % os.getpid()
    server = start("server", name)
    say(heard(server))

    first = start("client", name, 2)
    for _ in range(2):
        say("first client: " + heard(first))
    kill(first)
    say("the first client was killed")

    second = start("client", name, 3)
    for _ in range(3):
        say("second client: " + heard(second))

    kill(server)
    say("the server was killed")
    client, lone = io_shared.Client(name, **TYPES), np.zeros(1, POINT)
    try:
        client.call(lone, timeout=0.1)
    except io_shared.NoProducer:
        say("nobody answers")
    client.ask(lone)
    server = start("server", name)  # the question waits for it
    say("a new server: the label is %d" % client.answer(timeout=10)[0])
    kill(second)
    kill(server)
    client.close()
    io_shared.Client(name, **TYPES).close()  # this start removes what the killed ones have left


if __name__ == "__main__":
    if sys.argv[1:2] == ["server"]:
        serve(sys.argv[2])
    elif sys.argv[1:2] == ["client"]:
        ask(sys.argv[2], int(sys.argv[3]))
    else:
        try:
            demonstrate()
        finally:
            for process in list(started):
                kill(process)
