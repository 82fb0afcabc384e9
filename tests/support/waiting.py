"""Waiting for a condition with a deadline: nothing in these tests sleeps and hopes."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# A wait that is allowed seconds is there so that a fault ends the test, not to measure: machines differ, and some stand still.
PROMISE = 5.0
SLACK = 3.0


def eventually(what: str, seconds: float, probe: Callable[[], T], every: float = 0.02) -> T:
    """The first truthy value of probe(); AssertionError with its last value after `seconds`.

    From 5 s on the limit is one of patience and is tripled. Between two probes at most a second counts: a machine that stood
    still for longer did so for the server as well.
    """
    left = seconds * SLACK if seconds >= PROMISE else seconds
    last = time.monotonic()
    while True:
        value = probe()
        if value:
            return value
        if left <= 0:
            raise AssertionError(f"not within {seconds} s: {what}; the last value was {value!r}")
        time.sleep(every)
        now = time.monotonic()
        left -= min(now - last, 1.0)
        last = now
