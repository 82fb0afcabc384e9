"""Many streams of the chat model through the whole server: one browser or two, engines of one thread each, answers read by HTTP.

A row of the result is the fastest of its turns; what is a distribution (gaps, cost of a token) is of all turns together.
"""

import http.client
import json
import statistics
import threading
import time
from pathlib import Path

from bench import widths
from bench.measure import percentile
from support.server import HOME, Server

MODEL = "smollm2-135m-instruct"
# Multiplications and additions that a token costs in linear layers: 30 layers of 576 to 1536, grouped queries, and the head.
GIGA_OPERATIONS = 2e-9 * (30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536) + 49152 * 576)
TOKENS, TURNS, LONG = 96, 3, 1000
# What the project promises of itself.
TOGETHER, OF_ROOFLINE = 2.5, 0.5  # eight streams: so many times one, or such a share of what the machine gives in int8
TWO_BROWSERS = 1.7
GAPS = 2.0  # the 99th percentile of the time between two tokens to its median
CACHED_MS = 50  # what a prompt costs that was read before, above its rest
TOKEN_US = 50  # the server's processor time for a token, median
FIRST_MS = 5  # from the request to its first token, without the prompt


class Stream:
    """One answer of so many tokens; `times`: when its chunks came, by perf_counter()."""

    def __init__(self, address, prompt, tokens=TOKENS):
        self.address, self.times, self.report = address, [], {}
        self.body = json.dumps({
            "model": MODEL, "prompt": prompt, "max_tokens": tokens, "stream": True, "temperature": 0, "ignore_eos": True,
            "return_token_ids": True,
        })
        self.tokens = 0
        self.began = 0.0

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=300)
        connection.connect()
        self.began = time.perf_counter()
        connection.request("POST", "/v1/completions", self.body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{response.status} {response.read()[:500]!r}")
        for line in response:
            if line.startswith(b"data: {"):
                now, event = time.perf_counter(), json.loads(line[6:])
                ids = event["choices"][0]["token_ids"]
                self.tokens += len(ids)
                self.times += [now] * len(ids)
                self.report = event.get("shoal", self.report)
        connection.close()
        return self


class Together:
    """Streams that begin at once; over when all are."""

    def __init__(self, streams):
        self.streams = streams
        self.threads = [threading.Thread(target=stream.run) for stream in streams]
        for thread in self.threads:
            thread.start()

    def wait(self):
        for thread in self.threads:
            thread.join()
        short = [stream for stream in self.streams if len(stream.times) < 2]
        if short:
            raise RuntimeError(f"{len(short)} of {len(self.streams)} streams did not end")
        return self

    @property
    def rate(self):
        """Tokens a second while all of them write."""
        first, last = max(one.times[0] for one in self.streams), min(one.times[-1] for one in self.streams)
        return sum(first < at <= last for one in self.streams for at in one.times) / (last - first)

    @property
    def gaps(self):
        return [after - before for one in self.streams for before, after in zip(one.times, one.times[1:], strict=False)]


def prompt(seed, length=8):
    """Token ids that no other seed begins with."""
    return [100 + (at * 7919 + seed * 104729) % 40000 for at in range(length)]


class Prompts:
    def __init__(self):
        self.seed = 0

    def next(self, length=8):
        self.seed += 1
        return prompt(self.seed, length)


def processor_seconds(pid):
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) * 1e-9


def token_costs(server, prompts):
    """Microseconds of the server's processor time for a token, of each half second in which eight streams write, above what it
    takes without any."""
    began, idle = time.perf_counter(), processor_seconds(server.pid)
    time.sleep(3)
    idle_share = (processor_seconds(server.pid) - idle) / (time.perf_counter() - began)
    eight = Together([Stream(server.http, prompts.next(), 160) for _ in range(8)])
    marks = []
    while any(thread.is_alive() for thread in eight.threads):
        marks.append((time.perf_counter(), processor_seconds(server.pid)))
        time.sleep(0.5)
    eight.wait()
    first, last = max(one.times[0] for one in eight.streams), min(one.times[-1] for one in eight.streams)
    times = [at for one in eight.streams for at in one.times]
    costs = []
    for (start, before), (end, after) in zip(marks, marks[1:], strict=False):
        tokens = sum(start < at <= end for at in times)
        if first < start and end < last and tokens:
            costs.append(1e6 * (after - before - idle_share * (end - start)) / tokens)
    return costs


def first_token_ms(server, prompts):
    """From the request to the first token, without the steps that read the prompt."""
    one = Stream(server.http, prompts.next(32), 2).run()
    return (one.times[0] - one.began) * 1000 - one.report["timing"]["prefill_us"] / 1000


def prefill_ms(server, ids):
    return Stream(server.http, ids, 2).run().report["timing"]["prefill_us"] / 1000


def served(folder, browsers):
    repository = folder / "models" / MODEL
    if not repository.exists():
        repository.mkdir(parents=True)
        for entry in (HOME / "models" / MODEL).iterdir():
            (repository / entry.name).symlink_to(entry)
    return Server(
        folder / f"{browsers}", models__repository=str(folder / "models"), models__warm_up="all",
        pool__browsers=f"kind=headless_shell,backends=wasm,threads=1,count={browsers}", server__request_timeout="300s",
    )


def measure(folder, say):
    machine = widths.linear_of(widths.BROWSER, "roofline")[0]
    result = {"dot_gop": machine["dot_gop"], "tier": machine["tier"], "rates": [], "promised": {}}
    prompts = Prompts()
    for browsers, counts in ((1, (1, 2, 4, 8)), (2, (8, 16))):
        server = served(folder, browsers)
        try:
            server.start(120)
            Together([Stream(server.http, prompts.next(), 8) for _ in range(browsers * 2)]).wait()
            turns = {count: [] for count in counts}
            for _ in range(TURNS):
                for count, made in turns.items():
                    made.append(Together([Stream(server.http, prompts.next()) for _ in range(count)]).wait())
            result["rates"] += [rate_of(browsers, count, made) for count, made in turns.items()]
            if browsers == 1:
                result |= alone(server, prompts)
            server.stop()
        finally:
            server.destroy()
    for line in sections(result):
        say(line)
    return result


def rate_of(browsers, streams, turns):
    gaps = [gap for made in turns for gap in made.gaps]
    return {
        "browsers": browsers, "streams": streams, "per_second": max(made.rate for made in turns),
        "gap_p50_ms": statistics.median(gaps) * 1000, "gap_p99_ms": percentile(gaps, 99) * 1000,
    }


def alone(server, prompts):
    """What is measured of one browser besides the rates."""
    beside = Together([Stream(server.http, prompts.next(), 160) for _ in range(8)])
    while min(len(one.times) for one in beside.streams) < 8:
        time.sleep(0.01)
    long = Stream(server.http, prompts.next(LONG), 2).run()
    beside.wait()
    again = prompts.next(LONG)
    return {
        "beside": {"gap_p50_ms": statistics.median(beside.gaps) * 1000, "gap_p99_ms": percentile(beside.gaps, 99) * 1000,
                   "long_ms": (long.times[0] - long.began) * 1000},
        "cold_ms": prefill_ms(server, again), "cached_ms": statistics.median(prefill_ms(server, again) for _ in range(3)),
        "token_us": [cost for _ in range(TURNS) for cost in token_costs(server, prompts)],
        "first_ms": [first_token_ms(server, prompts) for _ in range(15)],
    }


def rate(result, browsers, streams):
    return next(row["per_second"] for row in result["rates"] if (row["browsers"], row["streams"]) == (browsers, streams))


def roofline_share(result, streams=8):
    return rate(result, 1, streams) * GIGA_OPERATIONS / result["dot_gop"]


def problems(result, cores):
    if not result:
        return
    times, share = rate(result, 1, 8) / rate(result, 1, 1), roofline_share(result)
    if times < TOGETHER and share < OF_ROOFLINE:
        yield (
            f"8 streams are {times:.2f} times one, not {TOGETHER}, at {share:.0%} of the int8 products that the machine gives, "
            f"not {OF_ROOFLINE:.0%}"
        )
    two = rate(result, 2, 8) / rate(result, 1, 8)
    if cores > 1 and two < TWO_BROWSERS:
        yield f"8 streams through two browsers are {two:.2f} times those through one, not {TWO_BROWSERS}"
    alone = next(row for row in result["rates"] if (row["browsers"], row["streams"]) == (1, 8))
    for what, row in (("8 streams", alone), (f"8 streams beside a prompt of {LONG} tokens", result["beside"])):
        if row["gap_p99_ms"] > GAPS * row["gap_p50_ms"]:
            yield f"{what}: between two tokens {row['gap_p99_ms']:.0f} ms (p99), more than {GAPS} times {row['gap_p50_ms']:.0f} ms (p50)"
    if result["cached_ms"] > CACHED_MS:
        yield f"a prompt of {LONG} tokens that was read before takes {result['cached_ms']:.0f} ms, more than {CACHED_MS} ms"
    if statistics.median(result["token_us"]) > TOKEN_US:
        yield f"a streamed token costs the server {statistics.median(result['token_us']):.0f} µs (p50), more than {TOKEN_US} µs"
    if statistics.median(result["first_ms"]) > FIRST_MS:
        yield f"a first token takes {statistics.median(result['first_ms']):.1f} ms (p50) beside its prompt, more than {FIRST_MS} ms"


def sections(result):
    lines = [
        "| browsers | streams | tokens/s | times one stream | between two tokens, p50 ms | p99 ms |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["rates"]:
        times = row["per_second"] / rate(result, 1, 1)
        cells = [row["browsers"], row["streams"], f"{row['per_second']:.0f}", f"{times:.2f}"]
        lines.append(f"| {' | '.join(map(str, cells))} | {row['gap_p50_ms']:.1f} | {row['gap_p99_ms']:.1f} |")
    yield "\n".join(lines)
    beside, costs, firsts = result["beside"], result["token_us"], result["first_ms"]
    yield (
        f"8 streams through one browser are {roofline_share(result):.0%} of the {result['dot_gop']:.0f} GOP/s of int8 products that "
        f"one thread gives in the same browser (tier {result['tier']}). Beside a prompt of {LONG} tokens, which is read in "
        f"{beside['long_ms'] / 1000:.1f} s then, {beside['gap_p50_ms']:.0f} ms pass between two tokens of a stream (p50), "
        f"{beside['gap_p99_ms']:.0f} ms (p99). Alone such a prompt takes {result['cold_ms'] / 1000:.2f} s, and "
        f"{result['cached_ms']:.0f} ms when it was read before. A streamed token costs the server {statistics.median(costs):.0f} µs of "
        f"processor time (p50 of half seconds of 8 streams; p90 {percentile(costs, 90):.0f} µs); a first token comes "
        f"{statistics.median(firsts):.1f} ms (p50) later "
        "than reading its prompt takes."
    )
