"""A program of the original package, which knows nothing of this one: it shares arrays, or bytes,
by its conventions, with posix_ipc and NumPy, on Python 2.7 and 3.

    legacy_peer.py ROLE NAME SIZE [ARGUMENT..]

Roles: ``put`` (arrays that check themselves, until it is killed), ``get`` (checks them), ``echo``
(puts each array that it gets into NAME + "_back"), ``lock`` (adds one to a number again and again,
under the lock), ``rw`` (the same, under the lock for one writer or many readers), ``fails`` (raises
an exception under the lock, and goes on). At its end, also by Ctrl-C, it unlinks everything.
"""

from __future__ import print_function

import mmap
import struct
import sys
import time

import numpy as np
import posix_ipc

from legacy_arrays import array, check


def tell(text):
    print(text)
    sys.stdout.flush()


class UnsafeSharedMMap(object):
    """The object, mapped, and semaphores."""

    def __init__(self, name, size, **semaphores):
        self.name, self.added = name, sorted(semaphores)
        shm = posix_ipc.SharedMemory(name, posix_ipc.O_CREAT, size=size)
        self.memory = mmap.mmap(shm.fd, size)
        shm.close_fd()
        self.semaphores = {
            added: posix_ipc.Semaphore(name + added, posix_ipc.O_CREAT, initial_value=first)
            for added, first in semaphores.items()
        }

    def exit(self):
        """Any process that exits unlinks everything."""
        unlink = [(posix_ipc.unlink_shared_memory, self.name)]
        unlink += [(posix_ipc.unlink_semaphore, self.name + added) for added in self.added]
        for remove, what in unlink:
            try:
                remove(what)
            except posix_ipc.ExistentialError:
                pass


class NumpyShare(UnsafeSharedMMap):
    def __init__(self, name, size):
        UnsafeSharedMMap.__init__(self, name, size, **{"": 1, "_np": 0})
        self.lock, self.flag = self.semaphores[""], self.semaphores["_np"]

    def put(self, array):
        self.lock.acquire()
        self.memory.seek(0)
        np.save(self.memory, array)
        self.lock.release()
        if self.flag.value == 0:
            self.flag.release()

    def get(self):
        self.flag.acquire()
        self.lock.acquire()
        self.memory.seek(0)
        array = np.load(self.memory)
        self.lock.release()
        return array


class RW(UnsafeSharedMMap):
    def __init__(self, name, size, readers):
        UnsafeSharedMMap.__init__(self, name, size, _write=1, _read=readers)
        self.readers = readers
        self.for_writers, self.for_readers = self.semaphores["_write"], self.semaphores["_read"]

    def lock_write(self):
        self.for_writers.acquire()
        while self.for_readers.value < self.readers:
            pass  # as the original does

    def unlock_write(self):
        self.for_writers.release()

    def lock_read(self):
        self.for_writers.acquire()
        self.for_readers.acquire()
        self.for_writers.release()

    def unlock_read(self):
        self.for_readers.release()


def put(share, first):
    number = int(first)
    tell("ready")
    while True:
        share.put(array(number))
        tell(number)
        number += 1
        time.sleep(0.001)


def get(share):
    tell("ready")
    while True:
        tell(check(share.get()))


def echo(share, size):
    back = NumpyShare(share.name + "_back", size)
    tell("ready")
    while True:
        back.put(share.get())


def fails(share):
    try:
        share.lock.acquire()
        raise RuntimeError("under the lock")
    except RuntimeError:
        tell("ready")


def add(memory):
    """Adds one to both numbers, slowly, and checks that nobody else does meanwhile."""
    one, two = struct.unpack("<QQ", memory[:16])
    assert one == two, (one, two)
    memory[:8] = struct.pack("<Q", one + 1)
    time.sleep(0)
    memory[8:16] = struct.pack("<Q", two + 1)


def lock(shm, times):
    tell("ready")
    for _ in range(int(times)):
        shm.semaphores[""].acquire()
        add(shm.memory)
        shm.semaphores[""].release()


def rw(shm, times):
    tell("ready")
    for _ in range(int(times)):
        shm.lock_write()
        add(shm.memory)
        shm.unlock_write()
        shm.lock_read()
        assert shm.memory[:8] == shm.memory[8:16]
        shm.unlock_read()


def main(role, name, size, *arguments):
    size = int(size)
    if role == "lock":
        shm = UnsafeSharedMMap(name, size, **{"": 1})
    elif role == "rw":
        shm = RW(name, size, 1000)
    else:
        shm = NumpyShare(name, size)
    try:
        if role == "echo":
            echo(shm, size)
        {"put": put, "get": get, "fails": fails, "lock": lock, "rw": rw}[role](shm, *arguments)
        tell("done")
        sys.stdin.readline()
    finally:
        shm.exit()


if __name__ == "__main__":
    main(*sys.argv[1:])
