"""Typed state: what it returns, waiting for changes, deaths, and going on where it was removed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import io_shared
from conftest import pythons, timed
from io_shared import State

FIELDS = [("x", "f8"), ("y", "f8"), ("battery", "f4"), ("parked", "?"), ("pad", "S3")]
HOME = {"x": 0.5, "y": 2.0, "battery": 1.0, "parked": False, "pad": ""}

PREFIX = """
import os, sys, time
import io_shared
FIELDS = %r
state = io_shared.State(sys.argv[1], FIELDS)
print("open"); sys.stdout.flush()
""" % (FIELDS,)


def start(python, script, name):
    """A program that has opened the state."""
    process = subprocess.Popen(
        [python, "-c", PREFIX + script, name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ),
    )
    assert process.stdout.readline().strip() == b"open"
    return process


def end(process):
    process.communicate()
    assert process.returncode == 0


def test_a_value_is_read_and_changed_by_all_and_there_from_the_start(name):
    first = State(name, FIELDS, initial=HOME)
    second = State(name, FIELDS, initial=dict(HOME, x=7))
    assert (first.created, second.created) == (True, False)
    found = second.get()
    assert (found.x, found.y, found.battery, found.parked, found.pad) == (0.5, 2, 1, False, "")
    second.set(dict(HOME, x=1.5))
    second.set(**dict(HOME, x=2.5))
    with first.update() as state:
        assert state.x == 2.5
        state.x += 1
        state.parked = True
    assert (second.get().x, bool(second.get().parked)) == (3.5, True)


def test_a_number_and_an_array_are_values_too(new_name):
    counter = State(new_name(), "u8", initial=3)
    assert counter.get() == 3
    with counter.update() as value:
        value[()] += 1
    assert counter.get() == 4
    pose = State(new_name(), np.dtype(("f4", (3,))))
    assert pose.get().tolist() == [0, 0, 0]
    pose.set([1, 2, 3])
    assert pose.get().tolist() == [1, 2, 3]


def test_changes_are_those_of_others_and_reads_are_none(name):
    here, there = State(name, FIELDS), State(name, FIELDS)
    here.set(HOME)
    here.get()
    assert not here.changed()
    assert there.changed()
    there.wait_changed(timeout=0)
    there.get()
    with pytest.raises(io_shared.Timeout):
        there.wait_changed(timeout=0.15)
    with there.update() as state:
        state.x = 3
    assert not there.changed()
    assert here.changed()
    here.set(HOME)
    assert here.changed(), "it has not seen what it wrote over"


def test_a_block_that_fails_writes_nothing_and_what_is_no_value_is_refused(name):
    state = State(name, FIELDS, initial=HOME)
    with pytest.raises(ZeroDivisionError):
        with state.update() as value:
            value.x = 9
            1 // 0
    assert state.get().x == 0.5
    with pytest.raises(io_shared.WrongFields):
        state.set(x=1)
    with pytest.raises(io_shared.WrongFields):
        state.set()
    mode = io_shared.enum("Mode", "u1", Idle=0, Driving=3)
    modes = State(name + "-mode", [("mode", mode)])
    try:
        with pytest.raises(io_shared.Error):
            modes.set(mode=1)
        modes.set(mode="Driving")
        assert modes.get().mode.name == "Driving"
    finally:
        modes.close()
        io_shared.remove(name + "-mode")


@pytest.mark.parametrize("python", pythons())
def test_another_program_wakes_a_waiter(name, python):
    state = State(name, FIELDS)
    other = start(python, "sys.stdin.readline()\n"
                  "with state.update() as value: value.x = 9\n", name)
    assert not state.changed()
    other.stdin.write(b"go\n")
    other.stdin.flush()
    state.wait_changed(timeout=20)
    assert state.get().x == 9
    end(other)


def test_no_write_of_another_program_is_missed(name):
    state, last = State(name, FIELDS), 0
    script = (
        "for n in range(1, 501):\n"
        "    with state.update() as value: value.x = n\n"
        "    if n % 7 == 0: time.sleep(n % 3 * 1e-3)\n"
    )
    other = start(sys.executable, script, name)
    while last < 500:
        state.wait_changed(timeout=20)
        value = state.get().x
        assert value > last
        last = value
    assert not state.changed()
    end(other)


@timed
def test_a_writer_killed_in_its_block_is_told_of_until_a_whole_value_is_set(name):
    state = State(name, FIELDS, initial=HOME)
    other = start(sys.executable, "with state.update() as value:\n"
                  "    print('in'); sys.stdout.flush(); time.sleep(60)\n", name)
    assert other.stdout.readline().strip() == b"in"
    with pytest.raises(io_shared.Timeout):
        state.get(timeout=0.05)
    other.kill()
    other.wait()
    killed = time.time()
    state.wait_changed(timeout=20)
    assert time.time() - killed < 2
    with pytest.raises(io_shared.OwnerDied):
        state.get()
    with pytest.raises(io_shared.OwnerDied):
        with state.update():
            pass
    with state.update(repair=True) as value:
        value.x = 4
    assert state.get().x == 4


def test_handles_of_a_removed_state_go_on_in_the_next_and_a_waiter_creates_none(name):
    here, there = State(name, FIELDS, initial=HOME), State(name, FIELDS, initial=HOME)
    with here.update() as value:
        value.x = 3
    there.get()
    io_shared.remove(name)
    assert not there.changed()
    with pytest.raises(io_shared.Timeout):
        there.wait_changed(timeout=0.2)
    assert here.get().x == 0.5
    assert (here.created, there.created) == (True, False)
    there.wait_changed(timeout=20)
    assert there.get().x == 0.5


def test_another_type_and_lists_are_refused(name):
    state = State(name, FIELDS)
    with pytest.raises(io_shared.Mismatch):
        State(name, "u8")
    with pytest.raises(io_shared.Invalid):
        State(name, {"names": ["S8"]})
    state.close()
    with pytest.raises(io_shared.Closed):
        state.get()
    assert state.closed


def test_ctrl_c_ends_a_wait(name):
    state = State(name, FIELDS)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    other = start(sys.executable, "time.sleep(0.3); os.kill(os.getppid(), 10)\n", name)
    try:
        with pytest.raises(KeyboardInterrupt):
            state.wait_changed(timeout=20)
    finally:
        signal.signal(signal.SIGUSR1, before)
        end(other)
