"""The Python of docs/guide/, and the short examples."""

import glob
import os
import re
import subprocess
import sys

import pytest

from conftest import HERE, pythons

ROOT = os.path.join(HERE, "..", "..")
#: What makes objects under the original's names (test_legacy.py runs it), what needs ROS, and what
#: needs Zenoh (ci/link.sh runs it).
ELSEWHERE = ["link.md", "migrating.md", "ros2.md"]
PAGES = sorted(glob.glob(os.path.join(ROOT, "docs", "guide", "*.md")))
PAGES = [page for page in PAGES if os.path.basename(page) not in ELSEWHERE]
EXAMPLES = os.path.join(ROOT, "examples", "python")


def blocks():
    for page in PAGES:
        with open(page, "rb") as file:
            text = file.read().decode("utf-8")
        for number, block in enumerate(re.findall("```python\n(.*?)```", text, re.S)):
            yield os.path.basename(page), number, block


@pytest.fixture
def domain():
    """A namespace for programs with fixed names."""
    made = "guide-%d" % os.getpid()
    yield dict(os.environ, IO_SHARED_DOMAIN=made)
    for left in glob.glob("/dev/shm/%s%%%%*" % made):
        os.remove(left)


def test_there_are_such_blocks():
    assert len(list(blocks())) >= 2


@pytest.mark.parametrize("page, number, block", list(blocks()))
def test_the_code_of_a_page_runs(page, number, block, domain):
    assert subprocess.call([sys.executable, "-c", block], env=domain) == 0, (page, number)


def run(name, **options):
    output = subprocess.check_output([sys.executable, os.path.join(EXAMPLES, name)], **options)
    return output.decode("utf-8").splitlines()


@pytest.mark.parametrize("other", pythons())
def test_get_prints_the_poses_that_put_puts(other, domain, start):
    putting = start(other, os.path.join(EXAMPLES, "put.py"), env=domain)
    getting = start(sys.executable, "-u", os.path.join(EXAMPLES, "get.py"), env=domain,
                    stdout=subprocess.PIPE, universal_newlines=True)
    lines = [getting.stdout.readline() for _ in range(3)]
    assert all("heading" in line for line in lines), lines
    assert lines[0] != lines[1] and putting.poll() is None


def test_detections_go_into_one_message_with_their_image():
    lines = run("detections.py")
    assert lines[0].replace("L", "") == "frame 7, an image of (480, 640, 3)"
    assert lines[1].startswith("pedestrian of [") and lines[2].startswith("car of ["), lines


def test_many_viewers_join_while_arrays_flow():
    lines = run("many_viewers.py")
    assert sorted(line.split(":")[0] for line in lines) == ["viewer %d" % i for i in range(5)]


def test_a_service_goes_on_when_a_client_and_the_server_are_killed(domain):
    assert run("segmentation_service.py", env=domain) == [
        "the server is ready",
        "first client: 25 of 100 points are objects",
        "first client: 50 of 200 points are objects",
        "the first client was killed",
        "second client: 25 of 100 points are objects",
        "second client: 50 of 200 points are objects",
        "second client: 75 of 300 points are objects",
        "the server was killed",
        "nobody answers",
        "a new server: the label is 1",
    ]
    # Others run the same example at the same time.
    left = glob.glob("/dev/shm/%s%%%%*" % domain["IO_SHARED_DOMAIN"])
    assert left == []


@pytest.mark.skipif(sys.version_info < (3, 7), reason="it needs `async def`")
def test_a_camera_is_awaited_while_the_loop_goes_on():
    lines = run("camera_asyncio.py")
    assert lines.count("the loop goes on") == 3
    assert "the last image is number 20, of (480, 640)" in lines
