"""The front end's ceiling: an echo model behind the whole server, beside echoes that have nothing behind them.

The same client asks both by turns; what the server takes more is its front end, queue, scheduler and statistics.
"""

import statistics
from contextlib import ExitStack

import psutil
from bench import echoes
from support.echo_models import echo_model
from support.server import Server

MODEL = "echo"
SECONDS = 2  # of one turn
TURNS = 4
MIB = 1 << 18  # elements of FP32
SHAPES = [
    *((protocol, 1, concurrency) for protocol in echoes.PROTOCOLS for concurrency in (1, 16, 64)),
    *((protocol, elements, 1) for elements in (MIB, 16 * MIB) for protocol in ("grpc", "http-binary")),
]
# What the project promises of itself: at least that share of the bare echo's answers, by protocol, elements and concurrency.
SHARES = {("grpc", 1, 1): 0.70, ("grpc", 1, 16): 0.80, ("grpc", 1, 64): 0.80}
OVERHEAD_US = 100  # p50: by the server's own clock, and as what a client waits for it longer than for a bare echo
OVERHEAD = "shoal_request_overhead_seconds"


def measure(folder, say):
    echo_model(folder / "models", MODEL)
    server = Server(
        folder / "frontend", echo__workers="1", pool__browsers="none", models__repository=str(folder / "models"), models__warm_up="all",
    )
    rows = []
    try:
        server.start()
        with ExitStack() as stack:
            bare_grpc, bare_http = (stack.enter_context(echoes.bare(name)) for name in ("bare_grpc_echo", "bare_http_echo"))
            for protocol, elements, concurrency in SHAPES:
                is_grpc = protocol == "grpc"
                sides = {
                    "bare": (bare_grpc if is_grpc else bare_http).address, "shoal": server.grpc if is_grpc else server.http,
                }
                pids = {"bare": (bare_grpc if is_grpc else bare_http).pid, "shoal": server.pid}
                turns = {side: [] for side in sides}
                before = server.scrape()
                for turn in range(TURNS):
                    # Forwards and backwards by turns, so that nobody always comes second.
                    for side in sides if turn % 2 == 0 else reversed(sides):
                        turns[side].append(one_turn(pids[side], protocol, sides[side], elements, concurrency))
                rows.append(row_of(protocol, elements, concurrency, turns) | overhead_of(before, server.scrape()))
                say(row_text(rows[-1]))
        server.stop()
    finally:
        server.destroy()
    return rows


def one_turn(pid, protocol, address, elements, concurrency):
    before = cpu_seconds(pid)
    said = echoes.load(protocol, address, elements, concurrency, SECONDS, model=MODEL)
    return said | {"server_cpu_us": (cpu_seconds(pid) - before) * 1e6 / said["all_answers"]}


def cpu_seconds(pid):
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def row_of(protocol, elements, concurrency, turns):
    """Medians of the turns. What compares both sides is the median of the pairs, since a pair saw the machine in one mood."""
    row = {"protocol": protocol, "elements": elements, "concurrency": concurrency}
    for side, runs in turns.items():
        names = ("per_second", "p50_us", "p95_us", "p99_us", "server_cpu_us", "client_cores")
        row[side] = {name: statistics.median(run[name] for run in runs) for name in names}
    pairs = list(zip(turns["shoal"], turns["bare"], strict=True))
    return row | {
        "share": statistics.median(shoal["per_second"] / bare["per_second"] for shoal, bare in pairs),
        "added_p50_us": statistics.median(shoal["p50_us"] - bare["p50_us"] for shoal, bare in pairs),
    }


def overhead_of(before, after):
    """Of the requests between two scrapes: the server's own mean time, and the share of them that took OVERHEAD_US at most."""

    def grown(suffix, **labels):
        return after.value(OVERHEAD + suffix, model=MODEL, **labels) - before.value(OVERHEAD + suffix, model=MODEL, **labels)

    count = grown("_count")
    if count == 0:
        raise RuntimeError(f"no request was counted in {OVERHEAD}")
    return {"overhead_mean_us": grown("_sum") * 1e6 / count, "overhead_met": grown("_bucket", le=f"{OVERHEAD_US / 1e6:g}") / count}


def row_text(row):
    return (
        f"{row['protocol']} | FP32[{row['elements']}] | {row['concurrency']} open: {row['shoal']['per_second']:.0f}/s, "
        f"bare {row['bare']['per_second']:.0f}/s: {row['share']:.2f}; {row['added_p50_us']:.0f} us longer (p50), "
        f"the server's own time {row['overhead_mean_us']:.0f} us, "
        f"CPU {row['shoal']['server_cpu_us']:.0f} us, bare {row['bare']['server_cpu_us']:.0f} us"
    )


def problems(rows):
    """What breaks a promise, in words."""
    for row in rows:
        shape = (row["protocol"], row["elements"], row["concurrency"])
        least = SHARES.get(shape)
        if least is not None and row["share"] < least:
            yield (
                f"{row['protocol']} at concurrency {row['concurrency']}: {row['share']:.2f} of a bare echo's answers, "
                f"less than {least:.2f}"
            )
        if shape == ("grpc", 1, 1) and row["overhead_met"] < 0.5:
            yield f"the server's own time is more than {OVERHEAD_US} us (p50): {row['overhead_met']:.0%} of the requests take less"
        if shape == ("grpc", 1, 1) and row["added_p50_us"] > OVERHEAD_US:
            yield f"a client waits {row['added_p50_us']:.0f} us longer (p50) than for a bare echo, more than {OVERHEAD_US} us"
