"""Messages with lists: arrays of any shape in one message, declared by a dict or by pairs."""

import copy
import mmap
import pickle
import struct

import numpy as np
import pytest

import io_shared
from io_shared import _lists
from io_shared._memory import address
from io_shared._message import parts
from conftest import points, POINT, references_are_counted

FIELDS = {
    "stamp": "u8",
    "rgb": ("u1", (None, None, 3)),
    "depth": ("f4", (None, None)),
    "names": ["S32"],
    "cloud": [POINT],
    "valid": "?",
}
MARK = 0x1122334455667711


def frame(**changed):
    fields = dict(
        stamp=MARK, rgb=np.arange(24, dtype="u1").reshape(4, 2, 3), depth=np.eye(3, 5, dtype="f4"),
        names=[u"car", u"bicycle", u"p\xe9destrian"], cloud=points(3), valid=True,
    )
    fields.update(changed)
    return fields


def assert_is(message, **changed):
    fields = frame(**changed)
    for name in ("rgb", "depth", "cloud"):
        assert np.array_equal(message[name], fields[name]), name
        assert message[name].dtype == fields[name].dtype and message[name].flags.aligned
    assert [name.decode("utf-8") for name in message.names.tolist()] == fields["names"]
    assert (message.stamp, message.valid) == (fields["stamp"], fields["valid"])


@pytest.fixture
def ends(name):
    return io_shared.producer(name, FIELDS), io_shared.open(name)


def test_arrays_of_any_shape_come_out_as_they_were_put(ends):
    put, get = ends
    put.put(**frame())
    for message in (get.get(timeout=20), get.latest(), io_shared.observe(get.name).copy()):
        assert_is(message)
        assert message.rgb.flags.writeable and message.rgb.shape == (4, 2, 3)
        assert sorted(message) == sorted(FIELDS) and "rgb=" in repr(message)
    put.put(frame(rgb=np.zeros((0, 7, 3), "u1"), names=[], depth=[[1, 2]], cloud=[(1, 2, 3, 4)]))
    message = get.borrow(timeout=20)
    assert message.rgb.shape == (0, 7, 3) and len(message.names) == 0
    assert message.depth.tolist() == [[1, 2]] and message.cloud["intensity"].tolist() == [4]
    put.put(message)
    assert get.get(timeout=20) == message
    put.put(**message)
    assert dict(get.get(timeout=20))["stamp"] == MARK


def test_a_message_is_read_where_it_lies_and_copied_from_there(ends):
    put, get = ends
    put.put(**frame())
    message = get.borrow(timeout=20)
    with pytest.raises(ValueError):
        message.rgb[0] = 1
    rgb = message.rgb[1:]
    own = [copy.copy(message), copy.deepcopy(message)]
    own += [pickle.loads(pickle.dumps(message, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)]
    del message
    for i in range(8):
        put.put(**frame(rgb=np.zeros((4, 2, 3), "u1")))
        get.get(timeout=20)
    assert np.array_equal(rgb, frame()["rgb"][1:]), "it lies there as long as a slice lives"
    for message in own:
        assert_is(message)
        message.rgb[0], message.stamp = 0, 1


@pytest.mark.parametrize("in_place", [False, True])
def test_a_message_is_filled_in_a_loan(ends, in_place):
    put, get = ends
    for rows in (4, 400):
        rgb = np.resize(frame()["rgb"], (rows, 200, 3))
        loan = put.loan(
            rgb=rgb.shape, depth=(3, 5), names=3, cloud=3, in_place=in_place, tag=rows
        )
        with loan as out:
            assert (out.stamp, out.valid) == (0, False), "the fields are zeros"
            out.stamp, out.valid, out.depth = MARK, True, frame()["depth"]
            out.names, out.cloud = frame()["names"], points(3)
            out.rgb[...] = rgb
        assert_is(get.borrow(timeout=20), rgb=rgb)
        assert get.tag == rows
        with pytest.raises(ValueError):
            out.rgb[0] = 0
    with put.loan({"names": 1}) as out:
        assert (out.stamp, out.valid) == (0, False), "also where an earlier loan was"
        out.names = ["bus"]
    message = get.get(timeout=20)
    assert message.names.tolist() == [b"bus"] and message.rgb.shape == (0, 0, 3)


def test_texts_of_a_loan_are_utf_8_as_a_whole_field_and_numpys_as_a_part(ends):
    put, get = ends
    with put.loan(names=2) as out:
        with pytest.raises(io_shared.Invalid, match="33 bytes"):
            out.names = [u"\xfc" * 16 + u"x", u"car"]
        out.names = [u"p\xe9destrian", u"car"]
        with pytest.raises(UnicodeEncodeError):
            out.names[:] = [u"p\xe9destrian", u"car"]
        out.names[1] = u"\xfcber".encode("utf-8")
    names = [name.decode("utf-8") for name in get.get(timeout=20).names.tolist()]
    assert names == [u"p\xe9destrian", u"\xfcber"]


@references_are_counted
def test_an_array_that_is_kept_from_a_loan_in_place_puts_nothing(ends):
    put, get = ends
    with pytest.raises(io_shared.AlreadyLoaned):
        with put.loan(rgb=(4, 2, 3), in_place=True) as out:
            kept = out.rgb[1:]
    assert get.try_get() is None
    kept[...] = 1
    put.put(**frame())
    assert_is(get.get(timeout=20))


def test_a_channel_grows_unless_it_was_given_a_capacity(new_name):
    name = new_name()
    put, get = io_shared.producer(name, FIELDS), io_shared.open(name)
    before = put.capacity
    big = np.resize(frame()["rgb"], (1000, 1000, 3))
    put.put(**frame(rgb=big))
    assert_is(get.get(timeout=20), rgb=big)
    assert put.capacity > before
    with put.loan(rgb=(2000, 1000, 3), in_place=True) as out:
        out.stamp = 5
    assert get.borrow(timeout=20).rgb.shape == (2000, 1000, 3)
    fixed = io_shared.producer(new_name(), FIELDS, capacity="1K")
    for too_much in (lambda: fixed.put(**frame(rgb=big)), lambda: fixed.loan(names=99).__enter__()):
        with pytest.raises(io_shared.TooLarge):
            too_much()
    fixed.put(**frame())


@pytest.mark.parametrize("changed, kind, said", [
    (dict(rgb=np.zeros((4, 2, 4), "u1")), ValueError, "`rgb` has the shape (any, any, 3)"),
    (dict(rgb=np.zeros(3, "u1")), ValueError, "not (3,)"),
    (dict(rgb=[[[300, 0, 0]]]), ValueError, "field `rgb`: 300 does not fit into uint8"),
    (dict(depth=np.zeros((2, 2), complex)), ValueError, "field `depth`: a complex number"),
    (dict(depth=[[1, 2], [3]]), ValueError, "field `depth`"),
    (dict(names=["x" * 33]), ValueError, "field `names`: a text of 33 bytes"),
    (dict(names="car"), TypeError, "field `names` is a list of texts, not a text: 'car'"),
    (dict(rgb=np.zeros((0, 5), "u1")), ValueError, "write np.zeros((0, 0, 3), 'u1'), or []"),
    (dict(rgb=[[[0, 1, 0], [7, 0.5, 2]]]), ValueError, "not 0.5 (index [0, 1, 1])"),
    (dict(rgb=np.zeros((2, 2, 3), "f4")), ValueError, "use .astype('u1')"),
    (dict(depth=np.full((2, 2), 1e300)), ValueError, "field `depth`: 1e+300 does not fit"),
    (dict(cloud=[dict(x=1, y=2, z=3, intensity=4)]), TypeError, "as tuples (x, y, z, intensity)"),
    (dict(names=[1]), TypeError, "field `names`"),
    (dict(cloud=np.zeros((2, 4))), ValueError, "field `cloud`"),
    (dict(cloud=np.zeros(2)), TypeError, "field `cloud`"),
    (dict(cloud=5), TypeError, "field `cloud`"),
    (dict(colour=1), TypeError, "unknown: `colour`"),
    (dict(valid=2), ValueError, "field `valid`: a bool is True or False"),
])
def test_what_is_no_value_of_its_field_is_not_put(ends, changed, kind, said):
    put, get = ends
    with pytest.raises(kind) as error:
        put.put(**frame(**changed))
    assert isinstance(error.value, io_shared.Error) and said in str(error.value), error.value
    fields = frame()
    del fields["depth"]
    with pytest.raises(TypeError) as error:
        put.put(**fields)
    assert "missing: `depth`" in str(error.value)
    for wrong in (dict(rgb=(4, 2, 4)), dict(rgb=5), dict(depth=(-1, 2)), dict(size=3)):
        with pytest.raises((ValueError, TypeError)):
            put.loan(**wrong)
    with pytest.raises(TypeError):
        put.loan(3)
    assert get.try_get() is None and put.seq == 0


@pytest.mark.parametrize("fields, said", [
    ({"flags": ["?"]}, "field `flags`: a list cannot have bools or enums"),
    ({"a": [np.dtype("O")]}, "field `a` is object"),
    ({"a": ["S0"]}, "use 'S32'"),
    ({"a": [str]}, "field `a`: a text has a number of bytes"),
    ({"a": ["V0"]}, "no bytes"),
    ({"a": ["f4", 4]}, "field `a`: ['f4', 4] is not a dtype"),
    ({"a": [("f4", 4.5)]}, "('f4', (None, 4))"),
    ({"a": ("u1", (None, -3))}, "negative"),
    ([("a", "u1"), ("b", ["f4"])], "('_pad', 'u1', 7)"),
    ({"a": ("nothing", (None,))}, "is not a dtype"),
])
def test_fields_that_cannot_be_are_refused_by_name(name, fields, said):
    with pytest.raises((ValueError, TypeError)) as error:
        io_shared.producer(name, fields)
    assert isinstance(error.value, io_shared.Error) and said in str(error.value), error.value


def test_a_dict_without_lists_is_a_message_of_a_fixed_size(name):
    put = io_shared.producer(name, {"valid": "?", "x": "f8", "id": "u2", "at": POINT})
    put.put(valid=True, x=0.5, id=7, at=points(1)[0])
    got = io_shared.open(name).get()
    assert (got.valid, got.x, got.id, got.at["z"]) == (True, 0.5, 7, 2)
    assert sorted(got) == ["at", "id", "valid", "x"]


def test_the_order_of_a_dict_does_not_count(new_name):
    name = new_name()
    put = io_shared.producer(name, FIELDS)
    again = io_shared.consumer(name, dict(sorted(FIELDS.items(), reverse=True)))
    put.put(**frame())
    assert_is(again.get(timeout=20))
    with pytest.raises(io_shared.Mismatch) as error:
        io_shared.consumer(name, dict(FIELDS, depth=("f8", (None, None))))
    assert "depth" in str(error.value)


def test_a_length_that_a_consumer_declares_is_checked(name):
    put = io_shared.producer(name, {"rgb": ("u1", (None, None, None))})
    get = io_shared.consumer(name, {"rgb": ("u1", (None, None, 3))})
    put.put(rgb=np.zeros((2, 2, 4), "u1"))
    for take in (get.latest, get.latest):
        with pytest.raises(io_shared.BadValue) as error:
            take()
        assert "field `rgb` has the shape (any, any, 3), not (2, 2, 4)" in str(error.value)
    put.put(rgb=np.zeros((2, 2, 3), "u1"))
    assert get.borrow(timeout=20).rgb.shape == (2, 2, 3)


def test_elements_may_be_arrays(name):
    box = np.dtype(("f4", 4))
    put = io_shared.producer(name, [("boxes", [box]), ("grid", (box, (None, 2)))])
    get = io_shared.open(name)
    put.put(boxes=np.ones((3, 4), "f4"), grid=[[[1, 2, 3, 4], [5, 6, 7, 8]]])
    got = get.get(timeout=20)
    assert got.boxes.shape == (3, 4) and got.grid.shape == (1, 2, 4)
    with pytest.raises(ValueError) as error:
        put.put(boxes=np.ones((3, 5), "f4"), grid=[])
    assert "field `boxes` has elements of shape (4,)" in str(error.value)


@pytest.mark.parametrize("nothing", [[], (), np.array([])])
def test_no_elements_are_an_empty_value_of_every_field(new_name, nothing):
    fields = {"boxes": ("f4", (None, 4)), "arrays": [("f4", 4)], "image": ("u1", (None, None, 3)),
              "names": ["S8"], "cloud": [POINT], "grid": (POINT, (None, 2))}
    shapes = {"boxes": (0, 4), "arrays": (0, 4), "image": (0, 0, 3), "names": (0,), "cloud": (0,),
              "grid": (0, 2)}
    name = new_name()
    put, get = io_shared.producer(name, fields), io_shared.open(name)
    put.put(**dict.fromkeys(fields, nothing))
    got = get.get(timeout=20)
    assert {each: got[each].shape for each in fields} == shapes
    with put.loan() as out:
        for each in fields:
            out[each] = nothing
    got = get.get(timeout=20)
    assert {each: got[each].shape for each in fields} == shapes


@pytest.mark.parametrize("nothing", [[], (), np.array([])])
@pytest.mark.parametrize("element", [np.dtype(("f4", 4)), np.dtype(POINT)])
def test_no_elements_are_an_empty_value_of_a_tail(new_name, element, nothing):
    put = io_shared.producer(new_name(), [("n", "i8")], tail=("boxes", element), capacity="1K")
    put.put(n=1, boxes=nothing)
    assert len(io_shared.open(put.name).get(timeout=20).boxes) == 0
    whole = io_shared.producer(new_name(), tail=element, capacity="1K")
    whole.put(nothing)
    assert len(io_shared.open(whole.name).get(timeout=20)) == 0


def test_a_list_of_arrays_is_declared_by_their_dtype_or_their_shape(new_name):
    name = new_name()
    put = io_shared.producer(name, {"boxes": [("f4", 4)], "at": [("f8", (2, 3))]})
    get = io_shared.consumer(name, {"boxes": [np.dtype(("f4", 4))], "at": [("f8", (2, 3))]})
    put.put(boxes=[[1, 2, 3, 4]], at=np.ones((5, 2, 3)))
    got = get.get(timeout=20)
    assert got.boxes.tolist() == [[1, 2, 3, 4]] and got.at.shape == (5, 2, 3)
    pairs = io_shared.producer(new_name(), [("boxes", [("f4", 4)])])
    pairs.put(boxes=np.zeros((2, 4), "f4"))
    struct_ = io_shared.producer(new_name(), [("at", [("x", "f4")])])
    struct_.put(at=(1.5,))


def test_an_enum_is_a_number_with_a_name(name):
    camera = io_shared.enum("Camera", "u1", Front=0, Rear=1, Left=4)
    put = io_shared.producer(name, {"camera": camera, "all": (camera, 2), "ids": ["u2"]})
    get = io_shared.open(name)
    for given, number, called in [("Rear", 1, "Rear"), (4, 4, "Left"), (u"Front", 0, "Front")]:
        put.put(camera=given, all=["Left", 0], ids=[1])
        for got in (get.get(timeout=20), get.latest()):
            assert (got.camera, got.camera.name, got.camera.enum) == (number, called, "Camera")
            assert repr(got.camera) == "<Camera.%s: %d>" % (called, number)
            assert isinstance(got.camera, int) and got.all.tolist() == [4, 0]
            assert np.array([got.camera]).dtype.kind == "i"
            again = pickle.loads(pickle.dumps(got))
            assert again == got and again.camera.name == called
            assert pickle.loads(pickle.dumps(got.camera)).name == called
    put.put(got)
    assert get.get(timeout=20).camera.name == "Front"
    with pytest.raises(ValueError) as error:
        put.put(camera="Top", all=[0, 0], ids=[])
    assert "Camera has no variant 'Top': it has Front, Rear, Left" in str(error.value)
    with pytest.raises(io_shared.BadValue):
        put.put(camera=3, all=[0, 0], ids=[])
    for wrong in (lambda: io_shared.enum("E", "f4", A=0), lambda: io_shared.enum("E", A=0)):
        with pytest.raises((ValueError, TypeError)):
            wrong()


#: What a stranger writes at a distance from the mark, and what is said of it.
HOSTILE = [
    ("names", 0, 1 << 40, "names"),
    ("names", 0, 2, "names"),
    ("names", 8, 1 << 60, "names"),
    ("depth", 0, 131, "depth"),
    ("rgb", 16, 1 << 63, "rgb"),
]


def write_after_marks(name, distance, word):
    """Changes a word of each value that lies there."""
    with open("/dev/shm" + name, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
        mark, at = np.uint64(MARK).tobytes(), -1
        while True:
            at = memory.find(mark, at + 1)
            if at < 0:
                break
            memory[at + distance : at + distance + 8] = np.uint64(word).tobytes()
        memory.close()


def distance(put, field):
    """Where the words of a list lie, from the stamp on."""
    layout = put._messages.layout
    at = {each.name: each.at for each in layout.lists}[field]
    return at - layout.header.fields["stamp"][1]


@pytest.mark.parametrize("field, word, number, said", HOSTILE)
def test_lists_that_lie_elsewhere_are_refused_in_every_role(ends, field, word, number, said):
    put, get = ends
    look = io_shared.observe(get.name)
    at = distance(put, field) + word
    for take in (get.get, get.borrow, get.latest):
        put.put(**frame())
        write_after_marks(get.name, at, number)
        for each in (take, look.copy):
            with pytest.raises(io_shared.Corrupt) as error:
                each()
            assert "field `%s" % said in str(error.value), error.value
        assert get.try_get() is None, "it counts as had"
    put.put(**frame())
    assert_is(get.get(timeout=20))


def change_before_reading(monkeypatch, get, change):
    """Has each value changed once it is held, and before it is copied or seen."""
    def changing(method):
        def changed(self, value):
            change()
            return method(self, value)
        return changed

    for name in ("_copied", "_read"):
        monkeypatch.setattr(type(get), name, changing(getattr(type(get), name)))


@pytest.mark.parametrize("field, word, number, said", HOSTILE)
def test_lists_that_are_moved_after_the_library_looked_are_refused_too(
        ends, monkeypatch, field, word, number, said):
    put, get = ends
    at = distance(put, field) + word
    change_before_reading(monkeypatch, get, lambda: write_after_marks(get.name, at, number))
    for take in (get.get, get.borrow):
        put.put(**frame())
        with pytest.raises(io_shared.Corrupt) as error:
            take(timeout=20)
        assert "field `%s`" % said in str(error.value), error.value


@pytest.mark.parametrize("words, said", [
    ((34, 1, 48, 1), "field `a`: its elements do not lie"),
    ((28, 1, 48, 1), "field `a`: its elements do not lie"),
    ((64, 1, 48, 1), "field `a`: its elements do not lie"),
    ((32, 9, 48, 1), "field `a`: its shape is (9,)"),
    ((32, 2, 39, 1), "field `b`: its elements lie over those of another list"),
    ((32, 2, 40, 24), None),
    ((2 ** 64 - 1, 0, 32, 32), None),
])
def test_a_list_lies_within_its_message_aligned_and_apart(name, words, said):
    layout = io_shared.producer(name, [("a", ["f4"]), ("b", ["u1"])])._messages.layout
    packed = struct.pack("<4Q", *words)
    if said is not None:
        with pytest.raises(io_shared.Corrupt) as error:
            _lists.places(layout, packed, 64)
        assert said in str(error.value), error.value
    else:
        assert [shape for _, shape in _lists.places(layout, packed, 64)] == [words[1:2], words[3:]]


def test_a_bool_that_is_changed_after_the_library_looked_is_refused(ends, monkeypatch):
    put, get = ends
    layout = put._messages.layout
    fields = layout.header.fields
    at = fields["valid"][1] - fields["stamp"][1]
    change_before_reading(monkeypatch, get, lambda: write_after_marks(get.name, at, 2))
    put.put(**frame())
    with pytest.raises(io_shared.BadValue) as error:
        get.get(timeout=20)
    assert "field `valid` is 2, expected 0 or 1" in str(error.value)


def test_lists_that_a_loan_moves_are_not_put(ends):
    put, get = ends
    for in_place in (False, True):
        with pytest.raises(io_shared.BadValue):
            with put.loan(names=2, in_place=in_place) as out:
                layout = put._messages.layout
                at = {each.name: each.at for each in layout.lists}["names"]
                header = parts(out)[0]
                start = address(header) - address(header.base)
                np.ndarray((1,), "<u8", header.base, start + at)[0] = 3
                del header
    assert get.try_get() is None
