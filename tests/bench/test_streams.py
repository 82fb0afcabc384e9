"""The arithmetic of the benchmark of many streams."""

import pytest
from bench import streams


def row(browsers, count, rate, p50=40.0, p99=60.0):
    return {"browsers": browsers, "streams": count, "per_second": rate, "gap_p50_ms": p50, "gap_p99_ms": p99}


def result(eight=250.0, two=430.0, **more):
    rates = [row(1, 1, 100.0), row(1, 8, eight), row(2, 8, two)]
    return {
        "dot_gop": 200.0, "tier": "relaxed_simd", "rates": rates, "beside": {"gap_p50_ms": 80.0, "gap_p99_ms": 160.0, "long_ms": 9000.0},
        "cold_ms": 6000.0, "cached_ms": 50.0, "token_us": [40.0, 50.0, 90.0], "first_ms": [2.0, 5.0, 9.0],
    } | more


class Told:
    """A stream whose tokens came at these times."""

    def __init__(self, *times):
        self.times = times


def together(*told):
    made = streams.Together.__new__(streams.Together)
    made.streams = list(told)
    return made


def test_a_rate_is_that_of_the_time_when_all_write():
    made = together(Told(0, 1, 2, 3, 4), Told(1, 2, 3))
    assert made.rate == pytest.approx(4 / 2)
    assert sorted(made.gaps) == [1] * 6


def test_promises_that_are_just_kept():
    assert not list(streams.problems(result(), cores=2))
    assert not list(streams.problems({}, cores=2))
    assert not list(streams.problems(result(two=300.0), cores=1)), "one core has no room for two browsers"
    assert not list(streams.problems(result(eight=249.0, dot_gop=130.0), cores=2)), "half of what the machine gives will do"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"eight": 249.0, "two": 430.0}, "8 streams are 2.49 times one, not 2.5, at 33% of the int8 products"),
        ({"two": 420.0}, "8 streams through two browsers are 1.68 times those through one, not 1.7"),
        ({"beside": {"gap_p50_ms": 80.0, "gap_p99_ms": 161.0}}, "8 streams beside a prompt of 1000 tokens: between two tokens 161 ms"),
        ({"cached_ms": 51.0}, "takes 51 ms, more than 50 ms"),
        ({"token_us": [51.0]}, "a streamed token costs the server 51 µs"),
        ({"first_ms": [5.1]}, "a first token takes 5.1 ms"),
    ],
)
def test_a_broken_promise_is_told_in_words(more, words):
    found = list(streams.problems(result(**more), cores=2))
    assert len(found) == 1 and words in found[0], found


def test_a_token_is_some_0_27_giga_operations():
    assert streams.GIGA_OPERATIONS == pytest.approx(0.269, abs=0.001)


def test_the_table_gives_times_of_one_stream():
    table, _ = streams.sections(result())
    assert "| 1 | 8 | 250 | 2.50 | 40.0 | 60.0 |" in table.splitlines()
