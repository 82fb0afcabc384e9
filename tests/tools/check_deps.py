#!/usr/bin/env python3
"""Checks the dependency order of the folders (deps.txt) against every #include and every TypeScript import."""

import argparse
import posixpath
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
IMPORT = re.compile(r"""(?:\bfrom|\bimport|\bimport\s*\()\s*["'](\.[^"']*)["']""")
CPP = {".cpp", ".hpp", ".h", ".cc"}
TS = {".ts", ".mts"}
ROOTS = ("server", "engine", "tests", "browser_agent/src")
GENERATED = (".pb.h", ".grpc.pb.h")


def read_rules(path):
    """Returns ({folder: allowed folders}, {library: (allowed folders, forbidden folders)})."""
    folders, libraries = {}, {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        name, colon, rest = line.partition(":")
        if not colon:
            raise SystemExit(f"{path}:{number}: expected `name: names`")
        names = rest.split()
        if name.startswith("<"):
            libraries[name.strip("<>")] = ([n for n in names if n[0] != "!"], [n[1:] for n in names if n[0] == "!"])
        else:
            folders[name] = names
    return folders, libraries


def is_below(path, folder):
    return path == folder or path.startswith(folder + "/")


def owner_of(path, folders):
    return max((folder for folder in folders if is_below(path, folder)), key=len, default=None)


def targets_of(path, text):
    """Yields (line number, what the file includes, whether it is one of our files)."""
    if Path(path).suffix in CPP:
        for match in INCLUDE.finditer(text):
            yield text.count("\n", 0, match.start(2)) + 1, match[2], match[1] == '"'
    else:
        for match in IMPORT.finditer(text):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
            yield text.count("\n", 0, match.start(1)) + 1, re.sub(r"\.[mj]?[jt]s$", "", target), True


def check_file(path, text, folders, libraries):
    """Yields one message per violation. `path` is relative to the repository."""
    owner = owner_of(str(Path(path).with_suffix("")) if Path(path).suffix in TS else path, folders)
    if owner is None:
        yield f"{path}: its folder is not listed in deps.txt"
        return
    allowed = [owner, *folders[owner]]
    for line, target, is_ours in targets_of(path, text):
        if is_ours and target.startswith(ROOTS) and not target.endswith(GENERATED):
            if not any(is_below(target, folder) for folder in allowed):
                yield f"{path}:{line}: {owner} may not include {target}"
            continue
        for library, (only, never) in libraries.items():
            if not (is_below(target, library) or target == library + ".hpp"):
                continue
            if (only and not any(is_below(path, folder) for folder in only)) or any(is_below(path, f) for f in never):
                yield f"{path}:{line}: {owner} may not include <{target}>"


def check_tree(root, rules):
    folders, libraries = read_rules(rules)
    problems, files = [], 0
    for top in ROOTS:
        for path in sorted((root / top).rglob("*")):
            relative = path.relative_to(root).as_posix()
            if path.suffix not in CPP | TS or "node_modules" in path.parts or "/target/" in relative:
                continue
            files += 1
            problems += check_file(relative, path.read_text(), folders, libraries)
    return problems, files


def main():
    here = Path(__file__).resolve()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=here.parents[2])
    parser.add_argument("--rules", type=Path, default=here.with_name("deps.txt"))
    args = parser.parse_args()
    problems, files = check_tree(args.root, args.rules)
    print("\n".join(problems + [f"check_deps: {files} files, {len(problems)} violations"]))
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
