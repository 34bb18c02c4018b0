"""What users write, for mypy: ci/python.sh checks it against the stubs."""

from typing import Any, Optional

import numpy as np
import numpy.typing as npt

import io_shared


def shares() -> npt.NDArray[Any]:
    with io_shared.NumpyShare("/cloud_share", "5M", "put", consumers=2) as put:
        put.put(np.zeros(3))
        with put.loan((3, 4), np.float32) as out:
            out[...] = 0
    get = io_shared.NumpyShare("/cloud_share", 5 << 20, "get")
    found: Optional[npt.NDArray[Any]] = get.try_get()
    age: Optional[float] = get.age
    print(found, age, get.missed + get.seq)
    return get.get(timeout=1.5)


def typed() -> None:
    clouds = io_shared.open("/cloud_share", open_timeout=1)
    print(clouds.get().points, clouds.has_producer)


def looking_on() -> Optional[float]:
    with io_shared.observe(io_shared.File("map.io"), open_timeout=1) as observer:
        print(observer.copy(), observer.seq)
        return observer.age


def mmaps() -> bytes:
    shm = io_shared.RWSharedMMap("/my_share", "1M", max_readers=10)
    with shm.lock_write(timeout=1) as locked:
        locked.write(b"x")
    with shm.lock_read():
        shm.read(1)
    state = io_shared.LockedBytes("/state", "1M", rw=False)
    with state.lock(timeout=1):
        return state.read(1)
