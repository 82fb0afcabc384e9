"""The benchmark's result as a page of the documentation."""

from bench import chat, quality, streams, widths
from bench.measure import Row


def number(value, digits=1):
    return "" if value is None else f"{value:.{digits}f}"


def row_text(row):
    return (
        f"{row.model} | {row.engine} | batch {row.batch}: {row.sentences_per_second:.1f} sentences/s, p50 {row.p50_ms:.1f} ms, "
        f"p99 {number(row.p99_ms) or 'not taken'}, server adds {number(row.overhead_p50_ms, 2) or 'nothing'} ms ({row.runs} runs)"
    )


def table(rows):
    lines = [
        "| engine | batch | sentences/s | p50 ms | p99 ms | of it in the engine, p50 ms | the server adds, p50 ms | runs |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            row.engine, str(row.batch), number(row.sentences_per_second), number(row.p50_ms), number(row.p99_ms) or "–",
            number(row.compute_p50_ms), number(row.overhead_p50_ms, 2), str(row.runs),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def batching_table(rows):
    lines = [
        "| backend | tokens | requests | requests/s | rows a run | p50 ms | p99 ms | requests |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            row["backend"], str(row["tokens"]), "joined" if row["joined"] else "one by one", number(row["per_second"]),
            number(row["rows_per_run"]), number(row["p50_ms"]), number(row["p99_ms"]), str(row["requests"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def parallel_table(rows):
    lines = [
        "| browsers | for graphs in each | four models | inferences/s | times as fast | p50 ms | p99 ms | cores busy | peak MiB | failed |",
        "|---:|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for before, row in zip([None, *rows], rows, strict=False):
        is_pair = row["way"] != "one after the other"
        cells = [
            str(row["workers"]), row["budget"] or "enough for all", row["way"], number(row["per_second"]),
            number(row["per_second"] / before["per_second"], 2) if is_pair else "", number(row["p50_ms"], 0), number(row["p99_ms"], 0),
            f"{row['busy'] * 100:.0f} %", number(row["peak_mib"], 0), str(row["failed"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


PROTOCOLS = {"grpc": "gRPC", "http-json": "REST, JSON", "http-binary": "REST, binary"}


def frontend_table(rows):
    lines = [
        "| protocol | tensor | open | answers/s | bare | share | p50 µs | bare | longer | p99 µs | bare | CPU µs | bare | own time, µs |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        size = "4 B" if row["elements"] == 1 else f"{row['elements'] * 4 / 2**20:.0f} MiB"
        pairs = [number(row[side][name], 0) for name in ("p50_us", "p99_us", "server_cpu_us") for side in ("shoal", "bare")]
        pairs.insert(2, number(row["added_p50_us"], 0))
        cells = [
            PROTOCOLS[row["protocol"]], size, str(row["concurrency"]), number(row["shoal"]["per_second"], 0),
            number(row["bare"]["per_second"], 0), f"{row['share'] * 100:.0f} %", *pairs, number(row["overhead_mean_us"], 0),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def markdown(result):
    machine, rows = result["machine"], [Row(**row) for row in result.get("rows", [])]
    models = list(dict.fromkeys(row.model for row in rows))
    tokens = rows[0].tokens if rows else 0
    is_busy = machine["load_average"] > machine["cores"] / 2
    busy = " **The machine was busy with other work: all times are too long, most of all those of several threads and processes.**"
    notes = (busy if is_busy else "") + (f" {result['note']}" if result.get("note") else "")
    parts = [
        "# Benchmarks",
        f"Taken on {machine['date']} by `{result['command']}`: {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, GPU: {machine['gpu']}. {machine['shoal']}, {machine['browser']}, "
        f"onnxruntime-web {machine['onnxruntime_web']}, onnxruntime {machine['onnxruntime']} (native). "
        f"Load average at the start: {machine['load_average']}.{notes}",
    ]
    parts += [] if not rows else [
        f"Each run turns text of {tokens} tokens a sentence into vectors: over `/v1/embeddings` from one client on one connection, "
        "or with the same tokenizer and graph in native onnxruntime in one process. Engines take turns in one session, so ratios "
        "between rows of one table hold better than the numbers themselves. p99 is given where 100 runs fit into a minute. "
        '"In the engine" is the time inside onnxruntime-web; "the server adds" is accepted to answered without that.',
    ]
    for model in models:
        parts += [f"## {model}", table([row for row in rows if row.model == model])]
    lines = ["| what | |", "|---|---:|"]
    if "starts" in result:
        lines += [
            f"| server started to ready, browser with empty caches | {result['starts']['cold_seconds']:.2f} s |",
            f"| started again, same state | {result['starts']['again_seconds']:.2f} s |",
        ]
    if "run_seconds" in result:
        lines.append(f"| `./run` with everything present, to ready | {result['run_seconds']:.2f} s |")
    if "rows" in result:
        idle, after = result["memory_idle"], result["memory_after"]
        lines += [
            f"| server, idle, resident | {idle['server_rss_mib']:.1f} MiB |",
            f"| browsers and drivers, idle with default models loaded, proportional | {idle['browsers_pss_mib']:.0f} MiB |",
            f"| server after the benchmark | {after['server_rss_mib']:.1f} MiB |",
            f"| browsers and drivers after the benchmark | {after['browsers_pss_mib']:.0f} MiB |",
        ]
    if "batching" in result:
        parts += [
            "## Dynamic batching",
            "16 clients ask the default model for one sentence each, again and again, of a server that joins requests into runs "
            "(`schedule.dynamic_batching`) and of one that does not.",
            batching_table(result["batching"]),
        ]
    if "parallel" in result:
        parts += [
            "## Several models at once",
            "Four models (both models of this page under two names each), two on WASM and two on WebNN, 4 rows of 32 tokens each: one "
            "`/v2/parallel` call after the other with one inference each, or one call with all four. A time is that of all four. Both "
            "backends compute on the CPU, one thread each. Cores and memory (PSS) are those of the server and its browsers together.",
            parallel_table(result["parallel"]),
        ]
    if "frontend" in result:
        parts += [
            "## The front end's ceiling",
            "One FP32 tensor there and back, of a model of the echo backend behind the whole server (queue, scheduler, statistics) "
            "and of a bare echo: gRPC's callback API, or Beast on one thread, with nothing behind it. The same client asks both by "
            'turns, on the same machine, with so many requests open. "Longer" is what a client waits more, in the middle of the pairs '
            'of turns. "CPU" is the server\'s, for an answer; its own time is accepted '
            "to answered without compute and queue, on average. The bare echoes answer in the thread that read the request; the "
            "server hands each to its one lane.",
            frontend_table(result["frontend"]),
        ]
    if "chat" in result:
        parts += [
            "## A chat model",
            "SmolLM2-135M-Instruct as its GGUF file has it (Q4_1, embeddings Q8_0), some 140 tokens of a prompt and 64 of an answer, "
            "greedy, medians of turns. Natively and in headless_shell, where Shoal's agent is driven over its own protocol. llama.cpp's "
            "Q4_0 is made of the same file: it has faster kernels for that. In the browser Shoal's model is ready, up to the end of a "
            f"first token, {result['chat']['cold_ms']:.0f} ms after the load command with an empty store, "
            f"{result['chat']['warm_ms']:.0f} ms in a new page of the same browser.",
            chat.table(result["chat"]),
        ]
    if "streams" in result:
        parts += [
            "## Many streams of a chat model",
            "The same model through the whole server: greedy answers of 96 tokens as server-sent events, all at once, engines of one "
            "thread each. Tokens a second are those while all streams write, of the fastest of three turns.",
            *streams.sections(result["streams"]),
        ]
    if "widths" in result:
        parts += ["## Widths of weights", *widths.sections(result["widths"])]
    if "quality" in result:
        parts += ["## What few bits cost", *quality.sections(result["quality"])]
    parts += ["## Start and memory", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"
