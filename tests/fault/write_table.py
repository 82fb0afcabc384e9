"""Writes docs/recovery.md from what tests/fault/test_recovery.py measured.

SHOAL_FAULT_RESULTS=build/faults.json ./test --long python
PYTHONPATH=tests .shoal/tools/venv/bin/python -m fault.write_table build/faults.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
from bench import machine
from fault.faults import ALL, FAULTS
from support.server import ROOT


def cell(found):
    if found is None:
        return "–"
    rounds, lost = len(found["times"]), found["lost"]
    kept = ", same browser" if lost == 0 else f", {lost} replaced" if lost < rounds else ""
    return f"{np.median(found['times']):.1f} / {max(found['times']):.1f} s ({rounds}{kept})"


def page(results):
    about = machine.describe()
    kinds = [kind for kind in ALL if kind in results]
    versions = ", ".join(results[kind]["version"] for kind in kinds)
    lines = [
        "# How long a slot takes to be well again",
        "",
        f"Made on {about['date']} by `python -m fault.write_table`: {about['cores']} cores of {about['processor']}, "
        f"{about['memory_gib']} GiB, {about['system']}; {versions}. "
        "Two kinds were tried at a time, and compilers ran at low priority beside them: the numbers are upper bounds.",
        "",
        "One browser per server, the default model, eight requests in flight, each with a deadline of two minutes. The fault is "
        "done for real, and the time runs from it to the first answer of the same slot, noticing it and loading the model "
        "included: `median / maximum (rounds)`. In every round each of the requests was answered once and rightly, and after the "
        "last one the server held no more processes, threads, profiles and descriptors than before the first. Here silence was "
        "believed after 5 s (`pool.heartbeat_silence`, 10 s by default), a page or an idle engine that hangs after 12 s "
        "(`pool.page_silence`, `pool.engine_silence`, 30 s by default); the browser's processes may take 3 GiB "
        "(`pool.memory_budget`). \"Same browser\": it was never replaced; else it was in every round, or in as many as the "
        "cell says.",
        "",
        f"| fault | {' | '.join(kinds)} |",
        f"|---|{'---|' * len(kinds)}",
    ]
    for fault in FAULTS:
        lines.append(f"| {fault.name} | {' | '.join(cell(results[kind]['faults'].get(fault.name)) for kind in kinds)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", help="of one run each; a later one's kinds replace an earlier one's")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/recovery.md")
    options = parser.parse_args()
    results = {}
    for path in options.results:
        results |= json.loads(path.read_text())
    options.out.write_text(page(results))


if __name__ == "__main__":
    main()
