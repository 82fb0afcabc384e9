"""The benchmark behind the README's numbers; ./bench runs it. Nothing else should run on the machine meanwhile.

Every engine does the same work, text in and vectors out; engines take turns. Writes bench.json and bench.md to --out.
"""

import argparse
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import batching, chat, frontend, machine, parallel, quality, report, streams, widths
from bench.engines import Native, Shoal
from bench.measure import FULL, cosine, measure, row_of, timed
from golden.native import long_text
from support.http import ask
from support.server import HOME, ROOT, Server
from support.waiting import eventually

MODELS = {"all-minilm-l6-v2": "the default: weights stored as int8, computed in fp32", "all-minilm-l6-v2-fp32": "fp32"}
PARTS = ("starts", "run", "throughput", "batching", "parallel", "frontend", "chat", "streams", "widths", "quality")
BACKENDS = ("wasm", "webnn", "webgpu")
BATCHES = (1, 8)
TOKENS = 32
# What the project promises of itself.
OVERHEAD_MS, IDLE_MIB, SECOND_START_SECONDS = 1.0, 60.0, 5.0
REQUEST_SECONDS = 300
STARTS = 3


def say(text):
    print(text, flush=True)


def throughput(server, backends, full):
    rows, threads = [], os.cpu_count() or 1
    for model, what in MODELS.items():
        folder = HOME / "models" / model / "1"
        natives = [Native(folder, count) for count in sorted({1, threads})]
        engines = natives + [Shoal(server, model, backend, REQUEST_SECONDS) for backend in backends]
        for batch in BATCHES:
            # Different words in every row, TOKENS tokens in each.
            words = long_text(batch + TOKENS).split()
            texts = [" ".join(words[row : row + TOKENS - 2]) for row in range(batch)]
            assert {len(natives[0].encoder.token_ids(text)) for text in texts} == {TOKENS}
            _, expected = natives[0].run(texts)

            def check(vectors, engine, expected=expected):
                likeness = cosine(vectors, expected)
                assert likeness > 0.999, f"{engine.name}: not the right vectors, cosine {likeness}"

            samples = measure(engines, texts, check, full)
            for engine in engines:
                rows.append(row_of(engine.name, f"{model}, {what}", batch, TOKENS, samples[engine.name]))
                say(report.row_text(rows[-1]))
        for engine in engines:
            engine.close()
    return rows


def starts(folder):
    """Seconds from the process's start to ready: with nothing cached in the browser, then again with the same state."""
    seconds = []
    for turn in range(1 + STARTS):
        server = Server(folder)
        try:
            seconds.append(timed(server.start)[0])
            server.stop()
        finally:
            server.destroy()
        say(f"{'cold start' if turn == 0 else 'start again'}: {seconds[-1]:.2f} s")
    return {"cold_seconds": seconds[0], "again_seconds": statistics.median(seconds[1:])}


def run_script_seconds():
    """./run with everything present, from its start to a ready server."""
    ports = {f"SHOAL_SERVER_{name}_PORT": str(port) for name, port in (("HTTP", 18600), ("GRPC", 18601), ("METRICS", 18602))}
    started = time.perf_counter()
    script = subprocess.Popen(
        [ROOT / "run"], env=os.environ | ports, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )

    def ready():
        assert script.poll() is None, f"./run ended with {script.returncode}"
        try:
            return ask(f"127.0.0.1:{ports['SHOAL_SERVER_HTTP_PORT']}", "GET", "/v2/health/ready", timeout=2).status == 200
        except OSError:
            return False

    try:
        eventually("./run is ready", 120, ready)
        seconds = time.perf_counter() - started
    finally:
        script.send_signal(signal.SIGTERM)
        script.wait(60)
    say(f"./run, everything present: {seconds:.2f} s")
    return seconds


def serving(folder, backends, full):
    server = Server(folder, models__warm_up="default", server__request_timeout=f"{REQUEST_SECONDS}s")
    try:
        server.start()
        idle = memory(server)
        rows = [row.document() for row in throughput(server, backends, full)]
        after = memory(server)
        server.stop()
    finally:
        server.destroy()
    return {"memory_idle": idle, "rows": rows, "memory_after": after}


def memory(server):
    pids = [pid for roles in server.workers().values() for found in roles.values() for pid in found]
    return {"server_rss_mib": machine.resident_mib(server.pid), "browsers_pss_mib": machine.proportional_mib(set(pids))}


def problems(result):
    """What breaks a promise, in words; of the parts that were measured."""
    for row in result.get("rows", []):
        if row["engine"] == "Shoal, wasm" and row["batch"] == 1 and row["overhead_p50_ms"] > OVERHEAD_MS:
            yield f"{row['model']}: the server adds {row['overhead_p50_ms']:.2f} ms (p50), more than {OVERHEAD_MS} ms"
    yield from frontend.problems(result.get("frontend", []))
    yield from parallel.problems(result.get("parallel", []), result["machine"]["cores"])
    yield from chat.problems(result.get("chat", {}))
    yield from streams.problems(result.get("streams", {}), result["machine"]["cores"])
    yield from quality.problems(result.get("quality", {}))
    yield from widths.problems(result.get("widths", {}), result["machine"]["cores"])
    idle = result.get("memory_idle", {}).get("server_rss_mib", 0)
    if idle > IDLE_MIB:
        yield f"the idle server holds {idle:.1f} MiB, more than {IDLE_MIB:.0f} MiB"
    for name, seconds in (("the server", result.get("starts", {}).get("again_seconds")), ("./run", result.get("run_seconds"))):
        if seconds and seconds > SECOND_START_SECONDS:
            yield f"a second start of {name} takes {seconds:.2f} s, more than {SECOND_START_SECONDS:.0f} s"


def main():
    parser = argparse.ArgumentParser(prog="./bench", description=__doc__)
    parser.add_argument("--backends", default=",".join(BACKENDS), help="default: %(default)s")
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=FULL, help="runs per engine where they fit into a minute (default: %(default)s)")
    parser.add_argument("--note", default="", help="a sentence for the page: what else a reader must know")
    parser.add_argument("--check", action="store_true", help="fail when a promise is broken")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md too")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    options = parser.parse_args()

    parts = options.parts.split(",")
    result = {"machine": machine.describe(), "command": f"./bench {shlex.join(sys.argv[1:])}".strip(), "note": options.note}
    with tempfile.TemporaryDirectory(prefix="shoal-bench-") as folder:
        if "starts" in parts:
            result["starts"] = starts(Path(folder) / "starts")
        if "run" in parts:
            result["run_seconds"] = run_script_seconds()
        if "throughput" in parts:
            result |= serving(Path(folder) / "serving", options.backends.split(","), options.runs)
        if "batching" in parts:
            result["batching"] = batching.measure(Path(folder), options.backends.split(","), say)
        if "parallel" in parts:
            result["parallel"] = parallel.measure(Path(folder), say)
        if "frontend" in parts:
            result["frontend"] = frontend.measure(Path(folder), say)
        if "chat" in parts:
            result["chat"] = chat.measure(Path(folder), say)
        if "streams" in parts:
            result["streams"] = streams.measure(Path(folder) / "streams", say)
        if "widths" in parts:
            result["widths"] = widths.measure(Path(folder) / "widths", say)
        if "quality" in parts:
            result["quality"] = quality.measure(Path(folder) / "quality", say)
    result["problems"] = list(problems(result))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(result, indent=1) + "\n")
    text = report.markdown(result)
    (options.out / "bench.md").write_text(text)
    if options.docs:
        (ROOT / "docs/benchmarks.md").write_text(text)
    say(text)
    for problem in result["problems"]:
        say(f"PROBLEM: {problem}")
    return 1 if options.check and result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
