"""The benchmark's own arithmetic."""

import pytest
from bench.engines import Sample
from bench.measure import measure, percentile, planned_runs, row_of


def test_percentiles():
    values = list(range(1, 101))
    assert percentile(values, 99) == 99
    assert percentile(values, 50) == 50
    assert percentile([5], 99) == 5


@pytest.mark.parametrize(("seconds", "runs"), [(0.01, 100), (0.6, 100), (0.61, 32), (5, 4), (60, 3)])
def test_a_hundred_runs_only_where_they_fit_into_a_minute(seconds, runs):
    assert planned_runs(seconds) == runs


class Counting:
    def __init__(self, name, seconds, log):
        self.name, self.seconds, self.log = name, seconds, log

    def run(self, texts):
        self.log.append(self.name)
        return Sample(self.seconds, self.seconds / 2, self.seconds * 0.75), texts


def test_engines_take_turns():
    log, checked = [], []
    engines = [Counting("fast", 0.001, log), Counting("slow", 1, log)]
    samples = measure(engines, ["text"], lambda vectors, engine: checked.append(engine.name))
    assert checked == ["fast", "slow"]
    assert len(samples["fast"]) == 100
    assert len(samples["slow"]) == 20
    turns = "".join(name[0] for name in log[4:])
    assert turns.startswith("f" * 10 + "ss" + "ss" + "f" * 20 + "ssss"), "forwards, then backwards"


def test_a_row():
    row = row_of("engine", "model", 8, 32, [Sample(0.2, 0.1, 0.15)] * 99)
    assert row.p99_ms is None, "99 runs have no 99th percentile"
    assert row.sentences_per_second == pytest.approx(40)
    assert row.overhead_p50_ms == pytest.approx(50)
    assert row.client_overhead_p50_ms == pytest.approx(100)
    assert row_of("engine", "model", 1, 32, [Sample(0.2)] * 100).p99_ms == pytest.approx(200)
    assert row_of("engine", "model", 1, 32, [Sample(0.2)] * 100).overhead_p50_ms is None
