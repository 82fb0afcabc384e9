"""The arithmetic of the benchmark of several models at once."""

import subprocess
import sys

import pytest
from bench import parallel
from bench.report import parallel_table
from support.waiting import eventually


def made(way, rounds, seconds=10.0, workers=1, budget=None, failed=0, cpu=10.0):
    row = {"rounds": rounds, "seconds": seconds, "cpu": cpu, "peak_mib": 900.0, "failed": failed}
    return parallel.row_of(workers, budget, way, row)


def pair(slow, fast, **more):
    return [made("one after the other", [0.1] * slow, **more), made("one call", [0.1] * fast, **more)]


def test_a_round_is_four_inferences_and_failed_ones_do_not_count():
    row = made("one call", [0.3, 0.1, 0.2], failed=2)
    assert row["per_second"] == pytest.approx(1.0)
    assert row["p50_ms"] == pytest.approx(200)
    assert row["p99_ms"] == pytest.approx(300)


def test_the_promise_is_held_to_where_there_are_the_cores():
    rows = pair(10, 17) + pair(10, 15, workers=2) + pair(10, 30, workers=2, budget="1MiB")
    assert parallel.speed_ups(rows) == {1: pytest.approx(1.7), 2: pytest.approx(1.5)}
    assert list(parallel.problems(rows, cores=2)) == []
    assert "1.70" in next(parallel.problems(rows, cores=4))
    assert list(parallel.problems(pair(10, 18), cores=4)) == []
    assert "2 inferences failed" in next(parallel.problems([made("one call", [0.1], failed=2)], cores=2))


def test_the_table_says_how_many_times_as_fast():
    lines = parallel_table(pair(10, 17) + pair(10, 20, budget="1MiB")).splitlines()
    assert len(lines) == 6
    assert lines[2].split(" | ")[4] == ""
    assert lines[3].split(" | ")[4] == "1.70"
    assert "| 1MiB |" in lines[5]


def test_processes_that_come_and_go_are_counted():
    burner = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(burner) as early:
        pids = {early.pid}
        with parallel.Watch(lambda: set(pids)) as watch, subprocess.Popen(burner) as late:
            pids.add(late.pid)
            eventually("the late one has worked", 60, lambda: watch._last.get(late.pid, 0) > 0.2)
            early.kill()
            late.kill()
        assert watch.cpu > 0
        assert watch.peak_mib > 0
