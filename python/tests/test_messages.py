"""Messages as Python values: items, mappings, copies, pickles, texts; nothing is cut silently."""

import collections
import copy
import pickle
from decimal import Decimal

import numpy as np
import pytest

import io_shared
from conftest import POINT, points

CLOUD = np.dtype([("frame", "u8"), ("stamp_ns", "u8"), ("sensor", "S8")])
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.fixture
def ends(name):
    put = io_shared.producer(name, CLOUD, tail=("points", POINT), capacity="5M")
    return put, io_shared.open(name)


def cloud(**changed):
    fields = dict(frame=7, stamp_ns=8, sensor="lidar", points=points(5))
    fields.update(changed)
    return fields


def test_a_message_is_a_mapping_of_its_fields(ends):
    put, get = ends
    put.put(**cloud())
    for message in (get.get(timeout=20), get.latest(), io_shared.observe(get.name).copy()):
        names = ["frame", "stamp_ns", "sensor", "points"]
        assert message.keys() == names == list(message) and len(message) == 4
        assert message["frame"] == 7 and "frame" in message and "colour" not in message
        as_dict = dict(message)
        assert as_dict["sensor"] == "lidar" and np.array_equal(as_dict["points"], points(5))
        assert [type(value) for value in message.values()] == [type(v) for _, v in message.items()]
        message["frame"] = 9
        assert message.frame == 9
        for missing in (lambda: message["colour"], lambda: message.colour):
            with pytest.raises((KeyError, AttributeError)) as error:
                missing()
            assert isinstance(error.value, io_shared.Error) and "`colour`" in str(error.value)
            assert "frame, stamp_ns, sensor, points" in str(error.value)
        with pytest.raises(AttributeError):
            del message.frame
        put.put(**message)
        assert get.get(timeout=20).frame == 9
        put.put(dict(message))
        put.put(message)
        assert get.get(timeout=20) == message
        put.put(**cloud())


@pytest.mark.parametrize("borrowed", [False, True])
def test_messages_are_copied_and_pickled(ends, borrowed):
    put, get = ends
    for i in range(5):  # more than may be borrowed at once
        put.put(**cloud(frame=i))
        message = get.borrow(timeout=20) if borrowed else get.get(timeout=20)
        copies = [copy.copy(message), copy.deepcopy(message), copy.deepcopy([message])[0]]
        copies += [pickle.loads(pickle.dumps(message, protocol)) for protocol in PROTOCOLS]
        for own in copies:
            assert type(own) is io_shared.Message and own == message
            own.frame, own.points["x"][0] = 77, 3
            assert message.frame == i and message.points["x"][0] == 0 and own != message
        del message


def test_messages_are_handed_through_queues(ends):
    import multiprocessing

    put, get = ends
    put.put(**cloud())
    queue = multiprocessing.Queue()
    queue.put(get.borrow(timeout=20))
    assert dict(queue.get(timeout=30))["frame"] == 7
    queue.close()
    queue.join_thread()


def test_messages_are_equal_where_all_fields_are(ends):
    put, get = ends
    put.put(**cloud())
    one, other = get.get(timeout=20), get.latest()
    assert one == other and not one != other
    other.points["z"][3] = 1
    assert one != other and not one == other
    put.put(**cloud(points=points(4)))
    assert get.get(timeout=20) != one and one != 3 and not one == None  # noqa: E711
    with pytest.raises(TypeError):
        hash(one)


def test_what_is_shown_of_a_message_is_short(ends):
    put, get = ends
    put.put(**cloud(points=points(100000)))
    for shown in (repr(get.get(timeout=20)), repr(get.latest()), str(get.latest())):
        assert len(shown) < 600 and "frame=" in shown and "(100000,)" in shown
        assert "lidar" in shown and "7" in shown


@pytest.mark.parametrize(
    "tail",
    ["_tail", "_header", "_layout", "keys", "copy", "put", "_io_shared", "__class__", "self"],
)
def test_a_field_may_be_called_anything(name, tail):
    fields = np.dtype([("self", "i4"), ("value", "i4"), ("_fields", "i4"), ("items", "i4")])
    if tail == "self":
        fields = np.dtype([("a", "i4"), ("__init__", "i4"), ("__dict__", "i4"), ("dtype", "i4")])
    put = io_shared.producer(name, fields, tail=(tail, "f8"), capacity="1M")
    get = io_shared.open(name)
    given = {field: i for i, field in enumerate(fields.names)}
    given[tail] = [1, 2, 3]
    put.put(**given)
    with put.loan(3) as out:
        for field in given:
            setattr(out, field, given[field])
    put.put(given)
    for message in (get.borrow(timeout=20), pickle.loads(pickle.dumps(get.latest()))):
        assert message[tail].tolist() == [1, 2, 3]
        for i, field in enumerate(fields.names):
            assert message[field] == i
            if field[:2] != "__":
                assert getattr(message, field) == i
        if tail[:2] != "__":
            assert getattr(message, tail).tolist() == [1, 2, 3]
        assert copy.deepcopy(message) == message and tail in repr(message)
        put.put(message)
    assert get.get(timeout=20)[tail].tolist() == [1, 2, 3]


def test_a_message_without_parts_ends_in_no_recursion():
    empty = io_shared.Message.__new__(io_shared.Message)
    with pytest.raises(AttributeError):
        empty.frame


def test_a_missing_and_an_unknown_field_are_named(ends):
    put, get = ends
    without = cloud()
    del without["stamp_ns"]
    fields = [("frame", "u8"), ("stamp", "u8"), ("sensor", "S8"), ("points", POINT, (2,))]
    other = np.zeros((), fields)
    for wrong in (
        lambda: put.put(**without),
        lambda: put.put(without),
        lambda: put.put(**cloud(colour=1)),
        lambda: put.put(cloud(colour=1)),
        lambda: put.put(other),
        lambda: put.put(other[()]),
    ):
        with pytest.raises(TypeError) as error:
            wrong()
        text = str(error.value)
        assert isinstance(error.value, io_shared.Error) and put.name in text
        assert "missing: `stamp_ns`" in text or "unknown: `colour`" in text
    for wrong in (lambda: put.put(3), lambda: put.put(1, 2), lambda: put.put((1, 2)),
                  lambda: put.put(cloud(), frame=1), lambda: put.put(**cloud(points=3)),
                  lambda: put.put(**cloud(points={"x": [1]})),
                  lambda: put.put(**cloud(points=u"xyz")),
                  lambda: put.put(**cloud(points=np.zeros((3, 4))))):
        with pytest.raises(TypeError):
            wrong()
    assert put.seq == 0


def test_records_go_by_their_names_and_not_by_their_order(name):
    fields = np.dtype([("a", "i4"), ("b", "i4")])
    swapped = np.dtype([("b", "i4"), ("a", "i4")])
    put = io_shared.producer(name, fields, tail=("rows", fields), capacity="1M")
    get = io_shared.open(name)
    rows = np.array([(1, 2), (3, 4)], swapped)
    put.put(a=5, b=6, rows=rows)
    message = get.get(timeout=20)
    assert message.rows["b"].tolist() == [1, 3] and message.rows["a"].tolist() == [2, 4]
    with put.loan(2) as out:
        out.a, out.b, out.rows = 1, 2, rows
    assert get.get(timeout=20).rows["b"].tolist() == [1, 3]
    with pytest.raises(TypeError) as error:
        put.put(a=5, b=6, rows=np.zeros(2, [("a", "i4"), ("c", "i4")]))
    assert "missing: `b`" in str(error.value) and "unknown: `c`" in str(error.value)
    put.put(a=5, b=6, rows=[(1, 2)])
    assert get.get(timeout=20).rows["b"].tolist() == [2]


LONG = [u"123456789", b"123456789", u"\u043e\u0431\u043b\u0430\u043a\u043e", "x" * 1000]


@pytest.mark.parametrize("text", LONG, ids=["text", "bytes", "utf-8", "long"])
def test_a_text_that_does_not_fit_is_not_cut(name, new_name, ends, text):
    put, get = ends
    with pytest.raises(ValueError) as error:
        put.put(**cloud(sensor=text))
    assert "`sensor`" in str(error.value) and "S" in str(error.value)
    assert isinstance(error.value, io_shared.Error)
    def fill():
        with put.loan(1) as out:
            out.sensor = text

    with pytest.raises(ValueError):
        fill()
    assert put.seq == 0
    for shape in ((), (2,)):
        with io_shared.producer(new_name(), ("S8", shape)) as whole:
            with pytest.raises(ValueError):
                whole.put(np.full(shape, text) if shape else text)
            assert whole.seq == 0
    nested = np.dtype([("inner", [("name", "S8"), ("id", "u8")])])
    with io_shared.producer(new_name(), nested) as struct:
        for value in ({"name": text, "id": 1}, (text, 1), [(text, 1)][0]):
            with pytest.raises(ValueError) as error:
                struct.put(inner=value)
            assert "inner.name" in str(error.value)
    row = [("name", "S8"), ("id", "u8")]
    rows = io_shared.producer(new_name(), tail=("rows", row), capacity=999)
    with rows, pytest.raises(ValueError):
        rows.put(rows=[("fits", 1), (text, 2)])
    with rows, pytest.raises(ValueError):
        rows.put(rows=np.array([("fits", 1), (text, 2)], [("name", "S1000"), ("id", "u8")]))


@pytest.mark.parametrize("text", [u"lidar", u"ob\u00eatre", u"", u"12345678"])
def test_texts_go_in_and_out_as_str(name, new_name, text):
    native = text if str is not bytes else text.encode("utf-8")
    whole_name = new_name()
    put = io_shared.producer(name, [("name", "S8"), ("names", "S8", (2,))])
    whole = io_shared.producer(whole_name, "S8")
    get, get_whole = io_shared.open(name), io_shared.open(whole_name)
    for given in (text, native, text.encode("utf-8"), np.array(text)):
        put.put(name=given, names=[text, native])
        for message in (get.get(timeout=20), io_shared.observe(name).copy()):
            assert type(message.name) is str and message.name == native == message["name"]
            assert message.names.tolist() == [text.encode("utf-8")] * 2
        whole.put(given)
        assert type(get_whole.get(timeout=20)) is str and get_whole.latest() == native
        with put.loan() as out:
            out.name, out.names = given, [native, text]
            assert out.name == native
        assert get.borrow(timeout=20).name == native
    put.put(get.latest())
    assert get.get(timeout=20).name == native
    for wrong in (5, None, [b"a", 3]):
        with pytest.raises(TypeError) as error:
            put.put(name=wrong, names=["a", "b"])
        assert "`name`" in str(error.value)


def test_bytes_that_are_no_text_come_as_they_went(name):
    put, get = io_shared.producer(name, "S8"), io_shared.open(name)
    put.put(b"\xff\xfe\x01")
    once = get.get(timeout=20)
    put.put(once)
    assert io_shared.observe(name).copy() == once and type(once) is str


@pytest.mark.parametrize(
    "dtype, value",
    [("u1", 256), ("u1", -1), ("i2", 40000), ("u8", 2 ** 64), ("u4", 2.5), ("i8", float("nan")),
     ("i4", float("inf")), ("u2", np.int64(70000)), ("f4", 1j), ("i8", np.uint64(2 ** 63)),
     ("f4", 1e300), ("f4", -1e39), ("f4", 10 ** 40), ("f2", 70000)],
)
def test_numbers_that_do_not_fit_are_not_cut(name, new_name, dtype, value):
    put = io_shared.producer(name, [("n", dtype)])
    tail = io_shared.producer(new_name(), tail=("n", dtype), capacity=999)
    whole = io_shared.producer(new_name(), dtype)
    for wrong in (
        lambda: put.put(n=value), lambda: tail.put(n=[0, value]), lambda: whole.put(value),
    ):
        with pytest.raises((ValueError, TypeError)) as error:
            wrong()
        assert isinstance(error.value, io_shared.Error)
        assert "`n`" in str(error.value) or whole.name in str(error.value)
    assert put.seq == tail.seq == whole.seq == 0
    put.put(n=3.0)
    whole.put(np.float32(4))


@pytest.mark.parametrize("declared, given, cure", [
    ("u1", np.zeros(2, "f4"), "astype('u1')"), ("i4", np.ones(2), "astype('i4')"),
    ("f4", np.ones(2, complex), ".real"), ("?", np.ones(2, "u1"), "astype('?')"),
    ("f8", np.array(["1", "2"]), "astype('f8')"), ("u2", np.array([0.5, 1]), "astype('u2')"),
])
def test_an_array_of_another_kind_is_refused_whatever_it_holds(new_name, declared, given, cure):
    put = io_shared.producer(new_name(), [("n", declared, 2)])
    tail = io_shared.producer(new_name(), tail=("n", declared), capacity=999)
    whole = io_shared.producer(new_name(), (declared, 2))
    wrongs = [lambda: put.put(n=given), lambda: tail.put(n=given), lambda: whole.put(given)]
    with put.loan() as out:
        wrongs.append(lambda: setattr(out, "n", given))
        for wrong in wrongs:
            with pytest.raises(ValueError) as error:
                wrong()
            text = str(error.value)
            assert isinstance(error.value, io_shared.Error) and cure in text, text
            assert "`n`" in text or whole.name in text
    values = [1, 0] if declared == "?" else [1.0, 2]
    put.put(n=values)
    whole.put(tuple(values))


@pytest.mark.parametrize("declared, fits, wrong", [
    ("u1", np.array([0, 255]), np.array([0, 256])), ("i2", np.array([True, False]), None),
    ("f4", np.array([0.1, np.inf]), np.array([1.0, 1e300])), ("f8", np.array([1, 2]), None),
    ("f2", np.array([1, 65504]), np.array([1, 70000])), ("u8", np.array([1]), np.array([-1])),
])
def test_an_array_of_its_kind_is_put_if_every_value_fits(new_name, declared, fits, wrong):
    put = io_shared.producer(new_name(), tail=("n", declared), capacity=999)
    get = io_shared.open(put.name)
    put.put(n=fits)
    assert np.array_equal(get.get(timeout=20).n, fits.astype(declared))
    if wrong is not None:
        with pytest.raises(ValueError) as error:
            put.put(n=wrong)
        text = "does not fit into %s" % np.dtype(declared)
        assert text in str(error.value) and "(index [" in str(error.value), error.value
        assert get.try_get() is None


@pytest.mark.parametrize("declared, values", [
    ("u8", [12297829382473034411, 7]), ("u8", [2 ** 64 - 1, 5]), ("i8", [2 ** 53 + 1, 2.0]),
    ("u8", [np.int64(1), np.uint64(2 ** 63 + 1)]), ("i8", [-2 ** 63, 2 ** 62 + 1, 1.0]),
])
def test_a_list_of_large_integers_loses_no_bits_to_the_floats_that_numpy_makes(
    new_name, declared, values
):
    put = io_shared.producer(new_name(), tail=("n", declared), capacity=999)
    get = io_shared.open(put.name)
    for given in (values, tuple(values), collections.deque(values)):
        put.put(n=given)
        assert get.get(timeout=20).n.tolist() == values
    with pytest.raises(ValueError) as error:
        put.put(n=[2 ** 63, -2 ** 63])
    assert "does not fit into %s" % np.dtype(declared) in str(error.value)


def test_a_mask_is_lost_in_no_field(name, new_name):
    put = io_shared.producer(name, [("n", "f8"), ("at", POINT)], tail=("rows", "f8"), capacity=999)
    masked = np.ma.masked_array([1.0, 2.0], [0, 1])
    whole = io_shared.producer(new_name(), tail="f8", capacity=999)
    for wrong in (
        lambda: put.put(n=1, at=points(1)[0], rows=masked),
        lambda: put.put(n=np.ma.masked, at=points(1)[0], rows=[]),
        lambda: put.put(n=1, at=np.ma.zeros((), POINT)[()], rows=[]),
        lambda: whole.put(masked),
    ):
        with pytest.raises(ValueError) as error:
            wrong()
        assert ".filled()" in str(error.value)
    assert put.seq == whole.seq == 0


def test_numbers_of_records_and_objects_are_not_cut(name):
    element = [("x", "f4"), ("i", "i2"), ("at", [("j", "u2"), ("l", "S4")])]
    header = [("n", "u4"), ("p", element)]
    put = io_shared.producer(name, header, tail=("rows", element), capacity=999)
    get = io_shared.open(name)
    fits = (1, 2, (3, "a"))
    put.put(n=Decimal(7), p=fits, rows=[fits, (1, np.int64(2), {"j": 3, "l": "b"})])
    message = get.get(timeout=20)
    assert message.n == 7 and message.rows["at"]["l"].tolist() == [b"a", b"b"]
    for record in (
        (1, 2.5, (3, "a")), (1, 70000, (3, "a")), (1, np.float64(2.5), (3, "a")), (1, 2, (-1, "a")),
        (1, Decimal("2.5"), (3, "a")), (1, 2 ** 70, (3, "a")), (1, np.ma.masked, (3, "a")),
        (1, 2, (3, "abcde")), (1, 2, (3,)), (1, 2), (1, 2, 3),
        (1, np.datetime64("2020"), (3, "a")), 2.5,
    ):
        for wrong in (
            lambda: put.put(n=1, p=record, rows=[]),
            lambda: put.put(n=1, p=fits, rows=[fits, record] if record != 2.5 else [record]),
        ):
            with pytest.raises((ValueError, TypeError)) as error:
                wrong()
            assert isinstance(error.value, io_shared.Error), error.value
    for number in (Decimal("2.5"), np.array(2.5, object), 2 ** 70, np.timedelta64(3, "s")):
        with pytest.raises(ValueError) as error:
            put.put(n=number, p=fits, rows=[])
        assert isinstance(error.value, io_shared.Error) and "`n`" in str(error.value)
    assert put.seq == 1


def test_a_text_does_not_end_with_what_would_be_lost(name):
    put = io_shared.producer(name, [("t", "S8")])
    with pytest.raises(ValueError) as error:
        put.put(t=u"ab\0")
    assert "NUL" in str(error.value) and "`t`" in str(error.value)
    put.put(t=b"ab\0\0\0\0\0\0")  # a field as C has it
    assert io_shared.open(name).get(timeout=20).t == "ab"


def test_a_field_is_found_by_a_text_of_either_kind(name):
    field = u"\u00f6" if str is not bytes else u"\u00f6".encode("utf-8")
    put, get = io_shared.producer(name, np.dtype([(field, "u4")])), io_shared.open(name)
    put.put({u"\u00f6": 7})
    message = get.get(timeout=20)
    assert message[u"\u00f6"] == message[field] == message.get(u"\u00f6") == 7
    assert u"\u00f6" in message and message.get("none") is None and message.get("none", 3) == 3
    message[u"\u00f6"] = 8
    assert message[field] == 8
    with pytest.raises(KeyError):
        message[u"\u00e4"]
