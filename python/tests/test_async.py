"""Gets that are awaited in an asyncio loop. Python 3.7 and later."""

import asyncio
import gc
import os
import sys
import threading
import time

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare
from conftest import ends, timed


def puts_later(put, seconds, array):
    timer = threading.Timer(seconds, put.put, [array])
    timer.start()
    return timer


@timed
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
    # A get that blocks the loop does so for 0.3 s, in which there are no ticks.
    assert len(ticks) > 10
    put.close()
    get.close()


def test_an_awaited_get_ends_after_its_timeout_in_our_words(name):
    put, get = ends(name, "4K")

    async def main():
        with pytest.raises(io_shared.Timeout) as error:
            await get.get_async(timeout=0.01)
        assert name in str(error.value) and "within 0.01 s" in str(error.value)
        with pytest.raises(ValueError):
            await get.get_async(timeout=-1)
        with pytest.raises(io_shared.Timeout) as error:
            await get.get_async(timeout=0)
        assert "within 0 s" in str(error.value)
        put.put(np.arange(2))
        assert (await get.get_async(timeout=0)).size == 2
        put.put(np.arange(3))
        return await get.get_async(timeout=5)

    assert asyncio.run(main()).size == 3
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


def test_another_thread_may_close_a_share_that_is_awaited(name):
    put, get = ends(name, "4K")

    async def main():
        waiting = asyncio.ensure_future(get.get_async())
        await asyncio.sleep(0.01)
        closing, started = threading.Timer(0.05, get.close), time.monotonic()
        closing.start()
        with pytest.raises(io_shared.Closed):
            await asyncio.wait_for(waiting, 10)
        assert time.monotonic() - started < 5
        closing.join()

    asyncio.run(main())
    put.close()


def test_a_share_can_be_awaited_again_after_its_loop_was_closed(name):
    put, get = ends(name, "4K")
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(get.get_async())
    loop.run_until_complete(asyncio.sleep(0.01))
    before = len(os.listdir("/proc/self/fd"))
    loop.close()

    async def main():
        timer = puts_later(put, 0.02, np.arange(3))
        value = await asyncio.wait_for(get.get_async(), 5)
        timer.join()
        return value

    failures = []
    hook, sys.unraisablehook = sys.unraisablehook, failures.append
    try:
        assert asyncio.run(main()).size == 3
        waiting._log_destroy_pending = False
        del waiting
        gc.collect()
        assert asyncio.run(main()).size == 3
    finally:
        sys.unraisablehook = hook
    assert not failures
    assert len(os.listdir("/proc/self/fd")) < before
    put.close()
    get.close()


def test_a_loop_that_cannot_watch_descriptors_leaves_none(name):
    put, get = ends(name, "4K")
    get.fileno()

    class Loop(asyncio.SelectorEventLoop):
        def add_reader(self, *_):
            raise NotImplementedError

    loop = Loop()
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(NotImplementedError):
        loop.run_until_complete(get.get_async())
    assert set(os.listdir("/proc/self/fd")) <= before
    loop.close()
    put.close()
    get.close()


@pytest.mark.parametrize("act", ["close", "drop"])
def test_a_forked_child_does_not_end_its_parents_awaited_get(name, act):
    put, get = ends(name, "4K")

    async def main():
        waiting = asyncio.ensure_future(get.get_async())
        await asyncio.sleep(0.01)
        child = os.fork()
        if child == 0:
            get.close()
            if act == "drop":
                waiting.get_coro().close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        put.put(np.arange(3))
        assert (await asyncio.wait_for(waiting, 5)).size == 3

    asyncio.run(main())
    put.close()
    get.close()


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


@timed
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
                # No two at once to make up for a late one, which would count as one.
                due = max(due + 0.02, time.monotonic())

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
        for _ in range(3):  # a machine with much else to do may need a second time
            rate = asyncio.run(main())
            if 45 < rate < 51:
                break
    finally:
        done.set()
        for thread in threads:
            thread.join()
    print("%.1f sets a second" % rate)
    assert 45 < rate < 51  # 50 on a quiet machine
