"""Hands detections on, in place on both sides: relay.py FROM TO COUNT. For Python 2.7 and 3.

Each box moves by 1 m, one hop is counted, and the first pixel says which hop it was. examples/
relay.rs starts the round, and says how to run it.
"""

import sys

import numpy as np

import io_shared

CAMERA = io_shared.enum("Camera", "u1", Front=0, Rear=1, Left=4)
HEADER = np.dtype([("stamp_ns", "u8"), ("frame_id", "S24")])
BOX = np.dtype([("x", "f4"), ("y", "f4"), ("z", "f4"), ("score", "f4")])

#: In the order of the struct in Rust and C.
DETECTIONS = [
    ("header", HEADER),
    ("boxes", [BOX]),
    ("names", ["S32"]),
    ("image", ("u1", (None, None, None))),
    ("hops", "u4"),
    ("source", CAMERA),
    ("valid", "?"),
]


def main(there, back, count):
    seen_by = io_shared.open(there, open_timeout=10)
    puts = io_shared.producer(back, DETECTIONS)
    for _ in range(int(count)):
        seen = seen_by.borrow(timeout=10)
        loan = puts.loan(
            boxes=len(seen.boxes), names=len(seen.names), image=seen.image.shape,
            in_place=True, tag=seen_by.tag,
        )
        with loan as out:
            out.header = seen.header
            out.hops = seen.hops + 1
            out.source = seen.source
            out.valid = seen.valid
            out.boxes = seen.boxes
            out.boxes["x"] += 1
            out.names = seen.names
            out.image = seen.image
            if out.image.size:
                out.image[0, 0, 0] = out.hops
    puts.wait_taken(timeout=10)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: relay.py FROM TO COUNT")
    main(*sys.argv[1:])
