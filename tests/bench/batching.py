"""Throughput of many clients that ask for one sentence each, with requests joined into runs and without."""

import http.client
import json
import threading
import time
from dataclasses import asdict, dataclass

from golden.native import long_text
from support.server import Server

MODEL = "all-minilm-l6-v2"
CLIENTS = 16
SECONDS = 15  # of one turn; at least one answer a client
TURNS = 2
TOKENS = (8, 32)
TIMEOUT = 300


@dataclass
class Row:
    backend: str
    tokens: int
    joined: bool
    requests: int = 0
    seconds: float = 0.0
    runs: int = 0
    latencies: tuple = ()

    def document(self):
        ordered = sorted(self.latencies)
        return {
            **{key: value for key, value in asdict(self).items() if key != "latencies"},
            "per_second": self.requests / self.seconds,
            "rows_per_run": self.requests / max(1, self.runs),
            "p50_ms": ordered[len(ordered) // 2] * 1000,
            "p99_ms": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000,
        }


def measure(folder, backends, say):
    rows = {}
    for turn in range(TURNS):
        # Forwards and backwards by turns, so that nobody always comes second.
        for joined in (False, True) if turn % 2 == 0 else (True, False):
            server = Server(
                folder / f"batching-{joined}-{turn}", models__warm_up="default", server__request_timeout=f"{TIMEOUT}s",
                schedule__dynamic_batching=str(joined).lower(),
            )
            try:
                server.start()
                for backend in backends:
                    for tokens in TOKENS:
                        row = rows.setdefault((backend, tokens, joined), Row(backend, tokens, joined))
                        load(server, backend, tokens, row)
                        say(f"{backend}, {tokens} tokens, {'joined' if joined else 'one by one'}: {row.requests / row.seconds:.1f}/s")
                server.stop()
            finally:
                server.destroy()
    return [row.document() for _, row in sorted(rows.items())]


def load(server, backend, tokens, row):
    words = long_text(tokens + CLIENTS).split()
    for _ in range(3):
        one(server, backend, " ".join(words[: tokens - 2]), [])  # loads, compiles, and measures what a run takes
    # What joined runs need besides is loaded while they are asked for the first time.
    together(server, backend, tokens, words, 5)
    before = runs_of(server)
    latencies, seconds = together(server, backend, tokens, words, SECONDS)
    row.runs += runs_of(server) - before
    row.requests += len(latencies)
    row.seconds += seconds
    row.latencies += tuple(latencies)


def runs_of(server):
    return int(server.scrape().value("nv_inference_exec_count", model=MODEL, version="1"))


def together(server, backend, tokens, words, seconds):
    latencies, failures, threads = [], [], []
    started = time.perf_counter()

    def client(number):
        text = " ".join(words[number : number + tokens - 2])
        try:
            mine = []
            while not mine or time.perf_counter() - started < seconds:
                one(server, backend, text, mine)
            latencies.extend(mine)
        except Exception as failure:
            failures.append(failure)

    for number in range(CLIENTS):
        threads.append(threading.Thread(target=client, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return latencies, time.perf_counter() - started


def one(server, backend, text, latencies):
    started = time.perf_counter()
    connection = http.client.HTTPConnection(server.http, timeout=TIMEOUT)
    body = json.dumps({"model": MODEL, "input": text, "encoding_format": "base64", "shoal": {"backend": backend}})
    connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{backend}: {response.status} {answer[:500]!r}")
    latencies.append(time.perf_counter() - started)
