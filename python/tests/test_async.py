"""Gets that are awaited in an asyncio loop. Python 3.7 and later."""

import asyncio
import os
import threading
import time

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare
from conftest import ends


def puts_later(put, seconds, array):
    timer = threading.Timer(seconds, put.put, [array])
    timer.start()
    return timer


def test_a_get_is_awaited_while_the_loop_goes_on(name):
    put, get = ends(name, "4K")

    async def main():
        ticks = []

        async def tick():
            while True:
                ticks.append(time.monotonic())
                await asyncio.sleep(0.005)

        ticking = asyncio.ensure_future(tick())
        timer = puts_later(put, 0.3, np.arange(3))
        first = await get.get_async()
        ticking.cancel()
        timer.join()  # its put may still use the handle
        put.put(np.arange(4))
        second = await get.get_async()  # it is there
        return first, second, ticks

    first, second, ticks = asyncio.run(main())
    assert (first.size, second.size) == (3, 4) and first.flags.writeable
    assert len(ticks) > 10 and max(np.diff(ticks)) < 0.2
    put.close()
    get.close()


def test_a_get_that_is_cancelled_takes_nothing_and_leaves_nothing(name):
    put, get = ends(name, "4K")

    async def main():
        get.fileno()  # makes it
        before = set(os.listdir("/proc/self/fd"))
        for count in range(1, 51):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(get.get_async(), 0.002)
            # What an earlier test left may be closed meanwhile.
            assert set(os.listdir("/proc/self/fd")) <= before, "the loop has forgotten it"
            waiting = asyncio.ensure_future(get.get_async())
            await asyncio.sleep(0)
            put.put(np.arange(count))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            value = await asyncio.wait_for(get.get_async(), 5)
            assert (value.size, get.missed) == (count, 0)

    asyncio.run(main())
    put.close()
    get.close()


def test_an_awaited_get_leaves_the_users_own_reader_in_place(name):
    put, get = ends(name, "4K")

    async def main():
        loop, called = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(get.fileno(), called.set)
        for count in range(1, 4):
            timer = puts_later(put, 0.02, np.arange(count))
            assert (await asyncio.wait_for(get.get_async(), 5)).size == count
            timer.join()
            called.clear()
            put.put(np.arange(9))
            await asyncio.wait_for(called.wait(), 5)
            assert get.try_get().size == 9
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(get.get_async(), 0.01)
        assert loop.remove_reader(get.fileno()), "it is still there"

    asyncio.run(main())
    put.close()
    get.close()


def test_one_task_at_a_time_waits_for_a_share_and_closing_it_ends_the_wait(name):
    put, get = ends(name, "4K")

    async def main():
        waiting = asyncio.ensure_future(get.get_async())
        await asyncio.sleep(0.01)
        with pytest.raises(io_shared.Busy):
            await get.get_async()
        get.close()
        with pytest.raises(io_shared.Closed):
            await asyncio.wait_for(waiting, 5)

    asyncio.run(main())
    put.close()


def test_an_awaited_get_goes_on_in_a_new_channel(name):
    put, get = ends(name, "4K")

    async def main():
        waiting = asyncio.ensure_future(get.get_async())
        await asyncio.sleep(0.01)
        io_shared.remove(name)
        put.put(np.arange(3))  # creates the channel again
        assert (await asyncio.wait_for(waiting, 5)).size == 3
        put.put(np.arange(4))
        assert (await asyncio.wait_for(get.get_async(), 5)).size == 4

    asyncio.run(main())
    put.close()
    get.close()


def test_a_removed_channel_ends_an_awaited_get(name):
    put, get = ends(name, "4K", reopen=False)

    async def main():
        waiting = asyncio.ensure_future(get.get_async())
        await asyncio.sleep(0.01)
        io_shared.remove(name)
        with pytest.raises(io_shared.Replaced):
            await asyncio.wait_for(waiting, 5)

    asyncio.run(main())
    put.close()
    get.close()


def test_four_cameras_at_50_hz_give_50_sets_a_second(new_name):
    names = [new_name() for _ in range(4)]
    done = threading.Event()

    def camera(name, phase):
        image = np.zeros((48, 64, 3), np.uint8)
        with NumpyShare(name, "64K", "put") as put:
            due = time.monotonic() + phase
            while not done.is_set():
                time.sleep(max(0, due - time.monotonic()))
                put.put(image)
                due += 0.02

    threads = [
        threading.Thread(target=camera, args=(name, 0.005 * i)) for i, name in enumerate(names)
    ]
    for thread in threads:
        thread.start()

    async def main():
        shares = [NumpyShare(name, "64K", "get") for name in names]
        await asyncio.gather(*(share.get_async() for share in shares))
        began, sets = time.monotonic(), 0
        while time.monotonic() < began + 2:
            await asyncio.gather(*(share.get_async() for share in shares))
            sets += 1
        took = time.monotonic() - began
        for share in shares:
            share.close()
        return sets / took

    try:
        rate = asyncio.run(main())
    finally:
        done.set()
        for thread in threads:
            thread.join()
    print("%.1f sets a second" % rate)
    assert 45 < rate < 51  # 50 on a quiet machine
