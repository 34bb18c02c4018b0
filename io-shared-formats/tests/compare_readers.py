"""Compares what readers of one recording have printed: compare_readers.py FILE...

Each message must be the same to all of them, and there must be clouds among them.
"""

import collections
import json
import sys


def main(paths):
    readers = collections.defaultdict(lambda: collections.defaultdict(list))
    for path in paths:
        with open(path) as file:
            for text in file:
                line = json.loads(text)
                values = readers[line["reader"]][line["topic"], line["type"]]
                values.append((line["time"], line["value"]))
    names = sorted(readers)
    assert names == ["mcap", "npm", "rosbags"], names
    topics = readers["mcap"]
    clouds = [values for (_, kind), values in topics.items() if "PointCloud2" in kind]
    assert clouds and all(len(values) > 10 for values in clouds), "there are few clouds"
    for name in names:
        assert set(readers[name]) == set(topics), (name, sorted(readers[name]))
        for topic, expected in topics.items():
            found = readers[name][topic]
            assert len(found) == len(expected), (name, topic, len(found), len(expected))
            for (_, value), (_, other) in zip(found, expected):
                assert value == other, (name, topic, value, other)
    for (topic, kind), values in sorted(topics.items()):
        print("%s: %d messages of %s, the same to %s" % (
            topic, len(values), kind, ", ".join(names)))


main(sys.argv[1:])
