"""The chat model, one thread each, by turns: Shoal's engine natively and in a headless browser, native llama.cpp, wllama."""

import json
import os
import statistics
import subprocess
import sys

from bench import chat_peers
from support.server import HOME, ROOT

MODEL = "smollm2-135m-instruct"
PROMPT = "The " + "quick brown fox jumps over the lazy dog. " * 14
ANSWER = 64
TURNS = 5
Q4_1, Q4_0, WLLAMA = "llama.cpp, Q4_1", "llama.cpp, Q4_0", "wllama, Q4_1, in headless_shell"
NATIVE, BROWSER = "Shoal, the same codes", "Shoal, the same codes, in headless_shell"
# What the project promises of itself: the one's tokens a second are at least so many times the other's.
PROMISES = (
    (NATIVE, "prefill", 0.7, Q4_0), (NATIVE, "decode", 0.7, Q4_0),
    (BROWSER, "prefill", 8, WLLAMA), (BROWSER, "decode", 6, WLLAMA),
    (BROWSER, "prefill", 0.5, Q4_1), (BROWSER, "decode", 0.75, Q4_1),
)


class Peer:
    def __init__(self, made, name):
        self.made, self.name = made, name
        self.made.run("Hello", 1)

    def run(self):
        said = self.made.run(PROMPT, ANSWER)
        assert said["predicted_n"] == ANSWER, said
        return {"prefill": said["prompt_per_second"], "decode": said["predicted_per_second"]}

    def close(self):
        self.made.close()


class Native:
    name = NATIVE

    def __init__(self, gguf):
        program = [ROOT / "build/release/shoal", "run", gguf, PROMPT, "--raw", "--max-tokens", str(ANSWER)]
        self.command = [*program, "--temperature", "0", "--threads", "1", "--json"]

    def run(self):
        said = json.loads(subprocess.run(self.command, check=True, capture_output=True, text=True).stdout)
        assert len(said["ids"]) == ANSWER, said
        return {"prefill": said["prefill_tokens_per_second"], "decode": said["decode_tokens_per_second"]}

    def close(self):
        pass


class Browser:
    """The agent in a page of its own for each turn, driven over its protocol."""

    name = BROWSER

    def __init__(self, gguf):
        self.command = ["node", "harness/run.mjs", "chatBench", gguf, "4"]
        self.loads = []

    def run(self):
        done = subprocess.run(self.command, check=True, cwd=ROOT / "browser_agent", stdout=subprocess.PIPE, text=True)
        said = json.loads(done.stdout.splitlines()[-1])
        self.loads.append(said["load_ms"])
        return {"prefill": said["prefill"], "decode": said["decode"]}

    def close(self):
        pass


def measure(folder, say):
    fetch = [sys.executable, ROOT / "scripts/fetch_models.py", f"{MODEL}.gguf"]
    subprocess.run(fetch, check=True, env=os.environ | {"SHOAL_HOME": str(HOME)})
    chat_peers.install()
    gguf = HOME / "gguf" / f"{MODEL}.gguf"
    fast = chat_peers.as_q4_0(gguf, folder / "q4_0.gguf")
    engines = []
    try:
        engines += [Peer(chat_peers.LlamaCpp(gguf, 1), Q4_1), Peer(chat_peers.LlamaCpp(fast, 1), Q4_0)]
        engines += [Peer(chat_peers.Wllama(gguf, 1, folder / "wllama"), WLLAMA), Native(gguf), Browser(gguf)]
        passes = {engine.name: [] for engine in engines}
        for turn in range(TURNS):
            # Forwards and backwards by turns, so that nobody always comes second.
            for engine in engines if turn % 2 == 0 else reversed(engines):
                passes[engine.name].append(engine.run())
        loads = engines[-1].loads
    finally:
        for engine in engines:
            engine.close()
    rows = [row_of(name, made) for name, made in passes.items()]
    for row in rows:
        say(f"{row['engine']}: prefill {row['prefill']:.0f}, decode {row['decode']:.1f} tokens/s")
    cold, warm = ([load[at] for load in loads] for at in (0, 1))
    return {"rows": rows, "cold_ms": statistics.median(cold), "warm_ms": statistics.median(warm)}


def row_of(name, passes):
    return {"engine": name, "passes": len(passes)} | {
        what: statistics.median(one[what] for one in passes) for what in ("prefill", "decode")
    }


def problems(result):
    rows = {row["engine"]: row for row in result.get("rows", [])}
    for one, what, least, other in PROMISES:
        if one in rows and other in rows and rows[one][what] < least * rows[other][what]:
            yield f"{what} of {one}: {rows[one][what] / rows[other][what]:.2f} times {other}, not {least}"


def table(result):
    rows = {row["engine"]: row for row in result["rows"]}
    lines = [
        "| engine, one thread | prefill, tokens/s | decode, tokens/s | prefill to llama.cpp's Q4_1 | decode to it | passes |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows.values():
        ratios = [f"{row[what] / rows[Q4_1][what]:.2f}" for what in ("prefill", "decode")]
        lines.append(f"| {row['engine']} | {row['prefill']:.0f} | {row['decode']:.1f} | {' | '.join(ratios)} | {row['passes']} |")
    return "\n".join(lines)
