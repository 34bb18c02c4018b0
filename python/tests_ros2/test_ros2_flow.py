"""5 MB at 10 Hz, there and back: the bridge loses nothing, and takes few milliseconds."""

import re
import sys
import threading
import time

import numpy as np
import pytest

import io_shared
from conftest import HERE, until
from io_shared import NumpyShare
from ros2_nodes import bridge  # noqa: F401

COUNT, SIZE = 300, 5_000_000
#: The most milliseconds that a message may take in the bridge, by the best of three attempts.
MOST = 6.0


def summary(run, way):
    """How many values were passed on, and how many milliseconds each took."""
    line = run.wait_for("^%s .* passed on, .*each" % way)
    found = re.search(r": (\d+) passed on, (.*), ([\d.]+) ms each$", line.string)
    return int(found.group(1)), found.group(2), float(found.group(3))


def best_of_three(attempt):
    """Tries up to three times until ``attempt`` keeps what a busy machine does not: it returns
    whether it has, and what there is to say."""
    tried = []
    for _ in range(3):
        is_kept, said = attempt()
        print(said)
        if is_kept:
            return
        tried.append(said)
    pytest.fail("\n".join(tried))


def test_of_300_clouds_of_5_MB_that_ros_sends_all_that_come_to_the_bridge_are_put(
    start, bridge, new_name
):
    best_of_three(lambda: from_ros(start, bridge, new_name()))


def from_ros(start, bridge, name):
    run = bridge("--from-ros", name)
    other = start(sys.executable, HERE + "/publish.py", name, "PointCloud2", COUNT, SIZE, 10)
    numbers, overtaken = [], 0
    with io_shared.open(name, open_timeout=30) as get:
        while not numbers or numbers[-1] < COUNT - 1:
            value = get.get(timeout=10)
            # Put, and newer ones came before this process got there.
            overtaken += get.missed if numbers else get.seq - 1
            assert value.nbytes == SIZE
            numbers.append(int(value["x"][:1].view("u4")[0]))
    other.wait()
    run.end()
    passed, lost, each = summary(run, "topic")
    assert "refused" not in lost and "too fast" not in lost
    missing = COUNT - passed
    # What the middleware lost on the way is said, and nothing else is missing.
    assert passed - overtaken == len(set(numbers)) == len(numbers)
    assert missing == 0 or "%d lost before" % missing in lost
    said = "%d of %d came: %s; %.2f ms each" % (passed, COUNT, lost, each)
    return each <= MOST, said


def test_of_300_clouds_of_5_MB_in_a_channel_all_are_published_and_come_back(bridge, new_name):
    best_of_three(lambda: there_and_back(bridge, new_name))


def there_and_back(bridge, new_name):
    channel, topic, back = new_name(), new_name(), new_name()
    there = bridge("--to-ros", "%s=%s" % (channel, topic))
    here = bridge("--from-ros", "%s=%s" % (topic, back))
    clouds = np.zeros((SIZE // 16, 4), "f4")
    numbers, ended = [], threading.Event()

    def receive():
        with io_shared.open(back, open_timeout=60) as get:
            while not ended.is_set():
                value = get.try_get()
                if value is not None:
                    numbers.append(int(value[0, 0]))
                else:
                    time.sleep(0.002)

    with NumpyShare(channel, mode="put") as share:
        receiver = threading.Thread(target=receive)
        receiver.start()
        clouds[0, 0] = -1
        share.put(clouds)
        until(lambda: numbers, "the first to come back")
        for number in range(COUNT):
            clouds[0, 0] = number
            share.put(clouds)
            time.sleep(0.1)
        until(lambda: numbers[-1] == COUNT - 1, "the last to come back")
    ended.set()
    receiver.join(10)
    there.end()
    here.end()
    published, lost, each = summary(there, "channel")
    came, lost_there, each_back = summary(here, "topic")
    said = "%d published: %s, %.2f ms each; %d came back: %s, %.2f ms each" % (
        published, lost, each, came, lost_there, each_back)
    assert "refused" not in lost and "refused" not in lost_there, said
    missing = published - came
    assert missing == 0 or "%d lost before" % missing in lost_there, said
    all_came = (published, lost) == (COUNT + 1, "none lost")
    return all_came and max(each, each_back) <= MOST, said
