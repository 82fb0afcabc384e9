#!/usr/bin/env python3
"""Rules about the files of the repository themselves.

Lock files name no registry; no note to come back later; no path of somebody's machine; every *_test.cpp is built; no
source file above 400 lines and no header without its opening comment.
"""

import re
import subprocess
import sys
from pathlib import Path

MAX_LINES = 400
SOURCES = {".cpp", ".hpp", ".ts", ".mjs", ".py", ".sh", ".wgsl", ".rs"}
# Spelt in pieces, so that this file passes its own check.
LATER = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")
MACHINE = re.compile(r"(?<![\w.])/(" + "|".join(["ho" + "me/[a-z]", "ro" + "ot/", "wo" + "rk/", "Us" + "ers/"]) + ")")
REGISTRY = re.compile(r'"reso' r'lved"|https?://[^\s"]*('
                      + "|".join(["regi" + "stry\\.", "py" + "pi", "pytho" + "nhosted", "crates\\." + "io", "mav" + "en"]) + ")")
# Cargo writes the name of its default registry into every lock file; it is a constant, not the address that is asked.
CARGO_SOURCE = "registry+https://github.com/rust-lang/crates." + "io-index"


def tracked(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    return sorted(name for name in listed.stdout.splitlines() if (root / name).is_file())


def check_text(name, text):
    """Yields one message per broken rule of a single file."""
    suffix = Path(name).suffix
    lines = text.splitlines()
    is_lock = Path(name).name in ("package-lock.json", "Cargo.lock", "requirements.txt", "lock.json", "node.lock")
    for number, line in enumerate(lines, 1):
        if LATER.search(line) and not is_lock:
            yield f"{name}:{number}: a note for later: {line.strip()[:80]}"
        if MACHINE.search(line) and not is_lock:
            yield f"{name}:{number}: a path of one machine: {line.strip()[:80]}"
        if REGISTRY.search(line.replace(CARGO_SOURCE, "")):
            yield f"{name}:{number}: names a package registry: {line.strip()[:80]}"
    if suffix in SOURCES and len(lines) > MAX_LINES:
        yield f"{name}: {len(lines)} lines, at most {MAX_LINES}"
    if suffix == ".hpp" and not text.startswith("//"):
        yield f"{name}: a header opens with a comment that says what it is"


def check_tests(root, names):
    """Yields tests that no CMakeLists.txt builds."""
    for name in names:
        path = Path(name)
        if path.name.endswith(("_test.cpp", "_fuzz.cpp")):
            lists = root / path.parent / "CMakeLists.txt"
            if not lists.is_file() or not re.search(rf"\b{re.escape(path.name)}\b", lists.read_text()):
                yield f"{name}: not named in {path.parent}/CMakeLists.txt"


def check_tree(root):
    names = tracked(root)
    problems = list(check_tests(root, names))
    for name in names:
        if "/corpus/" in name or "/golden/" in name:
            continue
        try:
            problems += check_text(name, (root / name).read_text())
        except UnicodeDecodeError:
            continue
    return problems, len(names)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    problems, files = check_tree(root)
    print("\n".join(problems + [f"check_repo: {files} files, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
