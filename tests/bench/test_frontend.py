"""The arithmetic of the front end's benchmark."""

import pytest
from bench import frontend
from bench.report import frontend_table
from support.metrics import Scrape


def run(per_second, cpu=10.0):
    return {
        "per_second": per_second, "p50_us": 1e6 / per_second, "p95_us": 2e6 / per_second, "p99_us": 3e6 / per_second,
        "server_cpu_us": cpu, "client_cores": 0.5,
    }


def row(shape=("grpc", 1, 1), shoal=900, bare=1000, met=0.9, added=50.0):
    turns = {"bare": [run(bare, 10)], "shoal": [run(shoal, 30)]}
    return frontend.row_of(*shape, turns) | {"overhead_mean_us": 50.0, "overhead_met": met, "added_p50_us": added}


def test_the_share_is_that_of_turns_side_by_side():
    turns = {"bare": [run(1000), run(100), run(1000)], "shoal": [run(800), run(80), run(900)]}
    found = frontend.row_of("grpc", 1, 16, turns)
    assert found["share"] == pytest.approx(0.8)
    assert found["shoal"]["per_second"] == 800
    assert found["bare"]["per_second"] == 1000
    assert found["added_p50_us"] == pytest.approx(1e6 / 800 - 1e6 / 1000)
    with pytest.raises(ValueError, match="longer"):
        frontend.row_of("grpc", 1, 16, {"bare": [run(1)] * 2, "shoal": [run(1)]})


def scraped(count, fast, seconds, model="echo"):
    name, labels = frontend.OVERHEAD, f'{{model="{model}",backend="echo"'
    return Scrape(
        f"# HELP {name} Own time\n# TYPE {name} histogram\n"
        f'{name}_bucket{labels},le="0.0001"}} {fast}\n{name}_bucket{labels},le="+Inf"}} {count}\n'
        f"{name}_count{labels}}} {count}\n{name}_sum{labels}}} {seconds}\n",
    )


def test_overhead_is_that_of_the_requests_in_between():
    found = frontend.overhead_of(scraped(100, 100, 1), scraped(300, 250, 1.04))
    assert found == {"overhead_mean_us": pytest.approx(200), "overhead_met": 0.75}
    with pytest.raises(RuntimeError, match="no request"):
        frontend.overhead_of(scraped(100, 100, 1), scraped(100, 100, 1))
    with pytest.raises(RuntimeError, match="no request"):
        frontend.overhead_of(scraped(1, 1, 1, "other"), scraped(2, 2, 2, "other"))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (row(shoal=700), []),
        (row(shoal=699), ["concurrency 1: 0.70 of a bare echo's answers, less than 0.70"]),
        (row(("grpc", 1, 16), 790), ["concurrency 16: 0.79"]),
        (row(("grpc", 1, 64), 800), []),
        (row(("grpc", 1, 64), 100), ["concurrency 64: 0.10"]),
        (row(("http-json", 1, 1), 1, met=0), []),
        (row(("grpc", frontend.MIB, 1), 1, met=0), []),
        (row(met=0.49), ["more than 100 us (p50): 49% of the requests"]),
        (row(met=0.5), []),
        (row(added=100), []),
        (row(added=101), ["a client waits 101 us longer (p50)"]),
        (row(("grpc", 1, 16), added=101), []),
    ],
)
def test_promises(found, words):
    problems = list(frontend.problems([found]))
    assert len(problems) == len(words)
    assert all(word in problem for word, problem in zip(words, problems, strict=True))


def test_the_table_has_every_number():
    rows = [row(), row(("http-binary", 16 * frontend.MIB, 1), shoal=5, bare=10)]
    _, _, *lines = frontend_table(rows).splitlines()
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines] == [
        ["gRPC", "4 B", "1", "900", "1000", "90 %", "1111", "1000", "50", "3333", "3000", "30", "10", "50"],
        ["REST, binary", "16 MiB", "1", "5", "10", "50 %", "200000", "100000", "50", "600000", "300000", "30", "10", "50"],
    ]
