"""Between interpreters, and between Python and programs in Rust and C."""

import multiprocessing

import numpy as np
import pytest

import io_shared
from conftest import program, pythons
from io_shared import NumpyShare
from test_arrays import DTYPES, assert_same, filled
from test_typed import CLOUD, POINT, points


def arrays():
    for dtype in DTYPES:
        for shape in ((), (0,), (7,), (3, 4), (20, 30, 2)):
            yield filled(dtype, shape)
    yield np.asfortranarray(filled("f4", (30, 40)))
    yield filled("f8", (300, 400))[::2, ::5]
    yield np.arange(12, dtype=">u4").reshape(3, 4)


def test_the_other_interpreters_were_given():
    assert len(pythons()) > 1, "IO_SHARED_PYTHONS names no other: run ci/python.sh"


@pytest.mark.parametrize("way", ["copying", "in_place"])
@pytest.mark.parametrize("python", pythons())
def test_arrays_go_to_another_interpreter_and_back(new_name, script, python, way):
    there, back = new_name(), new_name()
    sent = list(arrays())
    other = script(python, "echo.py", way, there, back, len(sent))
    with NumpyShare(there, "5M", "put") as put, NumpyShare(back, "5M", "get") as get:
        for tag, array in enumerate(sent):
            put.put(array, tag=tag)
            assert_same(get.get(timeout=60), array)
            assert get.tag == tag
    assert other.wait() == 0


@pytest.mark.parametrize("python", pythons())
def test_arrays_come_when_the_other_interpreter_starts_first(new_name, script, python):
    there, back = new_name(), new_name()
    script(python, "echo.py", "copying", there, back, 1)
    get = NumpyShare(back, "5M", "get")
    with pytest.raises(io_shared.Timeout):
        get.get(timeout=0.3)
    with NumpyShare(there, "5M", "put") as put:
        put.put(np.arange(5))
        assert get.get(timeout=60).tolist() == [0, 1, 2, 3, 4]


def test_arrays_go_to_another_language_and_back(new_name, start, peer):
    there, back = new_name(), new_name()
    sent = list(arrays())
    peer = start(peer, "arrays", there, back, len(sent))
    with NumpyShare(there, "5M", "put") as put, NumpyShare(back, "5M", "get") as get:
        for tag, array in enumerate(sent):
            put.put(array, tag=tag)
            assert_same(get.get(timeout=60), array)
            assert get.tag == tag
        put.put(0)
        assert_same(get.get(timeout=60), np.array([[1, 2, 3], [4, 5, 60000]], "<u2"))
    assert peer.wait() == 0


def test_clouds_go_to_another_language_and_labels_come_back(new_name, start, peer):
    there, back = new_name(), new_name()
    peer = start(peer, "clouds", there, back, 3)
    # The other program creates the channel of labels: no type is declared here.
    labels = io_shared.open(back, open_timeout=60)
    clouds = io_shared.producer(there, CLOUD, tail=("points", POINT), capacity="5M")
    for frame in range(3):
        clouds.put(frame=frame, stamp_ns=1, points=points(100 * frame))
        got = labels.get(timeout=60)
        assert (got.frame, got.cloud_seq) == (frame, frame + 1) and labels.tag == clouds.seq
        assert got.labels.dtype == np.uint32 and got.labels.tolist() == [1] * (100 * frame)
    assert peer.wait() == 0


def test_a_rust_struct_of_all_kinds_of_fields_comes_and_goes(new_name, start):
    there, back = new_name(), new_name()
    peer = start(program("rust"), "pose", there, back)
    # A dtype for Rust's struct; either program may create the channel.
    pose = np.dtype(
        [
            ("matrix", "f8", (2, 3)),
            ("name", "S8"),
            ("first", POINT),
            ("flags", "u1", (6,)),
            ("mode", "i2"),
        ]
    )
    put = io_shared.producer(there, pose)
    got = io_shared.consumer(back, pose)
    value = np.zeros((), pose)
    value["matrix"] = np.arange(6).reshape(2, 3)
    value["name"], value["flags"], value["mode"] = b"front", 5, -3
    value["first"]["x"] = 1.5
    put.put(value)
    answer = got.get(timeout=60)
    assert answer.matrix.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (answer.name, answer.mode, answer.first["x"]) == ("front", -2, 3.0)
    assert answer.flags.tolist() == [5] * 6
    assert peer.wait() == 0


def double(inherited, there, back):
    """The life of a child of multiprocessing."""
    if inherited is not None:
        with pytest.raises(io_shared.ForkedHandle):
            inherited.get(timeout=0)
    with NumpyShare(there, "1M", "get") as get, NumpyShare(back, "1M", "put") as put:
        put.put(2 * get.get(timeout=60))


@pytest.mark.parametrize(
    "method", getattr(multiprocessing, "get_all_start_methods", lambda: ["fork"])()
)
def test_a_child_of_multiprocessing_opens_its_own_ends(new_name, method):
    there, back = new_name(), new_name()
    python3 = hasattr(multiprocessing, "get_context")
    context = multiprocessing.get_context(method) if python3 else multiprocessing
    with NumpyShare(there, "1M", "put") as put, NumpyShare(back, "1M", "get") as get:
        inherited = get if method == "fork" else None
        child = context.Process(target=double, args=(inherited, there, back))
        child.start()
        put.put([1, 2, 3])
        assert get.get(timeout=60).tolist() == [2, 4, 6]
        child.join(60)
        assert child.exitcode == 0
        put.put([4])  # the parent's are as they were
