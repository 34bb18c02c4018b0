"""A wire that delays and loses packets, between two network namespaces.

Two TUN devices, of which this program reads and to which it writes: far.py PID PID MS PERCENT.
"""
import collections
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN_NO_PI = 0x400454CA, 0x1001


def tun(pid, name, address):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN_NO_PI))
    subprocess.check_call(["ip", "link", "set", name, "netns", pid])
    enter = ["nsenter", "--target", pid, "--net", "ip"]
    subprocess.check_call(enter + ["address", "add", address, "dev", name])
    subprocess.check_call(enter + ["link", "set", name, "up"])
    return device


def main():
    first, second = sys.argv[1:3]
    delay, loss = float(sys.argv[3]) / 1e3, float(sys.argv[4]) / 100
    devices = tun(first, "far1", "10.9.9.1/24"), tun(second, "far2", "10.9.9.2/24")
    chance = random.Random(1)
    under_way = collections.deque()
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, device, packet = under_way.popleft()
            try:
                os.write(device, packet)
            except OSError:
                pass  # its queue is full: lost, as on any wire
        timeout = max(0, under_way[0][0] - now) if under_way else 1
        for device in select.select(devices, [], [], timeout)[0]:
            for _ in range(64):
                try:
                    packet = os.read(device, 2048)
                except BlockingIOError:
                    break
                if chance.random() >= loss:
                    other = devices[1] if device == devices[0] else devices[0]
                    under_way.append((time.monotonic() + delay, other, packet))


main()
