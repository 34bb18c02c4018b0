"""The systems of others that original.py measures next to io_shared."""

import ctypes
import glob
import os
import time

import numpy as np


class Copying(object):
    """A peer that copies in and out: a round trip, and its answer."""

    def trip(self, value):
        self.put(value)
        return self.get()

    def echo(self):
        self.put(self.get())


class Iceoryx2(Copying):
    """iceoryx2, polling, one copy in and one copy out on each side, in its fastest set-up: with no
    history, a buffer that was read is free, and is filled next."""

    title = "iceoryx2, polling, copying"
    _copies, _keeps = True, 0

    def __init__(self, there, back, size, mine="put"):
        import iceoryx2

        iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
        self._node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)
        out, in_ = (there, back) if mine == "put" else (back, there)
        self._size = size
        self._publisher = (
            self._service(iceoryx2, out)
            .publisher_builder()
            .initial_max_slice_len(size)
            .max_loaned_samples(1)
            .create()
        )
        self._subscriber = self._service(iceoryx2, in_).subscriber_builder().create()

    def _service(self, iceoryx2, name):
        builder = self._node.service_builder(iceoryx2.ServiceName.new(name))
        builder = builder.publish_subscribe(iceoryx2.Slice[ctypes.c_uint8])
        builder = builder.max_publishers(1).max_subscribers(1).max_nodes(2)
        builder = builder.history_size(self._keeps)
        builder = builder.subscriber_max_buffer_size(1).subscriber_max_borrowed_samples(2)
        return builder.enable_safe_overflow(True).open_or_create()

    def put(self, value):
        sample = self._publisher.loan_slice_uninit(self._size)
        if self._copies:
            ctypes.memmove(sample.payload_ptr, value.ctypes.data, self._size)
        sample.assume_init().send()

    def get(self):
        while True:
            sample = self._subscriber.receive()
            if sample is not None:
                break
        if not self._copies:
            return sample
        value = np.empty(self._size // 4, np.float32)
        ctypes.memmove(value.ctypes.data, sample.payload_ptr, self._size)
        return value

    @staticmethod
    def remove(name):
        pass


class Iceoryx2Keeping(Iceoryx2):
    """The same, but the last value is kept for consumers that come later, as io_shared keeps it:
    the buffer that was just read is not filled next."""

    title = "iceoryx2, polling, copying, last value kept"
    _keeps = 1


class Iceoryx2Waiting(Iceoryx2):
    """As ``Iceoryx2``, but the consumer sleeps until an event service notifies it."""

    title = "iceoryx2, waiting, copying"

    def __init__(self, there, back, size, mine="put"):
        import iceoryx2

        Iceoryx2.__init__(self, there, back, size, mine)
        out, in_ = (there, back) if mine == "put" else (back, there)
        self._notifier = self._event(iceoryx2, out).notifier_builder().create()
        self._listener = self._event(iceoryx2, in_).listener_builder().create()

    def _event(self, iceoryx2, name):
        builder = self._node.service_builder(iceoryx2.ServiceName.new(name))
        return builder.event().open_or_create()

    def put(self, value):
        Iceoryx2.put(self, value)
        self._notifier.notify()

    def get(self):
        self._listener.blocking_wait()
        return Iceoryx2.get(self)


class Iceoryx2Untouched(Iceoryx2):
    title = "iceoryx2, polling, untouched"
    _copies = False


class Horus(object):
    """HORUS, polling: its typed topics, which have messages of 16 bytes. They are for numbers, so
    there is nothing of other sizes."""

    title = "HORUS, typed, polling"
    sizes = [16]

    def __init__(self, there, back, size, mine="put"):
        import horus

        self._message = horus.CmdVel
        self._there, self._back = [
            horus.Topic(horus.CmdVel, endpoint=name.strip("/")) for name in (there, back)
        ]

    def _get(self, topic):
        while True:
            message = topic.recv()
            if message is not None:
                return message

    def trip(self, value):
        self._there.send(self._message(1.5, 0.25))
        message = self._get(self._back)
        return float(message.linear)

    def echo(self):
        message = self._get(self._there)
        self._back.send(self._message(message.linear, message.angular))

    @staticmethod
    def remove(name):
        pass


class Kickmsg(Copying):
    """kickmsg, polling, one copy in and one copy out on each side, in place of its slots."""

    title = "kickmsg, polling, copying"

    def __init__(self, there, back, size, mine="put"):
        import kickmsg

        out, in_ = (there, back) if mine == "put" else (back, there)
        self._size = size
        self._regions = [self._region(kickmsg, name) for name in (out, in_)]
        self._publisher = kickmsg.Publisher(self._regions[0])
        self._subscriber = kickmsg.Subscriber(self._regions[1])

    def _region(self, kickmsg, name):
        config = kickmsg.Config()
        config.max_subscribers, config.sub_ring_capacity, config.pool_size = 2, 2, 8
        config.max_payload_size = self._size
        return kickmsg.SharedRegion.create_or_open(name, kickmsg.ChannelType.PubSub, config)

    def put(self, value):
        slot = self._publisher.allocate()
        np.frombuffer(slot, np.float32)[: len(value)] = value
        slot.publish(self._size)

    def get(self):
        while True:
            view = self._subscriber.try_receive_view()
            if view is not None:
                value = np.frombuffer(view, np.float32).copy()
                view.release()
                return value

    @staticmethod
    def remove(name):
        import kickmsg

        kickmsg.unlink_shm(name)


class MomentumX(Copying):
    """MomentumX, polling, one copy in and one copy out on each side, in place of its buffers."""

    title = "MomentumX, polling, copying"

    def __init__(self, there, back, size, mine="put"):
        import momentumx

        there, back = self._stream(there), self._stream(back)
        out, in_ = (there, back) if mine == "put" else (back, there)
        self._size = size
        self._producer = momentumx.Producer(out, size, 4, False)
        self._consumer = None
        while self._consumer is None:  # the other process has not begun its stream yet
            try:
                self._consumer = momentumx.Consumer(in_)
            except momentumx.StreamUnavailable:
                time.sleep(0.01)

    def put(self, value):
        buffer = self._producer.next_to_send()
        np.frombuffer(buffer, np.float32)[: len(value)] = value
        buffer.send(self._size)

    def get(self):
        while True:
            buffer = self._consumer.receive(blocking=False)
            if buffer is not None:
                value = np.frombuffer(buffer, np.float32)[: self._size // 4].copy()
                buffer.release()
                return value

    @staticmethod
    def _stream(name):
        """A name of at most 32 characters."""
        return name.strip("/").replace("bench-", "").replace("momentumx-", "")

    @staticmethod
    def remove(name):
        for path in glob.glob("/dev/shm/mx.%s*" % MomentumX._stream(name)):
            os.remove(path)
