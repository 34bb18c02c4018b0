"""A round trip there and back between two processes: io_shared, the design it descends from,
iceoryx2, HORUS, kickmsg and MomentumX, in alternating rounds of one run.

    python bench/original.py [--rounds 11] [--peer /path/to/python2.7] [--quick]

It needs posix_ipc, iceoryx2, horus-robotics, kickmsg and momentumx as well as io_shared; kickmsg is
for Python 3.10 to 3.12. (Python 2.7 has none but posix_ipc, so a peer of 2.7 goes without.) Each
figure is the median over rounds of the p50 of a round; only ratios within one run count.
"""

from __future__ import print_function

import argparse
import ctypes
import mmap
import os
import subprocess
import sys
import time

import numpy as np

import io_shared
import peers as peers_of

SIZES = [16, 64 << 10, 1 << 20, 4500 << 10]
#: The most seconds and trips for one system, size and round.
SECONDS, TRIPS = 0.4, 2000


def array(size):
    return np.arange(size // 4, dtype=np.float32)


class Original(object):
    """The original's design, from its description: ``numpy.save`` into shared memory under a POSIX
    semaphore ``/name``; a second one, ``/name_np``, says that there is something to get."""

    title = "the original's design"

    def __init__(self, there, back, size):
        import posix_ipc

        self._ends = [self._open(posix_ipc, name, size + 4096) for name in (there, back)]

    def _open(self, posix_ipc, name, size):
        shm = posix_ipc.SharedMemory(name, posix_ipc.O_CREAT, size=size)
        memory = mmap.mmap(shm.fd, size)
        shm.close_fd()
        lock = posix_ipc.Semaphore(name, posix_ipc.O_CREAT, initial_value=1)
        flag = posix_ipc.Semaphore(name + "_np", posix_ipc.O_CREAT, initial_value=0)
        return memory, lock, flag

    def put(self, end, value):
        memory, lock, flag = self._ends[end]
        lock.acquire()
        memory.seek(0)
        np.save(memory, value)
        lock.release()
        flag.release()

    def get(self, end):
        memory, lock, flag = self._ends[end]
        flag.acquire()
        lock.acquire()
        memory.seek(0)
        value = np.load(memory)
        lock.release()
        return value

    def trip(self, value):
        self.put(0, value)
        return self.get(1)

    def echo(self):
        self.put(1, self.get(0))

    @staticmethod
    def remove(name):
        import posix_ipc

        for remove, what in (
            (posix_ipc.unlink_shared_memory, name),
            (posix_ipc.unlink_semaphore, name),
            (posix_ipc.unlink_semaphore, name + "_np"),
        ):
            try:
                remove(what)
            except posix_ipc.ExistentialError:
                pass


class Copying(object):
    """``put`` and ``get`` with default settings: what the original's users call."""

    title = "io_shared"

    def __init__(self, there, back, size, mine="put"):
        other = "get" if mine == "put" else "put"
        self._there = io_shared.NumpyShare(there, size + 4096, mine)
        self._back = io_shared.NumpyShare(back, size + 4096, other)

    def trip(self, value):
        self._there.put(value)
        return self._back.get()

    def echo(self):
        self._back.put(self._there.get())

    @staticmethod
    def remove(name):
        io_shared.remove(name)


class Polling(Copying):
    """As ``Copying``, by ``try_get`` in a loop: to be compared with iceoryx2's polling."""

    title = "io_shared, polling"

    def _get(self, end):
        while True:
            value = end.try_get()
            if value is not None:
                return value

    def trip(self, value):
        self._there.put(value)
        return self._get(self._back)

    def echo(self):
        self._back.put(self._get(self._there))


class Lending(Copying):
    """A default ``loan`` and ``get``: the array is filled, and copied once more."""

    title = "io_shared, loan and get"

    def trip(self, value):
        with self._there.loan(value.shape, value.dtype) as out:
            np.copyto(out, value)
        return self._back.get()

    def echo(self):
        value = self._there.get()
        with self._back.loan(value.shape, value.dtype) as out:
            np.copyto(out, value)


class InPlace(Copying):
    """``loan(in_place=True)`` and ``borrow``: nothing is copied; one element is written and
    read."""

    title = "io_shared, in place"

    def trip(self, value):
        with self._there.loan(value.shape, value.dtype, in_place=True) as out:
            out[0] = value[0]
        del out
        return self._back.borrow()

    def echo(self):
        value = self._there.borrow()
        with self._back.loan(value.shape, value.dtype, in_place=True) as out:
            out[0] = value[0]


class Untouched(InPlace):
    """As ``InPlace``, and nobody looks at an element either: to be compared with iceoryx2's samples
    that nobody touches."""

    title = "io_shared, in place, untouched"

    def trip(self, value):
        with self._there.loan(value.shape, value.dtype, in_place=True):
            pass
        return self._back.borrow()

    def echo(self):
        value = self._there.borrow()
        with self._back.loan(value.shape, value.dtype, in_place=True):
            pass


class Typed(object):
    """Messages of 16 bytes whose fields are numbers, by ``try_get`` in a loop: to be compared with
    HORUS."""

    title = "io_shared, typed, polling"
    sizes = [16]
    FIELDS = [("linear", "f4"), ("angular", "f4"), ("timestamp_ns", "u8")]

    def __init__(self, there, back, size, mine="put"):
        out, in_ = (there, back) if mine == "put" else (back, there)
        self._producer = io_shared.producer(out, self.FIELDS)
        self._consumer = io_shared.consumer(in_, self.FIELDS)

    def _get(self):
        while True:
            message = self._consumer.try_get()
            if message is not None:
                return message

    def trip(self, value):
        self._producer.put(linear=1.5, angular=0.25, timestamp_ns=0)
        message = self._get()
        return float(message.linear)

    def echo(self):
        message = self._get()
        self._producer.put(linear=message.linear, angular=message.angular, timestamp_ns=0)

    @staticmethod
    def remove(name):
        io_shared.remove(name)


SYSTEMS = {
    "original": Original,
    "copying": Copying,
    "polling": Polling,
    "lending": Lending,
    "in_place": InPlace,
    "untouched": Untouched,
    "typed": Typed,
    "horus": peers_of.Horus,
    "kickmsg": peers_of.Kickmsg,
    "momentumx": peers_of.MomentumX,
    "iceoryx2": peers_of.Iceoryx2,
    "iceoryx2_keeping": peers_of.Iceoryx2Keeping,
    "iceoryx2_untouched": peers_of.Iceoryx2Untouched,
    "iceoryx2_waiting": peers_of.Iceoryx2Waiting,
}


def names(system, size, parent):
    return ["/bench-%d-%s-%d-%s" % (parent, system, size, way) for way in ("there", "back")]


def open_end(system, size, parent, mine):
    there, back = names(system, size, parent)
    if system == "original":
        return Original(there, back, size)
    return SYSTEMS[system](there, back, size, mine)


def pin(cpu):
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [cpu])
    else:
        mask = ctypes.c_ulong(1 << cpu)
        ctypes.CDLL(None).sched_setaffinity(0, ctypes.sizeof(mask), ctypes.byref(mask))


def allowed():
    """The cores that may be used."""
    with open("/proc/self/status") as status:
        text = [line.split()[1] for line in status if line.startswith("Cpus_allowed_list")][0]
    for part in text.split(","):
        first, _, last = part.partition("-")
        for cpu in range(int(first), int(last or first) + 1):
            yield cpu


def peer(parent, cpu):
    """Answers: a line "system size count" is an order to echo that many."""
    pin(cpu)
    ends = {}
    for line in iter(sys.stdin.readline, ""):
        system, size, count = line.split()
        key = system, int(size)
        if key not in ends:
            ends[key] = open_end(system, int(size), parent, "get")
            print("ready")
            sys.stdout.flush()
        end = ends[key]
        for _ in range(int(count)):
            end.echo()


def line(process):
    """The next line that a process prints."""
    printed = process.stdout.readline()
    if not printed:
        raise SystemExit("the other process has ended")
    return printed


class Peer(object):
    """The other process of one system, which sleeps in a read until it has an order."""

    def __init__(self, python, system, cpu):
        command = [python, os.path.abspath(__file__), "--echo-for", str(os.getpid())]
        command += ["--cpu", str(cpu)]  # what it inherits is this process's alone
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0)
        self._system, self._ends = system, {}

    def measure(self, size, count):
        """The p50 of ``count`` round trips, in microseconds."""
        order = "%s %d %d\n" % (self._system, size, count)
        self._process.stdin.write(order.encode())
        if size not in self._ends:
            self._ends[size] = open_end(self._system, size, os.getpid(), "put")
            # MomentumX logs to the standard output that its other end is not there yet.
            while line(self._process).strip() != b"ready":
                pass
        end, value, clock = self._ends[size], array(size), time.time
        clock = getattr(time, "perf_counter", time.time)
        taken = []
        for _ in range(count):
            start = clock()
            back = end.trip(value)
            taken.append(clock() - start)
        if hasattr(back, "dtype") and self._system not in ("in_place", "untouched"):
            assert np.array_equal(back, value)
        del back
        return sorted(taken)[len(taken) // 2] * 1e6

    def close(self):
        self._process.stdin.close()
        self._process.kill()  # it may be polling
        self._process.wait()
        for size in self._ends:
            for name in names(self._system, size, os.getpid()):
                SYSTEMS[self._system].remove(name)


def at_least_one(text):
    """An option's number of rounds. If it is not one, argparse names the option."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=at_least_one, default=11)
    parser.add_argument("--peer", default=sys.executable, help="the interpreter at the other end")
    parser.add_argument("--quick", action="store_true", help="2 short rounds: that it runs")
    parser.add_argument("--only", action="append", choices=sorted(SYSTEMS))
    parser.add_argument("--without", action="append", default=[], choices=sorted(SYSTEMS))
    parser.add_argument("--cpu", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--echo-for", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.echo_for:
        return peer(options.echo_for, options.cpu)
    cpus = list(allowed())
    if len(cpus) < 2:
        raise SystemExit("it takes two cores, and there is one")
    pin(cpus[0])
    seconds, trips, rounds = SECONDS, TRIPS, options.rounds
    if options.quick:
        seconds, trips, rounds = 0.02, 20, 2
    asked = options.only or SYSTEMS
    systems = [system for system in SYSTEMS if system in asked and system not in options.without]
    peers = {system: Peer(options.peer, system, cpus[1]) for system in systems}
    try:
        figures = play(peers, seconds, trips, rounds)
    finally:
        for system in systems:
            peers[system].close()
    report(systems, figures, rounds)


def play(peers, seconds, trips, rounds):
    """The figure of each round, by system and size."""
    counts, figures = {}, {}
    systems = {size: [system for system in peers if size in sizes_of(system)] for size in SIZES}
    for size in SIZES:
        for system in systems[size]:
            first = peers[system].measure(size, 10)
            counts[system, size] = max(10, min(trips, int(seconds * 1e6 / first)))
            figures[system, size] = []
    for turn in range(rounds):
        for size in SIZES:
            for i in range(len(systems[size])):
                system = systems[size][(i + turn) % len(systems[size])]
                p50 = peers[system].measure(size, counts[system, size])
                figures[system, size].append(p50)
    return figures


def sizes_of(system):
    return getattr(SYSTEMS[system], "sizes", SIZES)


def report(systems, figures, rounds):
    print("p50 of a round trip in us, median of %d rounds (least to most)\n" % rounds)
    print("| | " + " | ".join("%s" % _bytes(size) for size in SIZES) + " |")
    print("|---" * (len(SIZES) + 1) + "|")
    for system in systems:
        cells = []
        for size in SIZES:
            of = sorted(figures.get((system, size), []))
            if not of:
                cells.append("")
                continue
            cells.append("%.1f (%.1f to %.1f)" % (of[len(of) // 2], of[0], of[-1]))
        print("| %s | %s |" % (SYSTEMS[system].title, " | ".join(cells)))
    large = SIZES[-1]
    print()
    for ours, theirs, size, least in (
        ("copying", "original", large, 7.0),
        ("polling", "iceoryx2", large, 1.0),
        ("polling", "iceoryx2_keeping", large, 1.0),
        ("copying", "iceoryx2_waiting", large, 1.0),
        ("in_place", "original", large, 100.0),
        ("untouched", "iceoryx2_untouched", large, 1.0),
        ("polling", "horus", 16, 1 / 0.9),
        ("typed", "horus", 16, 1 / 0.9),
        ("copying", "original", 16, 20.0),
        ("copying", "iceoryx2", 16, 1 / 1.5),
        ("copying", "iceoryx2", large, 1.0),
    ):
        if ours in systems and theirs in systems:
            ratios = sorted(t / o for o, t in zip(figures[ours, size], figures[theirs, size]))
            ratio = ratios[len(ratios) // 2]
            print(
                "%s: %s is %.2f times as fast as %s at %s (wanted: %.2f)"
                % (
                    "holds" if ratio >= least else "MISSED",
                    SYSTEMS[ours].title, ratio, SYSTEMS[theirs].title, _bytes(size), least,
                )
            )


def _bytes(size):
    return "%d B" % size if size < 1024 else "%d KiB" % (size >> 10)


if __name__ == "__main__":
    main()
