"""The arithmetic of the benchmark of widths."""

import pytest
from bench import widths

KEPT = {16: 2.0, 32: 2.0, 8: 1.0, 4: 0.5, 3: 0.5, 2: 0.5}


def linear(**changed):
    seconds = KEPT | {int(name[1:]): value for name, value in changed.items()}
    cases = [
        {"n": 16, "k": 32, "rows": rows, "bits": bits, "bytes": 1000, "seconds": took}
        for rows in (1, 128) for bits, took in seconds.items()
    ]
    return {"where": "native", "tier": "avx2", "read_gb": 10.0, "dot_gop": 100.0, "cases": cases}


def test_a_speed_is_the_geometric_mean_over_shapes():
    case = {"n": 1000, "k": 1000, "rows": 1, "bits": 8}
    assert widths.speeds([case | {"seconds": 1e-3}, case | {"seconds": 4e-3}], 1)[8] == pytest.approx(1.0)


def test_promises_that_are_kept():
    kept = {
        "linear": [linear()], "encoder": [{"bits": 8, "plan_ms": 10, "onnxruntime_web_ms": 10}],
        "threads": [{"threads": 1, "prefill": 100, "decode": 50}, {"threads": 2, "prefill": 160, "decode": 80}],
    }
    assert not list(widths.problems(kept, 2))
    assert not list(widths.problems({}, 2))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"linear": [linear(b8=2.5)]}, "native: 8 bits at 1 rows are 0.80 times 16 bits, not 1.0"),
        ({"linear": [linear(b3=1.0)]}, "native: 3 bits at 1 rows are 0.50 times 4 bits, not 0.65"),
        ({"linear": [linear(b2=0.6)]}, "native: 2 bits at 1 rows are 0.83 times 4 bits, not 0.95"),
        (
            {"encoder": [{"bits": 8, "plan_ms": 10, "onnxruntime_web_ms": 9}]},
            "the encoder at 8 bits is 0.90 times onnxruntime-web's int8, not 1.0",
        ),
        (
            {"threads": [{"threads": 1, "prefill": 100, "decode": 50}, {"threads": 2, "prefill": 160, "decode": 70}]},
            "decode on two threads is 1.40 times one, not 1.6",
        ),
    ],
)
def test_a_broken_promise_is_told_in_words(broken, words):
    assert words in list(widths.problems(broken, 2))


def test_one_core_has_no_promise_of_two_threads():
    slow = {"threads": [{"threads": 1, "prefill": 1, "decode": 1}, {"threads": 2, "prefill": 1, "decode": 1}]}
    assert not list(widths.problems(slow, 1))


def test_the_table_has_ratios_to_f16():
    assert "(4.00)" in widths.linear_table(linear()).splitlines()[2]
