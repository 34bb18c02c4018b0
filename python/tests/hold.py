"""Holds both roles of a channel until it is killed."""

import sys
import time

import io_shared

put = io_shared.NumpyShare(sys.argv[1], "1M", "put")
get = io_shared.NumpyShare(sys.argv[1], "1M", "get", consumer_name="viewer")
print("held")
sys.stdout.flush()
time.sleep(60)
