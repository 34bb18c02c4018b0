"""The Python program of tests/languages.rs: it does what clouds.c does."""

import sys

import numpy as np

import io_shared

POINT = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("intensity", "f4")])
CLOUD = np.dtype([("frame", "u8"), ("stamp_ns", "u8")])
IMAGE = "/camera/rgb/image_raw"


def say(text):
    sys.stdout.write(">> %s\n" % text)
    sys.stdout.flush()


def put():
    points = np.array([(i, i * i, 0.5 * i, 1) for i in range(3)], POINT)
    clouds = io_shared.producer(
        IMAGE, CLOUD, tail=("points", POINT), message="Cloud", capacity=65536
    )
    labels = io_shared.producer("/camera/rgb/labels", tail=np.dtype("u4"), capacity=65536)
    say("there")
    for line in iter(sys.stdin.readline, ""):
        number, stamp = [int(word) for word in line.split()]
        message = {"frame": number, "stamp_ns": 1000 * number, "points": points}
        with clouds.loan(len(points), seq=number, stamp=stamp) as cloud:
            for name, value in message.items():
                cloud[name] = value
        # The labels of a cloud come 20 ms later, by their stamps.
        with labels.loan(3, tag=number, seq=number, stamp=stamp + 20000000) as out:
            out[:] = [0, 1, 2]
        say("put")


def get():
    consumer = io_shared.consumer(IMAGE, CLOUD, tail=("points", POINT), message="Cloud",
                                  holds=1)
    cloud = consumer.get(timeout=60)
    points = " ".join("(%g %g %g %g)" % tuple(point) for point in cloud.points.tolist())
    say(
        "value %d tag %d: frame %d stamp %d %s"
        % (consumer.seq, consumer.tag, cloud.frame, cloud.stamp_ns, points)
    )


{"put": put, "get": get}[sys.argv[1]]()
