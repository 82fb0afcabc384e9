"""Times engines in turns, so that whatever else the machine does falls on all of them, and sums the samples up."""

import statistics
import time
from dataclasses import asdict, dataclass

import numpy as np

MINUTE = 60
FULL = 100  # runs; where so many do not fit into a minute there is no 99th percentile


@dataclass(frozen=True)
class Row:
    engine: str
    model: str
    batch: int
    tokens: int
    runs: int
    sentences_per_second: float
    p50_ms: float
    p99_ms: float | None
    compute_p50_ms: float | None
    overhead_p50_ms: float | None  # the server's time outside the engine's run
    client_overhead_p50_ms: float | None  # the same as the client sees it, its own JSON included

    def document(self):
        return asdict(self)


def percentile(values, percent):
    """The smallest value that at least `percent` per cent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def planned_runs(seconds_per_run, full=FULL, budget=MINUTE):
    """All of them where they fit into the budget, else what fits into a third of it, at least 3."""
    if seconds_per_run * full <= budget:
        return full
    return max(3, min(full - 1, int(budget / 3 / seconds_per_run)))


def measure(engines, texts, check, full=FULL, rounds=10):
    """engines: those of one model. Returns their samples by name; check(vectors, engine) sees the first answer of each."""
    runs, samples = {}, {engine.name: [] for engine in engines}
    for engine in engines:
        _, vectors = engine.run(texts)  # loads, compiles
        check(vectors, engine)
        warm, _ = engine.run(texts)
        runs[engine.name] = planned_runs(warm.seconds, full)
    for turn in range(rounds):
        # Forwards and backwards by turns, so that nobody always comes after the slowest.
        for engine in engines if turn % 2 == 0 else reversed(engines):
            until = runs[engine.name] * (turn + 1) // rounds
            while len(samples[engine.name]) < until:
                samples[engine.name].append(engine.run(texts)[0])
    return samples


def row_of(engine, model, batch, tokens, samples):
    times = [sample.seconds for sample in samples]
    compute = [sample.compute_seconds for sample in samples if sample.compute_seconds is not None]
    overhead = [sample.server_seconds - sample.compute_seconds for sample in samples if sample.server_seconds is not None]
    outside = [sample.seconds - sample.compute_seconds for sample in samples if sample.compute_seconds is not None]
    milliseconds = lambda values: statistics.median(values) * 1000 if values else None
    return Row(
        engine, model, batch, tokens, len(times), batch * len(times) / sum(times), milliseconds(times),
        percentile(times, 99) * 1000 if len(times) >= FULL else None,
        milliseconds(compute), milliseconds(overhead), milliseconds(outside),
    )


def cosine(first, second):
    return float(np.min(np.sum(first * second, axis=1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)))


def timed(action):
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result
