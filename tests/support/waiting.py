"""Waiting for a condition with a deadline: nothing in these tests sleeps and hopes."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(what: str, seconds: float, probe: Callable[[], T], every: float = 0.02) -> T:
    """The first truthy value of probe(); AssertionError with its last value after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what}; the last value was {value!r}")
        time.sleep(every)
