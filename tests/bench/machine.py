"""What the numbers were taken on, without the names of machines or people."""

import datetime
import json
import os
import platform
import re
import subprocess
from pathlib import Path

import onnxruntime
import psutil
from support.server import HOME, ROOT, binary


def first_match(pattern, text, otherwise="unknown"):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else otherwise


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
    except OSError:
        return ""


def describe():
    lock = json.loads((ROOT / "browser_agent/package-lock.json").read_text())
    shell = HOME / "tools/headless_shell/headless_shell"
    return {
        "date": datetime.date.today().isoformat(),
        "processor": first_match(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), platform.processor() or "unknown"),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": first_match(r'^PRETTY_NAME="(.*)"$', Path("/etc/os-release").read_text()),
        "gpu": "none: webgpu runs on SwiftShader, in software",
        "shoal": "Shoal " + output_of(str(binary()), "--version"),
        "browser": "headless_shell " + first_match(r"([\d.]{5,})", output_of(str(shell), "--version")),
        "onnxruntime_web": lock["packages"]["node_modules/onnxruntime-web"]["version"],
        "onnxruntime": onnxruntime.__version__,
        "load_average": round(os.getloadavg()[0], 2),
    }


def resident_mib(pid):
    return psutil.Process(pid).memory_info().rss / 2**20


def proportional_mib(pids):
    """PSS: memory that processes share is counted once between them."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(first_match(r"^Pss:\s+(\d+) kB", text, "0"))
    return total / 1024
