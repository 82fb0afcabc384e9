"""Four models over two backends: one after the other, and as one call (`/v2/parallel`) on one, two and four browsers."""

import http.client
import json
import os
import threading
import time

import numpy as np
import psutil
from bench import machine
from support.server import HOME, Server

# Two graphs under two names each, so that a call asks for four models.
MODELS = {"int8-a": "all-minilm-l6-v2", "fp32-a": "all-minilm-l6-v2-fp32", "int8-b": "all-minilm-l6-v2", "fp32-b": "all-minilm-l6-v2-fp32"}
BACKENDS = ("wasm", "webnn", "webnn", "wasm")
ROWS, TOKENS = 4, 32
SECONDS = 12  # of one turn
TURNS = 2
TIMEOUT = 300
# What the project promises of itself, on a machine with a core for each engine and one for everything else.
SPEED_UP, CORES = 1.8, 4
# Browsers, and what a browser may hold; a tight budget has room for some of the four graphs.
FLEETS = ((1, None), (2, None), (4, None), (2, "160MiB"))


def measure(folder, say):
    repository(folder / "models")
    rows = []
    for workers, budget in FLEETS:
        rows += fleet(folder, workers, budget, say)
    return rows


def repository(folder):
    for name, source in MODELS.items():
        (folder / name).mkdir(parents=True)
        for entry in (HOME / "models" / source).iterdir():
            if entry.name != "config.pbtxt":
                (folder / name / entry.name).symlink_to(entry)
        config = (HOME / "models" / source / "config.pbtxt").read_text()
        (folder / name / "config.pbtxt").write_text(config.replace(f'"{source}"', f'"{name}"'))


def fleet(folder, workers, budget, say):
    server = Server(
        folder / f"parallel-{workers}-{budget}", pool__browsers=f"kind=headless_shell,count={workers}",
        models__repository=str(folder / "models"), models__warm_up="none", server__request_timeout=f"{TIMEOUT}s",
        **({"pool__memory_budget": budget} if budget else {}),
    )
    rows = {way: {"rounds": [], "seconds": 0.0, "cpu": 0.0, "peak_mib": 0.0, "failed": 0} for way in WAYS}
    try:
        server.start()
        for _ in range(3 * workers):
            # Loads the graphs and measures what a run takes.
            failures = ask(server, list(zip(MODELS, BACKENDS, strict=True)))
            assert not failures, failures
        for turn in range(TURNS):
            # Forwards and backwards by turns, so that nobody always comes second.
            for way in WAYS if turn % 2 == 0 else reversed(WAYS):
                one_turn(server, WAYS[way], rows[way])
        server.stop()
    finally:
        server.destroy()
    made = [row_of(workers, budget, way, row) for way, row in rows.items()]
    for row in made:
        say(f"{workers} browsers, {budget or 'default'} budget, {row['way']}: "
            f"{row['per_second']:.1f} inferences/s, p50 {row['p50_ms']:.0f} ms, {row['peak_mib']:.0f} MiB")
    return made


def one_after_the_other(server):
    return [failure for pair in zip(MODELS, BACKENDS, strict=True) for failure in ask(server, [pair])]


def as_one_call(server):
    return ask(server, list(zip(MODELS, BACKENDS, strict=True)))


WAYS = {"one after the other": one_after_the_other, "one call": as_one_call}


def one_turn(server, way, row):
    watch = Watch(lambda: {server.pid} | {pid for roles in server.workers().values() for found in roles.values() for pid in found})
    started = time.perf_counter()
    with watch:
        while (now := time.perf_counter()) - started < SECONDS:
            row["failed"] += len(way(server))
            row["rounds"].append(time.perf_counter() - now)
    row["seconds"] += time.perf_counter() - started
    row["cpu"] += watch.cpu
    row["peak_mib"] = max(row["peak_mib"], watch.peak_mib)


class Watch:
    """CPU seconds of the processes that pids() names, and the most memory (PSS) that they had at one time.

    Looks each second: processes come and go, and of one that goes the last second is missing.
    """

    def __init__(self, pids):
        self.pids, self.peak_mib = pids, 0.0
        self._first, self._last = {}, {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    @property
    def cpu(self):
        return sum(self._last[pid] - self._first.get(pid, 0.0) for pid in self._last)

    def __enter__(self):
        self._look()
        self._first = dict(self._last)
        self._thread.start()
        return self

    def __exit__(self, *failure):
        self._over.set()
        self._thread.join()
        self._look()

    def _sample(self):
        while not self._over.wait(1):
            self._look()

    def _look(self):
        pids = self.pids()
        self.peak_mib = max(self.peak_mib, machine.proportional_mib(pids))
        for pid in pids:
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.NoSuchProcess:
                continue
            self._last[pid] = times.user + times.system


def ask(server, pairs):
    """Runs these (model, backend) pairs as one call; returns the errors of those that failed."""
    tokens = np.arange(1000, 1000 + ROWS * TOKENS).reshape(ROWS, TOKENS)
    tensors = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
    inputs = [
        {"name": name, "datatype": "INT64", "shape": [ROWS, TOKENS], "data": values.ravel().tolist()} for name, values in tensors.items()
    ]
    items = [{"model_name": model, "parameters": {"shoal_backend": backend}, "inputs": inputs} for model, backend in pairs]
    connection = http.client.HTTPConnection(server.http, timeout=TIMEOUT)
    connection.request("POST", "/v2/parallel", json.dumps({"requests": items}), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{response.status} {answer[:500]!r}")
    return [each["error"] for each in json.loads(answer)["responses"] if "error" in each]


def row_of(workers, budget, way, row):
    ordered = sorted(row["rounds"])
    done = len(MODELS) * len(ordered) - row["failed"]
    return {
        "workers": workers, "budget": budget, "way": way, "rounds": len(ordered), "failed": row["failed"],
        "per_second": done / row["seconds"],
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000,
        "busy": row["cpu"] / row["seconds"] / (os.cpu_count() or 1),
        "peak_mib": row["peak_mib"],
    }


def speed_ups(rows):
    """Of the fleets with the default budget: browsers to how many times faster one call is."""
    kept = {(row["workers"], row["way"]): row["per_second"] for row in rows if not row["budget"]}
    both = [workers for workers, way in kept if way == "one call" and (workers, "one after the other") in kept]
    return {workers: kept[workers, "one call"] / kept[workers, "one after the other"] for workers in both}


def problems(rows, cores):
    found = speed_ups(rows)
    if cores >= CORES and found and max(found.values()) < SPEED_UP:
        yield f"four models as one call are {max(found.values()):.2f} times as fast as one after the other, not {SPEED_UP}"
    yield from (f"{row['workers']} browsers, {row['way']}: {row['failed']} inferences failed" for row in rows if row["failed"])
