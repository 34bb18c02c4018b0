"""Documentation: every public class, function, method and property has a docstring, whose examples
are valid Python."""

import doctest
import inspect
import types

import pytest

import io_shared

PUBLIC = sorted(io_shared.__all__ + ["open"])


def documented(name):
    """What ``name`` offers: itself, and its public attributes that this package defines."""
    found = getattr(io_shared, name)
    yield name, found
    if inspect.isclass(found):
        for base in inspect.getmro(found):
            if not base.__module__.startswith("io_shared"):
                continue
            for attribute, value in vars(base).items():
                of_code = isinstance(value, (types.FunctionType, property, classmethod))
                if of_code and not attribute.startswith("_"):
                    yield "%s.%s" % (name, attribute), value


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_has_a_docstring_with_valid_examples(name):
    for full, found in documented(name):
        text = inspect.getdoc(found)
        assert text, full
        for example in doctest.DocTestParser().get_examples(text, full):
            compile(example.source, full, "exec")


@pytest.mark.parametrize("name", [
    "NumpyShare", "producer", "consumer", "open", "observe", "remove", "Message", "Loan", "File",
    "RWSharedMMap", "SharedMMap", "UnsafeSharedMMap", "LockedBytes", "ArrayProducer.loan",
    "ArrayProducer.wait_taken", "TypedProducer.put", "TypedProducer.loan", "Consumer.get",
    "Consumer.borrow", "Observer.copy", "Client", "Client.call", "Server", "Server.take",
    "Question.answer",
])
def test_what_users_call_first_has_an_example(name):
    found = io_shared
    for part in name.split("."):
        found = getattr(found, part)
    assert doctest.DocTestParser().get_examples(inspect.getdoc(found), name), name
