"""What a value is put with, and found by: tags, numbers and stamps."""

import operator

from io_shared import errors

_MOST = 2 ** 64 - 1


def tag(name, value):
    """``value`` as the tag of a value in the channel ``name``."""
    return whole(name, "tag", value, 0, _MOST, "2**64 - 1")


def whole(name, argument, value, least, most, most_is):
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not least <= number <= most:
        raise errors.alone(errors.Invalid(
            "%s: %s=%r is not valid: it must be a whole number from %d to %s"
            % (name, argument, value, least, most_is)
        ))
    return number


def number_of(seq):
    """``seq`` as the number of a value; 0 for none."""
    return whole("since", "seq", seq, 0, _MOST, "2**64 - 1")


#: What a value is put with: a tag, a number (0: the next) and a stamp (that of the put).
NO_LABEL = 0, 0, _MOST


def label(name, given, seq, stamp):
    """What a value is put with, from the arguments of ``put`` and ``loan``."""
    given = tag(name, given)
    if seq is not None:
        seq = whole(name, "seq", seq, 1, 2 ** 52 - 1, "2**52 - 1")
        stamp = _MOST if stamp is None else whole(name, "stamp", stamp, 0, 2 ** 63, "2**63")
        return given, seq, stamp
    if stamp is not None:
        raise errors.Invalid("%s: stamp= is for values with a seq=" % name)
    return given, 0, _MOST
