"""What a bridge to ROS is told: its arguments, and its file.

``ros1`` and ``ros2`` take ROS's own arguments away first.
"""

import argparse
import io
import re

#: A word of io-shared's, or a type of ROS.
_KIND = re.compile(r"(cloud|depth|none|image:\S+|[A-Za-z]\w*(/msg)?/[A-Za-z]\w*)$")
_KINDS = "cloud, image:ENCODING, depth, none or a type of ROS"

_FILE = """\
a FILE has more of the same, and options of one channel or topic:

  to_ros:
    - /clouds=/points
    - {channel: /front, topic: /image, as: "image:bgr8", frame: front_camera}
  from_ros:
    - /imu
    - {topic: /tf, cdr: true}
"""


class Entry(object):
    """One channel and one topic, of which one may be None if it has the other's name."""

    def __init__(self, channel=None, topic=None, kind=None, frame=None, cdr=False):
        self.channel, self.topic = channel, topic
        #: What the channel's messages are, and the frame that they are in; None: as they say.
        self.kind, self.frame = kind, frame
        #: Whether the topic's messages stay the bytes that ROS sends.
        self.cdr = cdr


class Options(object):
    """What the bridge does."""

    def __init__(self, to_ros, from_ros, everything, given):
        self.to_ros, self.from_ros = to_ros, from_ros
        #: The side from which everything is passed on: "to_ros", "from_ros" or None.
        self.everything = everything
        self._kinds, self._frame, self._cdr = dict(given.kinds), given.frame, given.cdr
        for entry in to_ros:
            entry.kind = entry.kind or self._kinds.get(entry.channel)
            entry.frame = entry.frame or given.frame
        for entry in from_ros:
            entry.cdr = entry.cdr or given.cdr

    def outgoing(self, channel):
        """The entry of a channel that only ``--all`` names."""
        return Entry(channel, None, self._kinds.get(channel), self._frame)

    def incoming(self, topic):
        """The entry of a topic that only ``--all`` names."""
        return Entry(None, topic, cdr=self._cdr)


def parse(prog, what, arguments):
    """The options in ``arguments``. What makes no sense ends the program, with status 2."""
    parser = _parser(prog, what)
    given = parser.parse_args(arguments)
    to_ros, from_ros = sum(given.to_ros, []), sum(given.from_ros, [])
    try:
        everything = _everything(given)
        for path in given.config:
            more = _read(path)
            to_ros += more[0]
            from_ros += more[1]
        _refuse_twice(to_ros, "channel")
        _refuse_twice(from_ros, "topic")
    except ValueError as error:
        parser.error(str(error))
    if not (to_ros or from_ros or everything):
        parser.error("name what is passed on: --to-ros CHANNEL, --from-ros TOPIC or --config FILE")
    return Options(to_ros, from_ros, everything, given)


def _parser(prog, what):
    parser = argparse.ArgumentParser(
        prog=prog, description=what, epilog=_FILE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, many = parser.add_argument, dict(nargs="*", action="append", default=[])
    add("--to-ros", type=_channel, metavar="CHANNEL[=TOPIC]",
        help="publish these channels; without =TOPIC the topic has the channel's name", **many)
    add("--from-ros", type=_topic, metavar="TOPIC[=CHANNEL]",
        help="subscribe to these topics, and put their messages into channels", **many)
    add("--all", action="store_true", dest="everything",
        help="every channel, next to a --to-ros that names none, or every topic, next to such a "
             "--from-ros; but not what this bridge itself puts or publishes")
    add("--as", type=_as, action="append", default=[], dest="kinds", metavar="CHANNEL=KIND",
        help="what a channel's messages are: %s, whose fields have the same names" % _KINDS)
    add("--frame", help="the frame_id of what is published; else it is what the type says, or the "
                        "channel's name")
    add("--cdr", action="store_true",
        help="keep the messages of topics the bytes that ROS sends, whatever their types are")
    add("--config", action="append", default=[], metavar="FILE", help="a YAML file")
    return parser


def _everything(given):
    sides = [("to_ros", given.to_ros), ("from_ros", given.from_ros)]
    bare = [side for side, lists in sides if [] in lists]
    if given.everything and len(bare) != 1:
        raise ValueError("--all goes with a --to-ros or with a --from-ros that names nothing")
    if bare and not given.everything:
        raise ValueError("--%s names nothing: name something, or add --all"
                         % bare[0].replace("_", "-"))
    return bare[0] if bare else None


def _channel(text):
    return Entry(*_pair(text))


def _topic(text):
    return Entry(*_pair(text)[::-1])


def _pair(text):
    name, has_other, other = text.partition("=")
    if not name or (has_other and not other):
        raise argparse.ArgumentTypeError("%r is neither a name nor NAME=NAME" % text)
    return name, other or None


def _as(text):
    channel, _, kind = text.partition("=")
    if not channel or not _KIND.match(kind):
        raise argparse.ArgumentTypeError(
            "%r is not CHANNEL=KIND, whose KIND is %s" % (text, _KINDS)
        )
    return channel, kind


def _read(path):
    """The entries of a file: those to ROS, and those from it."""
    try:
        import yaml
    except ImportError:
        raise ValueError("--config needs PyYAML: pip install pyyaml")
    try:
        with io.open(path, encoding="utf-8") as file:
            read = yaml.safe_load(file)
    except (IOError, OSError, UnicodeError, yaml.YAMLError) as error:
        raise ValueError("%s: %s" % (path, error))
    if not isinstance(read, dict) or not set(read) <= {"to_ros", "from_ros"}:
        raise ValueError("%s: it must have to_ros or from_ros, and nothing else" % path)
    return [
        [_entry(each, side, keys, path) for each in _list(read, side, path)]
        for side, keys in (("to_ros", ("channel", "topic", "as", "frame")),
                           ("from_ros", ("topic", "channel", "cdr")))
    ]


def _list(read, side, path):
    found = read.get(side) or []
    if not isinstance(found, list):
        raise ValueError("%s: %s must be a list, not %r" % (path, side, found))
    return found


def _entry(each, side, keys, path):
    """An entry of a file, whose first key is what it must have."""
    where = "%s: %s" % (path, side)
    if isinstance(each, (str, type(u""))):
        try:
            return (_channel if side == "to_ros" else _topic)(str(each))
        except argparse.ArgumentTypeError as error:
            raise ValueError("%s: %s" % (where, error))
    if not isinstance(each, dict) or not set(each) <= set(keys) or not each.get(keys[0]):
        raise ValueError("%s: %r is neither a name nor a %s with %s"
                         % (where, each, keys[0], ", ".join(keys[1:])))
    entry = Entry(cdr=each.pop("cdr", False))
    if not isinstance(entry.cdr, bool):
        raise ValueError("%s: cdr is true or false, not %r" % (where, entry.cdr))
    for key, value in each.items():
        if not isinstance(value, (str, type(u""))):
            raise ValueError("%s: %s must be a text, not %r" % (where, key, value))
        setattr(entry, {"as": "kind"}.get(key, key), str(value))
    if entry.kind is not None and not _KIND.match(entry.kind):
        raise ValueError("%s: as is %s, not %r" % (where, _KINDS, entry.kind))
    return entry


def _refuse_twice(entries, key):
    names = [getattr(entry, key) for entry in entries]
    twice = sorted(set(name for name in names if names.count(name) > 1))
    if twice:
        raise ValueError("%s is named twice" % ", ".join(twice))
