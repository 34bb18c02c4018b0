"""The tests themselves: none of them waits for ever."""

import signal
import subprocess
import sys

import pytest

import io_shared
from conftest import HERE


def test_a_wait_of_a_test_ends(name):
    get = io_shared.consumer(name, "u8", capacity=8)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with pytest.raises(pytest.fail.Exception, match="has not ended"):
        get.get()


def test_programs_that_the_tests_start_hear_ctrl_c_even_if_it_was_ignored(start):
    child = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1], sys.argv[2]])\n"
    )
    tests = "import subprocess, sys, conftest; subprocess.call([sys.executable, '-c', sys.argv[1]])"
    said = start(sys.executable, "-c", code, tests, child, cwd=HERE, stdout=subprocess.PIPE)
    assert said.communicate()[0].decode().strip() == "True"
