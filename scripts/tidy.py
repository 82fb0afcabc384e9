#!/usr/bin/env python3
"""Runs clang-tidy-19 over the sources of a compile database, several at a time, remembering what passed.

A pass is remembered under a hash of the source, of every header of the repository that it may reach, of its command and
of .clang-tidy, in build/tidy/.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PASSED = ROOT / "build" / "tidy"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
SLOW = re.compile(r"#include <(boost/beast|grpcpp)/|server/net/.*boost_src|\.pb\.h\"")


@functools.cache
def text_of(path):
    return path.read_text()


def reach(path):
    """The source and every header of ours below it, sorted."""
    seen, todo = set(), [path]
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        todo += [ROOT / name for name in INCLUDE.findall(text_of(file)) if (ROOT / name).is_file()]
    return sorted(seen)


def key_of(entry):
    digest = hashlib.sha256(text_of(ROOT / ".clang-tidy").encode() + entry["command"].encode())
    for file in reach(Path(entry["file"])):
        digest.update(text_of(file).encode())
    return digest.hexdigest()


def wanted(entry, everything):
    path = Path(entry["file"])
    if not path.is_relative_to(ROOT) or path.is_relative_to(ROOT / "build"):
        return False
    name = path.relative_to(ROOT).as_posix()
    if everything:
        return True
    text = text_of(path)
    return name.startswith(("server/", "engine/")) and ("co_await" in text or not SLOW.search(text))


def tidy(entry, database, timeout):
    started = time.monotonic()
    run = subprocess.run(["clang-tidy-19", "--quiet", "-p", str(database.parent), entry["file"]],
                         capture_output=True, text=True, timeout=timeout, cwd=ROOT)
    return run.returncode, run.stdout, time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--slowest", type=int, default=0, help="also print this many of the slowest files")
    args = parser.parse_args()
    PASSED.mkdir(parents=True, exist_ok=True)
    entries = {entry["file"]: entry for entry in json.loads(args.database.read_text()) if wanted(entry, args.all)}
    keys = {file: key_of(entry) for file, entry in entries.items()}
    todo = [entry for file, entry in sorted(entries.items()) if not (PASSED / keys[file]).exists()]
    print(f"clang-tidy: {len(entries)} files, {len(todo)} to read", flush=True)
    failed, times = 0, []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(tidy, entry, args.database, 600): entry for entry in todo}
        for job in concurrent.futures.as_completed(jobs):
            entry = jobs[job]
            status, output, seconds = job.result()
            times.append((seconds, entry["file"]))
            if status == 0:
                (PASSED / keys[entry["file"]]).touch()
            else:
                failed += 1
                print(output, flush=True)
    for seconds, file in sorted(times, reverse=True)[: args.slowest]:
        print(f"{seconds:6.1f} s  {file}")
    print(f"clang-tidy: {failed} of {len(entries)} files failed")
    return 1 if failed or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
