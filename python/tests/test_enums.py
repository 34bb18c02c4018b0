"""Enums in arrays, nested structs and tails: read, put, assigned and refused as those of fields."""

import copy
import pickle

import numpy as np
import pytest

import io_shared
from test_checked import MARK, write_after_marks

CAMERA = io_shared.enum("Camera", "u1", Front=0, Rear=1, Left=4)
PART = [("kind", CAMERA), ("kinds", CAMERA, 2), ("weight", "u1")]
FIELDS = [
    ("mark", "u8"), ("nested", PART), ("parts", PART, 2), ("kinds", CAMERA, 2),
    ("grid", CAMERA, (1, 2)),
]


@pytest.fixture
def ends(name):
    return io_shared.producer(name, FIELDS), io_shared.open(name)


def value(**changed):
    fields = dict(
        mark=MARK, nested={"kind": "Left", "kinds": ["Rear", 0], "weight": 7},
        parts=[("Rear", (4, "Front"), 1), (0, [1, 1], 2)], kinds=["Left", 1], grid=[[u"Rear", 0]],
    )
    fields.update(changed)
    return fields


def names(array):
    return [kind.name for kind in array]


def assert_is(got):
    assert (got.nested.kind, got.nested.kind.name, got.nested["kind"].name) == (4, "Left", "Left")
    assert got.nested[0].name == "Left" and got.nested.kind.enum == "Camera"
    assert names(got.nested.kinds) == ["Rear", "Front"] and got.nested.weight == 7
    assert [part.kind.name for part in got.parts] == ["Rear", "Front"]
    assert got.parts[0].kind.name == got.parts["kind"][0].name == got["parts"][0][0].name == "Rear"
    assert names(got.parts[0].kinds) == ["Left", "Front"] and got.parts[-1].weight == 2
    assert names(got.kinds) == ["Left", "Rear"] and names(got.kinds[::-1]) == ["Rear", "Left"]
    assert names(got.kinds[got.kinds == 1]) == ["Rear"] and got.kinds.tolist() == [4, 1]
    assert got.grid[0, 0].name == "Rear" and names(got.grid[0]) == ["Rear", "Front"]
    assert got.grid.shape == (1, 2) and (got.kinds + 1).tolist() == [5, 2]
    # What has no enum is NumPy's own.
    assert type(got.parts["weight"]) is np.ndarray and type(got.parts[0].weight) is np.uint8


def test_enums_in_arrays_and_structs_are_read_as_those_of_fields(ends):
    put, get = ends
    put.put(**value())
    taken = [get.get(timeout=20), io_shared.observe(get.name).copy(), get.latest()]
    put.put(value())
    taken += [get.borrow(timeout=20)]
    for got in taken:
        assert_is(got)
        assert "Left" in repr(got.nested.kind) and "kinds=" in repr(got)
        assert_is(copy.copy(got))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert_is(pickle.loads(pickle.dumps(got, protocol)))
            for part in (got.nested, got.parts, got.kinds):
                again = pickle.loads(pickle.dumps(part, protocol))
                assert type(again) is type(part) and np.array_equal(again, part)


def test_what_was_got_is_put_again_whole_and_in_parts(ends):
    put, get = ends
    put.put(**value())
    got = get.get(timeout=20)
    put.put(got)
    again = get.get(timeout=20)
    assert again == got
    put.put(mark=MARK, nested=again.parts[0], parts=[again.nested, again.nested],
            kinds=again.kinds[::-1], grid=[list(again.kinds)])
    swapped = get.get(timeout=20)
    assert swapped.nested.kind.name == "Rear" and names(swapped.kinds) == ["Rear", "Left"]
    assert [part.kind.name for part in swapped.parts] == ["Left", "Left"]
    assert names(swapped.grid[0]) == ["Left", "Rear"]


@pytest.mark.parametrize("in_place", [False, True])
def test_a_loan_takes_names_wherever_an_enum_is(ends, in_place):
    put, get = ends
    with put.loan(in_place=in_place) as out:
        out.mark = MARK
        assert out.nested.kind.name == "Front"  # zeros
        out.nested = {"kind": 0, "kinds": ["Rear", 0], "weight": 7}
        out.nested.kind = "Left"
        out.parts[0] = ("Rear", ["Front", 0], 0)
        out.parts[0].kinds = ["Left", 0]
        out.parts[0].weight = 1
        out.parts["weight"] = [1, 2]
        out.parts[1]["kinds"] = "Rear"
        out.kinds[0] = "Left"
        out.kinds[1:] = ["Rear"]
        out.grid[0, 0] = 1
    assert_is(get.get(timeout=20))


def test_a_copy_can_be_changed_and_a_borrowed_message_cannot(ends):
    put, get = ends
    put.put(**value())
    put.put(**value())
    seen = get.borrow(timeout=20)
    for change in (
        lambda: setattr(seen.nested, "kind", 0), lambda: seen.kinds.__setitem__(0, "Front"),
        lambda: seen.parts.__setitem__("weight", 0), lambda: setattr(seen.parts[0], "kind", 0),
    ):
        with pytest.raises(ValueError):
            change()
    own = copy.copy(seen)
    own.parts[1].kind = own.kinds[0] = "Rear"
    assert own.parts[1].kind.name == own.kinds[0].name == "Rear"
    assert_is(seen)


def test_a_name_or_a_number_that_an_enum_does_not_have_is_refused(ends):
    put, get = ends
    for wrong in (
        value(kinds=["Top", 0]), value(grid=[["Top", 0]]), value(parts=[("Top", [0, 0], 0)] * 2),
        value(nested={"kind": "Top", "kinds": [0, 0], "weight": 0}),
    ):
        with pytest.raises(io_shared.Invalid) as error:
            put.put(**wrong)
        assert "Camera has no variant 'Top': it has Front, Rear, Left" in str(error.value)
    for wrong, said in [
        (value(kinds=[0, 3]), "`kinds[1]` is 3"),
        (value(grid=[[0, 3]]), "`grid[0][1]` is 3"),
        (value(parts=[(0, [0, 0], 0), (0, [0, 3], 0)]), "`parts[1].kinds[1]` is 3"),
        (value(nested={"kind": 3, "kinds": [0, 0], "weight": 0}), "`nested.kind` is 3"),
    ]:
        with pytest.raises(io_shared.BadValue) as error:
            put.put(**wrong)
        assert said in str(error.value)
    with put.loan() as out:
        with pytest.raises(io_shared.Invalid):
            out.kinds[0] = "Top"
        with pytest.raises(io_shared.NoField) as error:
            out.nested.colour
        assert "this struct has the fields kind, kinds, weight" in str(error.value)
        with pytest.raises(ValueError):
            out.parts[0].colour = 1
        out.mark = MARK
    assert get.get(timeout=20).nested.kind.name == "Front"


@pytest.mark.parametrize("distance, said", [(8, "`nested.kind` is 9"), (21, "`kinds[1]` is 9")])
def test_a_number_that_another_program_wrote_is_a_bad_value(ends, distance, said):
    put, get = ends
    for take in (get.get, get.borrow, get.latest):
        put.put(**value())
        write_after_marks(get.name, distance, b"\x09")
        with pytest.raises(io_shared.BadValue) as error:
            take()
        assert said in str(error.value)


def test_enums_of_a_tail_and_of_a_whole_message(new_name):
    name = new_name()
    put = io_shared.producer(name, [("mark", "u8")], tail=("parts", PART), capacity=1000)
    get = io_shared.open(name)
    put.put(mark=1, parts=[("Left", [0, 1], 3), (1, ["Left", 4], 0)])
    got = get.get(timeout=20)
    assert [part.kind.name for part in got.parts] == ["Left", "Rear"]
    assert names(got.parts["kind"]) == ["Left", "Rear"] and got.parts[1].kinds[1].name == "Left"
    with put.loan(3) as out:
        out.mark, out.parts[2] = 2, {"kind": "Rear", "kinds": [1, 1], "weight": 1}
    assert names(get.get(timeout=20).parts["kind"]) == ["Front", "Front", "Rear"]

    for dtype, given, named in [
        (CAMERA, "Left", "Left"), (np.dtype((CAMERA, 2)), ["Left", 1], ["Left", "Rear"]),
    ]:
        name = new_name()
        put, get = io_shared.producer(name, dtype), io_shared.open(name)
        put.put(given)
        got = get.get(timeout=20)
        assert (got.name if isinstance(given, str) else names(got)) == named
        put.put(got)
        assert np.array_equal(get.get(timeout=20), got)
    name = new_name()
    put, get = io_shared.producer(name, tail=CAMERA, capacity=100), io_shared.open(name)
    put.put(["Left", 0, "Rear"])
    assert names(get.get(timeout=20)) == ["Left", "Front", "Rear"]


def test_messages_without_enums_are_plain_arrays(name):
    plain = [("at", "f4", 2), ("weight", "f8")]
    fields = [("first", plain), ("all", plain, 2)]
    put = io_shared.producer(name, fields, tail=("rest", plain), capacity=1000)
    get = io_shared.open(name)
    one = ((1, 2), 3)
    put.put(first=one, all=[one, one], rest=[one])
    got = get.get(timeout=20)
    assert type(got.all) is type(got.rest) is np.ndarray and type(got.first) is np.void
    assert type(got.rest[0]) is np.void and got.first["weight"] == 3
