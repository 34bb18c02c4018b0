"""Bools and enums: what Rust's types allow is what Python may put, and bad bytes are an error."""

import mmap

import numpy as np
import pytest

import io_shared
from io_shared import _messages, _producer

#: The schema of a Rust struct with an enum and bools.
ROBOT = (
    '{"struct":"Robot","size":16,"align":8,"fields":['
    '{"name":"mark","offset":0,"type":"<u8"},'
    '{"name":"speed","offset":8,"type":"<f4"},'
    '{"name":"mode","offset":12,"type":{"enum":"Mode","of":"|u1","variants":['
    '{"name":"Idle","number":0},{"name":"Driving","number":1},{"name":"Fault","number":200}]}},'
    '{"name":"valid","offset":13,"type":"|b1"},'
    '{"name":"brakes","offset":14,"type":{"array":2,"of":"|b1"}}]}'
)
MARK = 0x1122334455667788


def robots(name):
    """A producer of that schema, as that of a channel which a Rust program created."""
    kind = _messages.of(ROBOT)
    return _producer.TypedProducer(kind, name, 16, None, None, None, 0)


def write_after_marks(name, distance, byte):
    """Changes a byte of the value, wherever it lies, as a program that follows no rule might."""
    with open("/dev/shm" + name, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
        mark, at = np.uint64(MARK).tobytes(), -1
        while True:
            at = memory.find(mark, at + 1)
            if at < 0:
                break
            memory[at + distance : at + distance + 1] = byte
        memory.close()


def put(producer, mode, valid):
    producer.put(mark=MARK, speed=0.5, mode=mode, valid=valid, brakes=[False, True])


def test_bools_and_enums_come_out_as_they_were_put(name):
    puts, gets = robots(name), io_shared.open(name)
    put(puts, 200, True)
    robot = gets.get()
    assert (robot.mode, robot.valid, robot.brakes.tolist()) == (200, True, [False, True])
    assert robot.mode.name == "Fault" and robot.valid.dtype == np.bool_
    put(puts, 1, 0)
    robot = gets.borrow()
    assert (robot.mode, robot.valid) == (1, False)


def test_a_dtype_with_bools_is_a_channel(name):
    dtype = np.dtype([("on", "?"), ("lamps", "?", 3)])
    with io_shared.producer(name, dtype) as puts:
        puts.put(on=True, lamps=[1, 0, np.True_])
        state = io_shared.open(name).get()
        assert state.on and state.lamps.tolist() == [True, False, True]
        for wrong in (2, -1, 0.5):
            with pytest.raises(io_shared.Invalid) as error:
                puts.put(on=wrong, lamps=[False] * 3)
            assert "field `on`: a bool is True or False" in str(error.value)


def test_a_number_that_is_no_variant_is_not_put(name):
    puts, gets = robots(name), io_shared.open(name)
    with pytest.raises(io_shared.BadValue) as error:
        put(puts, 3, True)
    said = "field `mode` is 3, expected 0 (Idle), 1 (Driving) or 200 (Fault): nothing was put"
    assert said in str(error.value)
    with pytest.raises(io_shared.BadValue):
        with puts.loan() as out:
            out.mark, out.mode = MARK, 7
    with pytest.raises(io_shared.BadValue):
        with puts.loan(in_place=True) as out:
            out.mark, out.mode = MARK, 7
    assert gets.try_get() is None
    with pytest.raises(ValueError):  # also as one
        put(puts, 3, True)


def test_bad_bytes_are_refused_in_every_role_and_count_as_had(name):
    puts, gets, looks = robots(name), io_shared.open(name), io_shared.observe(name)
    for distance, byte, said in [(12, b"\x07", "`mode` is 7"), (15, b"\xff", "`brakes[1]` is 255")]:
        for take in (gets.get, gets.borrow, gets.latest):
            put(puts, 0, True)
            write_after_marks(name, distance, byte)
            with pytest.raises(io_shared.BadValue) as error:
                take()
            assert said in str(error.value)
            with pytest.raises(io_shared.BadValue):
                looks.copy()
            assert gets.try_get() is None
    put(puts, 0, True)
    assert gets.get().valid
