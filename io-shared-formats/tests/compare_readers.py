"""Compares what readers have read with what was put: compare_readers.py FOLDER [--cut]

The folder is that of ci/recording.sh. Its files `npm` and `pip` are what the readers printed. With
--cut the end of the recording is missing.
"""

import collections
import json
import os
import sys

import numpy


def lines(folder, name):
    with open(os.path.join(folder, name)) as file:
        for text in file:
            # The last line may have been cut off when its program was ended.
            if text.endswith("\n"):
                yield json.loads(text)


def points(cloud):
    """Of a cloud as it was put: what the readers print of the points."""
    names = list(cloud[0])
    columns = {name: numpy.array([point[name] for point in cloud], "f4") for name in names}

    def at(place):
        return {name: float(columns[name][place]) for name in names}

    # One after the other, as the readers add them.
    sums = {name: float(numpy.cumsum(columns[name].astype("f8"))[-1]) for name in names}
    return {"count": len(cloud), "first": at(0), "last": at(-1), "sums": sums}


def whole_numbers(values):
    return {"count": len(values), "ends": [values[0], values[-1]], "sum": sum(values)}


def compare(reader, topic, values, put, same):
    """Compares each message that was seen when it was put. There are many of these."""
    seen = [line for line in values if line["io_seq"] in put]
    assert len(seen) >= min(len(values), 8), (reader, topic, len(seen), len(values))
    for line in seen:
        expected = put[line["io_seq"]]
        for what, found, wanted in same(line, expected):
            assert found == wanted, (reader, topic, line["io_seq"], what, found, wanted)
    print("%s: %s: %d messages, %d of them as they were put" % (
        reader, topic, len(values), len(seen)))


def of_cloud(line, put):
    stamp = line["value"]["header"]["stamp"]
    yield "points", line["points"], points(put["value"]["points"])
    yield "frame", line["value"]["header"]["frame_id"], "lidar"
    yield "stamp", stamp["sec"] * 10**9 + stamp["nanosec"], put["value"]["stamp_ns"]


def of_labels(line, put):
    value = line["value"]
    yield "labels", value["labels"], whole_numbers(put["value"]["labels"])
    yield "tag", value["io_tag"], put["tag"]
    yield "frame", value["frame"], put["value"]["frame"]


def main(folder, is_cut):
    counts = [count["values"] for count in lines(folder, "counts")]
    missed = [count["missed"] for count in lines(folder, "counts")]
    pipeline, = lines(folder, "pipeline")
    sent = [pipeline["sent"], pipeline["labelled"]]
    assert missed == [0, 0], missed
    # A recorder begins with the newest value, and where it gives way to programs that want its
    # processor, some were put before it came.
    assert all(most - 5 <= count <= most for count, most in zip(counts, sent)), (counts, pipeline)
    recorded = [list(range(most - count + 1, most + 1)) for count, most in zip(counts, sent)]
    put = [
        {line["seq"]: line for line in lines(folder, name)} for name in ("clouds", "labels")
    ]
    readers = collections.defaultdict(lambda: collections.defaultdict(list))
    for name in ("npm", "pip"):
        for line in lines(folder, name):
            readers[line["reader"]][line["topic"]].append(line)
    assert sorted(readers) == ["mcap", "npm", "rosbags"], sorted(readers)
    for reader, topics in sorted(readers.items()):
        clouds, heads, labels = sorted(topics, key=lambda topic: (
            not topic.endswith("_clouds"), not topic.endswith("/_io")))
        found = [len(topics[topic]) for topic in (clouds, heads, labels)]
        if is_cut:
            # At most three tenths of its bytes are missing, and what is left of a chunk.
            assert all(counts[0] // 2 <= n < counts[0] for n in found), (found, counts)
            assert found[0] == found[1], found
        else:
            assert found == [counts[0], counts[0], counts[1]], (reader, found)
        for cloud, head in zip(topics[clouds], topics[heads]):
            cloud["io_seq"] = head["value"]["io_seq"]
        for line in topics[labels]:
            line["io_seq"] = line["value"]["io_seq"]
        numbers = [[line["io_seq"] for line in topics[topic]] for topic in (clouds, labels)]
        for found, wanted in zip(numbers, recorded):
            assert found == wanted[: len(found)], (reader, found, wanted)
        compare(reader, clouds, topics[clouds], put[0], of_cloud)
        compare(reader, labels, topics[labels], put[1], of_labels)


main(sys.argv[1], "--cut" in sys.argv[2:])
