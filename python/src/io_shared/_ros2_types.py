"""Types of ROS 2: their classes, and their definitions as text."""

import importlib
import io
import os
import re

from io_shared._bridge import Refused

_BUILTIN = frozenset(
    "bool byte char float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 string "
    "wstring".split()
)
#: The type of a field, without its bounds.
_FIELD = re.compile(r"\s*([A-Za-z]\w*(?:/[A-Za-z]\w*)*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]\w*")


def message_class(type_):
    """The class of a type's messages."""
    package, name = type_.split("/")[0], type_.split("/")[-1]
    try:
        return getattr(importlib.import_module(package + ".msg"), name)
    except ImportError as error:
        if package == "io_shared_msgs":
            raise Refused(
                "there is no package with the type %s here. Build the one that `io-shared info "
                "CHANNEL --schema ros2pkg FOLDER` writes, by colcon" % type_
            )
        raise Refused("the package %s, which has the type %s, is not installed here (%s)"
                      % (package, type_, error))
    except AttributeError:
        raise Refused("the package %s has no type %s here" % (package, name))


def definition(package, name):
    """The definition of a type, followed by those of all types in it, each after a line of `=`."""
    texts, wanted = [], [(package, name)]
    for package, name in wanted:  # which grows
        text = _text(package, name)
        texts.append("MSG: %s/%s\n%s" % (package, name, text) if texts else text)
        for line in text.splitlines():
            field = _FIELD.match(line.split("#")[0])
            if field is None or field.group(1) in _BUILTIN:
                continue
            parts = field.group(1).split("/")
            inner = (parts[0] if len(parts) > 1 else package, parts[-1])
            if inner not in wanted:
                wanted.append(inner)
    return ("\n" + "=" * 80 + "\n").join(texts)


def _text(package, name):
    """The text of a type, where its package has it."""
    for prefix in _prefixes(package):
        path = os.path.join(prefix, "share", package, "msg", name + ".msg")
        if os.path.isfile(path):
            with io.open(path, encoding="utf-8") as file:
                return file.read()
    raise Refused("there is no definition of %s/msg/%s here: neither AMENT_PREFIX_PATH nor the "
                  "package leads to share/%s/msg/%s.msg" % (package, name, package, name))


def _prefixes(package):
    """Where a package may be installed: what ROS says, and what its module lies in."""
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix:
            yield prefix
    try:
        folder = os.path.dirname(importlib.import_module(package).__file__ or "")
    except (ImportError, TypeError):
        return
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        yield folder
