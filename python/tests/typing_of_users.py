"""Programs of users, for mypy: ci/python.sh checks them against the stubs."""

from typing import Any, Optional

import numpy as np
import numpy.typing as npt

import io_shared


def shares() -> npt.NDArray[Any]:
    with io_shared.NumpyShare("/cloud_share", "5M", "put", consumers=2) as put:
        put.put(np.zeros(3))
        with put.loan((3, 4), np.float32) as out:
            out[...] = 0
        put.put([1, 2], tag=7)
        loan = put.loan(3)
        with loan as out:
            loan.tag = 2 ** 64 - 1
    get = io_shared.NumpyShare("/cloud_share", 5 << 20, "get")
    old = io_shared.NumpyShare("/cloud_share", "5M", "get", legacy=True, lock_timeout=0.5)
    old.close()
    found: Optional[npt.NDArray[Any]] = get.try_get()
    age: Optional[float] = get.age
    print(found, age, get.missed + get.seq + get.tag)
    return get.get(timeout=1.5)


def typed() -> None:
    clouds = io_shared.open("/cloud_share", open_timeout=1)
    cloud = clouds.get()
    assert isinstance(cloud, io_shared.Message)
    print(cloud.points, cloud["points"], cloud.keys(), clouds.has_producer, clouds.closed)
    arrays: io_shared.ArrayProducer = io_shared.producer("/arrays", capacity="5M")
    arrays.put(np.zeros(3))
    camera = io_shared.enum("Camera", "u1", Front=0, Rear=1)
    fields = {"camera": camera, "rgb": ("u1", (None, None, 3)), "names": ["S32"]}
    frames = io_shared.producer("/frames", fields)
    frames.put(camera="Rear", rgb=np.zeros((2, 2, 3), np.uint8), names=["car"])
    with frames.loan(rgb=(480, 640, 3), names=2) as lent:
        lent.camera = 1
    poses: io_shared.TypedProducer = io_shared.producer("/poses", np.dtype("f8"))
    poses.put(2.5, tag=clouds.tag)
    found: npt.NDArray[Any] = io_shared.consumer("/arrays", capacity="5M").get()
    print(found.shape)


async def many() -> npt.NDArray[Any]:
    shares = [io_shared.NumpyShare(name, "5M", "get") for name in ("/left", "/right")]
    for share in io_shared.wait_any(shares, timeout=1):
        found: Optional[npt.NDArray[Any]] = share.try_get()
        print(found, share.fileno())
    try:
        return await shares[0].get_async()
    except io_shared.Interrupted:
        shares[0].interrupt()
        return shares[1].get()


def services() -> npt.NDArray[Any]:
    with io_shared.Server("/segment", wait_for_role=5) as server:
        for question in server:
            question.answer(np.zeros(len(question.value)))
            print(question.seq, question.age, question.client)
    with io_shared.Client("/segment", question_capacity="5M") as client:
        client.ask(np.zeros(3))
        labels: npt.NDArray[Any] = client.call(np.zeros(3), timeout=1)
        print(client.server, client.answer(timeout=1))
        return labels


def looking_on() -> Optional[float]:
    with io_shared.observe(io_shared.File("map.io"), open_timeout=1) as observer:
        print(observer.copy(), observer.seq, observer.tag, observer.field("points[3].x"))
        return observer.age


def messages_of_ros(message: Any) -> Any:
    points: npt.NDArray[Any] = io_shared.ros.cloud(message)
    print(io_shared.ros.to_image(io_shared.ros.image(message), "bgr8", stamp=1.5))
    return io_shared.ros.pointcloud2(points, "lidar", message.header.stamp)


def mmaps() -> bytes:
    shm = io_shared.RWSharedMMap("/my_share", "1M", max_readers=10)
    with shm.lock_write(timeout=1) as locked:
        locked.write(b"x")
    with shm.lock_read():
        shm.read(1)
    state = io_shared.LockedBytes("/state", "1M", rw=False)
    with state.lock(timeout=1):
        return state.read(1)
