"""Runs the reference models' graphs through the real server on every backend and writes docs/compatibility.md.

SHOAL_FIXTURES=... PYTHONPATH=tests .shoal/tools/venv/bin/python -m matrix.write_table [--backends wasm,webgpu,webnn] [--models bert,gpt2]
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from bench import machine
from matrix import bare, serving
from matrix.graphs import all_graphs, fixtures
from support.server import ROOT, Server

BACKENDS = ("wasm", "webgpu", "webnn")


def run_all(graphs, backend, repository, folder):
    """The worst cell of each graph's cases, by graph name; one browser with this backend only."""
    cells = {}
    server = Server(folder, **serving.settings(repository, [backend]))
    try:
        server.start()
        for graph in graphs:
            started = time.monotonic()
            done = [serving.run_case(server, graph, graph.case(name), backend) for name in serving.cases_for(graph, backend)]
            worst = max(done, key=lambda cell: (cell.outcome != "right", cell.error))
            cells[graph.name] = worst.document() | {"cases": len(done), "operator": worst.operator()}
            if worst.outcome in ("refused", "failed"):
                inputs = graph.case(graph.case_names()[0]).inputs
                cells[graph.name]["bare"] = bare.runs(graph.path, inputs, backend)
            print(f"{backend} {graph.name}: {text(cells[graph.name], backend)} ({time.monotonic() - started:.1f} s)", flush=True)
        server.stop()
    finally:
        server.destroy()
    return cells


def text(cell, backend):
    if cell["outcome"] in ("refused", "failed"):
        by_itself = "onnxruntime-web by itself runs it" if cell["bare"][0] else "as onnxruntime-web by itself"
        return f"{cell['outcome']}: {cell['code']} {cell['operator'] or cell['message'][:80]} ({by_itself})"
    if cell["outcome"] == "wrong":
        return f"WRONG: {cell['error']:.1e} {cell['where']} {cell['message'][:80]}"
    nodes = ", ".join(f"{name} {count}" for name, count in sorted(cell["nodes"].items(), key=lambda entry: entry[0] != backend))
    mixed = f"; {cell['heavy_elsewhere']} heavy ones not on {backend}" if cell["heavy_elsewhere"] else ""
    return f"{cell['error']:.0e}; {nodes}{mixed}"


def page(graphs, results, command):
    about = machine.describe()
    right = {backend: [cell for cell in cells.values() if cell["outcome"] == "right"] for backend, cells in results.items()}
    whole = {backend: sum(not cell["heavy_elsewhere"] for cell in cells) for backend, cells in right.items()}
    lines = [
        "# Which graphs run where",
        "",
        f"Made on {about['date']} by `{command}` with {about['browser']} and onnxruntime-web {about['onnxruntime_web']}; webgpu is a "
        f"software adapter (SwiftShader), webnn its CPU device. All {len(graphs)} graphs of the {len({graph.model for graph in graphs})} "
        "reference models, small ones with random weights: this shows that the numbers are right, not that the models are good. "
        "Edge and Safari were not run: neither runs on this system.",
        "",
        "A cell gives the largest difference to PyTorch and to native onnxruntime over all outputs and cases (right means within "
        "the fixtures' tolerance, |a-b| <= atol + rtol |b|), and where the graph's nodes ran after onnxruntime's optimisations. "
        "Heavy nodes are matrix products, convolutions, attention and norms: where some are not on the backend, answers report "
        "`mixed`; on webnn these are graphs with an `If` or an empty cache. On wasm all cases of the fixtures "
        "ran, on the others one and, for graphs with a cache, the step after it.",
        "",
        "| backend | right | of them wholly on it | refused | wrong or failed |",
        "|---|---:|---:|---:|---:|",
    ]
    for backend, cells in results.items():
        counts = [sum(cell["outcome"] == outcome for cell in cells.values()) for outcome in ("refused", "wrong", "failed")]
        lines.append(f"| {backend} | {len(right[backend])} of {len(cells)} | {whole[backend]} | {counts[0]} | {counts[1] + counts[2]} |")
    lines += ["", f"| graph | task | {' | '.join(results)} |", f"|---|---|{'---|' * len(results)}"]
    for graph in graphs:
        cells = [text(cells[graph.name], backend) for backend, cells in results.items()]
        lines.append(f"| {graph.name} | {graph.task} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", default=",".join(BACKENDS), help="others keep the results of their last run")
    parser.add_argument("--models", help="names of the reference models, default all")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/compatibility.md")
    parser.add_argument("--json", type=Path, default=ROOT / "build/matrix/results.json")
    options = parser.parse_args()
    if fixtures() is None:
        parser.error("SHOAL_FIXTURES does not name the reference models")
    graphs = [graph for graph in all_graphs(fixtures()) if not options.models or graph.model in options.models.split(",")]
    options.json.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(options.json.read_text()) if options.json.exists() and not options.models else {}
    with tempfile.TemporaryDirectory(prefix="shoal-matrix-") as folder:
        repository = Path(folder) / "models"
        serving.lay_out(graphs, repository)
        for backend in options.backends.split(","):
            results[backend] = run_all(graphs, backend, repository, Path(folder) / backend)
            options.json.write_text(json.dumps(results, indent=1) + "\n")
    results = {backend: results[backend] for backend in BACKENDS if backend in results}
    options.out.write_text(page(graphs, results, "python -m matrix.write_table"))
    bad = [name for cells in results.values() for name, cell in cells.items() if cell["outcome"] in ("wrong", "failed")]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
