"""Typed messages: structured dtypes as channels, and channels that others created."""

import pickle

import numpy as np
import pytest

import io_shared
from conftest import POINT, points, references_are_counted

CLOUD = np.dtype([("frame", "u8"), ("stamp_ns", "u8")])


def clouds(name, **options):
    return io_shared.producer(
        name, CLOUD, tail=("points", POINT), capacity="5M", message="Cloud", **options
    )


def test_a_message_has_an_attribute_for_each_field(name):
    put = clouds(name)
    get = io_shared.open(name)
    put.put(frame=7, stamp_ns=8, points=points(5))
    for take in (get.get, get.latest):
        cloud = take()
        assert (cloud.frame, cloud.stamp_ns) == (7, 8)
        assert cloud.frame.dtype == np.uint64
        assert cloud.points.dtype == POINT and np.array_equal(cloud.points, points(5))
        cloud.points["x"] = 9
        cloud.frame = 8
        assert cloud.frame == 8
        assert "frame=" in repr(cloud) and "points" in dir(cloud)
        with pytest.raises(AttributeError) as error:
            cloud.colour
        assert "frame, stamp_ns, points" in str(error.value)
        with pytest.raises(AttributeError):
            cloud.colour = 1
    put.put(frame=1, stamp_ns=2, points=points(0))
    cloud = get.borrow()
    assert len(cloud.points) == 0 and cloud.frame == 1
    with pytest.raises(ValueError):
        cloud.frame = 2
    assert np.asarray(cloud)["stamp_ns"] == 2


def test_a_message_is_filled_in_place(name):
    put, get = clouds(name), io_shared.open(name)
    with put.loan(3) as out:
        out.frame, out.stamp_ns = 1, 2
        out.points["x"] = [1, 2, 3]
        out.points[["y", "z", "intensity"]] = np.zeros(3, POINT)[["y", "z", "intensity"]]
        part = out.points[1:]
        part["z"] = 5
        del part
    cloud = get.borrow()
    assert cloud.points["x"].tolist() == [1, 2, 3] and cloud.points["z"].tolist() == [0, 5, 5]
    with pytest.raises(ValueError):
        out.frame = 5
    with pytest.raises(ValueError):
        out.points[0] = 0
    if io_shared._library.COUNTS:
        with pytest.raises(io_shared.AlreadyLoaned):
            with put.loan(3, in_place=True) as out:
                kept = out.points[1:]
        del out, kept
    put.put(cloud)
    again = get.get()
    assert np.array_equal(again.points, cloud.points) and again.frame == 1


def test_a_borrowed_field_keeps_its_value(name):
    put, get = clouds(name), io_shared.open(name)
    put.put(frame=1, stamp_ns=0, points=points(100))
    x = get.borrow().points["x"]
    for i in range(20):
        put.put(frame=i, stamp_ns=0, points=np.zeros(100, POINT))
        get.get()
    assert np.array_equal(x, np.arange(100))


def test_numbers_are_put_by_name_in_any_order(name):
    fields = [("self", "f8"), ("value", "u8"), ("tag", "i4"), ("third", "f4")]
    with io_shared.producer(name, fields) as put, io_shared.open(name) as get:
        put.put(self=0.5, value=2**64 - 1, tag=-7, third=np.float32(0.1))
        first = get.get(timeout=20)
        assert (first.self, first.value, first.tag) == (0.5, 2**64 - 1, -7)
        assert first.third == np.float32(0.1) and get.tag == 0
        put.put(third=4, tag=3, value=2, self=1)  # each fits into any of them
        assert list(get.try_get().values()) == [1, 2, 3, 4]
        # Numbers of NumPy, of the field's own class and of others; and text that is an equal name.
        put.put(third=first.tag, tag=np.int64(8), value=first.value, self=first.third)
        second = get.try_get()
        assert (second.self, second.value, second.tag) == (np.float32(0.1), 2**64 - 1, 8)
        assert second.third == -7
        names = ["".join(reversed(each)) for each in ("fles", "eulav", "gat", "driht")]
        put.put(**dict(zip(names, (1, 2, 3, 4))))
        assert list(get.try_get().values()) == [1, 2, 3, 4]
        type(put).put(put, **dict(second, value=True))
        assert get.try_get().value == 1
        for wrong in ({"self": 1}, dict(second, fourth=1), dict(second, value=-1), {}):
            with pytest.raises((io_shared.WrongFields, io_shared.Invalid)):
                put.put(**wrong)
        with pytest.raises(io_shared.WrongFields):
            put.put(second, third=1)
        assert get.try_get() is None
    with pytest.raises(io_shared.Closed):
        put.put(**second)


def test_all_fields_are_to_be_given(name):
    put = clouds(name)
    for wrong in (dict(frame=1), dict(frame=1, stamp_ns=1, points=points(1), more=1)):
        with pytest.raises(TypeError) as error:
            put.put(**wrong)
        assert "frame, stamp_ns, points" in str(error.value)
    assert put.seq == 0


def test_numbers_of_each_kind_are_numpys_and_outlive_their_message(name):
    # The last three are there so that it needs no padding.
    kinds = "f8 i8 u8 f4 i4 u4 i2 u2 i1 u1 u2 u2 u2".split()
    fields = [("%s_%d" % (code, at), code) for at, code in enumerate(kinds)]
    put = io_shared.producer(name, fields)
    get = io_shared.open(name)
    for end in ("min", "max"):
        given = {}
        for field, code in fields:
            limits = np.finfo if code.startswith("f") else np.iinfo
            given[field] = np.dtype(code).type(getattr(limits(code), end))
        for value in (given, {field: value.item() for field, value in given.items()}):
            put.put(**value)
            message = get.get(timeout=5)
            found = {field: getattr(message, field) for field in given}
            message = None
            again = pickle.loads(pickle.dumps(found))
            for field, number in given.items():
                for same in (found[field], again[field], +found[field]):
                    assert type(same) is type(number) and same == number, field
                    assert same.dtype == number.dtype and hash(same) == hash(number)


POSE = np.dtype([("x", "f8"), ("number", "u8")])


@pytest.mark.parametrize("timeout", [0, 5, None], ids=["try_get", "timeout", "get"])
def test_messages_and_arrays_of_them_stay_as_they_were_got(name, timeout):
    """Messages that nobody has any more may be returned again, filled anew; no others."""
    put, get = io_shared.producer(name, POSE), io_shared.consumer(name, POSE)

    def next_message(number):
        put.put(x=number / 2.0, number=number)
        if timeout == 0:
            return get.try_get()
        return get.get(timeout=timeout) if timeout else get.get()

    every_third, arrays, fields = [], [], []
    for number in range(60):
        message = next_message(number)
        assert (message.x, message.number) == (number / 2.0, number)
        if number % 3 == 0:
            every_third.append(message)
        if number % 3 == 1:
            arrays.append(np.asarray(message))  # whose base the message is
        fields.append(message.x)
        message = None if number % 2 else message
    assert [message.number for message in every_third] == list(range(0, 60, 3))
    assert [int(array["number"]) for array in arrays] == list(range(1, 60, 3))
    assert fields == [number / 2.0 for number in range(60)]


def test_what_a_program_wrote_to_a_message_is_not_in_a_later_one(name):
    put, get = io_shared.producer(name, POSE), io_shared.consumer(name, POSE)
    for number in range(10):
        put.put(x=0.5, number=number)
        message = get.get()
        assert (message.x, message.number) == (0.5, number)
        message.x, message.number = -1, 99
        assert (message.x, message.number) == (-1, 99)
        del message


@references_are_counted
def test_a_class_that_a_program_gave_to_a_message_is_not_that_of_a_later_one(name):
    put, get = io_shared.producer(name, POSE), io_shared.consumer(name, POSE)
    put.put(x=0.5, number=0)
    given = get.get()
    its = type(given)
    object.__setattr__(given, "__class__", type("Other", (its,), {"__slots__": ()}))
    del given
    for number in range(4):
        put.put(x=0.5, number=number)
        assert type(get.get()) is its


@pytest.mark.parametrize(
    "dtype, value",
    [
        ("f8", 2.5),
        ("f2", 2.5),
        ("i2", -3),
        (("f4", (2, 3)), [[1, 2, 3], [4, 5, 6]]),
        ("S8", "hello"),
    ],
    ids=str,
)
def test_a_message_may_be_one_number_or_array(name, dtype, value):
    put, get = io_shared.producer(name, dtype), io_shared.open(name)
    put.put(value)
    got = get.get()
    assert np.array_equal(got, value)
    with pytest.raises(TypeError):
        put.put(a=1)


def test_a_message_may_be_a_struct_of_fixed_size(name):
    dtype = np.dtype([("id", "u4"), ("flags", "u1", (4,)), ("at", POINT), ("name", "S16")])
    put, get = io_shared.producer(name, dtype), io_shared.open(name)
    value = np.zeros((), dtype)
    value["id"], value["flags"], value["name"] = 3, [1, 2, 3, 4], b"lidar"
    value["at"]["z"] = 1.5
    for given in (value, value[()], {field: value[field] for field in dtype.names}):
        put.put(given)
        got = get.get()
        assert (got.id, got.name, got.at["z"]) == (3, "lidar", 1.5)
        assert got.flags.tolist() == [1, 2, 3, 4]


def test_a_message_may_be_elements_alone(name):
    put = io_shared.producer(name, tail="f4", capacity=400)
    get = io_shared.open(name)
    put.put([1, 2, 3])
    got = get.get()
    assert got.dtype == np.float32 and got.tolist() == [1, 2, 3]
    with put.loan(2) as out:
        out[:] = 5
    assert get.borrow().tolist() == [5, 5]
    with pytest.raises(io_shared.TooLarge):
        put.put(np.zeros(101))
    with pytest.raises(ValueError):
        put.put([[1]])


def test_open_takes_arrays_too(name):
    put = io_shared.producer(name, capacity="1M")
    get = io_shared.open(name)
    put.put(np.eye(3))
    assert np.array_equal(get.get(), np.eye(3))
    with pytest.raises(io_shared.NotFound):
        io_shared.open(name + "-none", open_timeout=0)


@pytest.mark.parametrize(
    "dtype, says",
    [
        ("O", "another process"),
        ("U4", "S64"),
        (">f4", "<f4"),
        ("g", "f4"),
        ("c8", "f4"),
        (np.dtype([("a", "u1"), ("b", "f8")]), "('_pad', 'u1', 7)"),
        (np.dtype([("a", "u1"), ("b", "f8")], align=True), "('_pad', 'u1', 7)"),
        (np.dtype([("a", "f8"), ("b", "u1")], align=True), "('_pad', 'u1', 7)"),
        (np.dtype([("a", "f8"), ("b", "u1")]), "('_pad', 'u1', 7)"),
        (np.dtype({"names": "ab", "formats": ["u4", "u2"], "offsets": [0, 2]}), "overlap"),
        ([("a", [("o", "O")])], "field `o`"),
    ],
    ids=str,
)
def test_what_cannot_be_a_message_says_what_would_be(name, dtype, says):
    with pytest.raises(ValueError) as error:
        io_shared.producer(name, dtype)
    assert says in str(error.value)


def test_two_types_that_differ_are_told_the_field(name):
    put = clouds(name)
    other = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("intensity", "u4")])
    with pytest.raises(io_shared.Mismatch) as error:
        io_shared.consumer(name, CLOUD, tail=("points", other), capacity="5M")
    assert "intensity" in str(error.value) and "<f4" in str(error.value)
    with pytest.raises(io_shared.Mismatch):
        io_shared.NumpyShare(name, "5M", "get")
    same = io_shared.consumer(name, CLOUD, tail=("points", POINT), message="Other")
    put.put(frame=1, stamp_ns=2, points=points(3))
    assert same.get().frame == 1


def test_a_consumer_that_knows_the_first_fields_gets_these(name):
    pose = [("x", "f8"), ("frame", "u8")]
    put = io_shared.producer(name, pose + [("covariance", "f8", (3, 3))], message="Pose")
    get = io_shared.consumer(name, pose)
    for frame in (1, 2):
        put.put(x=2.5, frame=frame, covariance=np.eye(3))
        for take in (get.borrow, get.latest):
            found = take()
            assert (found.x, found.frame) == (2.5, frame)
            with pytest.raises(AttributeError) as error:
                found.covariance
            assert "x, frame" in str(error.value)
    assert io_shared.open(name).get().covariance[1, 1] == 1
    with pytest.raises(io_shared.Mismatch) as error:
        io_shared.consumer(name, [("x", "f8"), ("number", "u8")], open_timeout=0)
    assert "field `number`" in str(error.value)


def test_a_running_consumer_goes_on_when_a_producer_with_more_fields_starts(name):
    pose = [("x", "f8"), ("frame", "u8")]
    get = io_shared.consumer(name, pose, reopen=True)
    put = io_shared.producer(name, pose)
    put.put(x=0.5, frame=1)
    assert get.get(timeout=5).frame == 1
    put.close()
    put = io_shared.producer(name, pose + [("covariance", "f8", (3, 3))])
    for frame in (2, 3):
        put.put(x=2.5, frame=frame, covariance=np.eye(3))
        found = get.get(timeout=5)
        assert (found.x, found.frame, get.seq, get.missed) == (2.5, frame, frame, 0)
    assert io_shared.open(name).get(timeout=5).covariance[1, 1] == 1
