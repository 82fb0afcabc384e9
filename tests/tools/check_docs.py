#!/usr/bin/env python3
"""Checks that what the Markdown files name is there: links to files and headings, and paths in `code`.

A path in code is checked when its first part is a top folder of the repository (`server/net/http.cpp`); `*`, `<...>`,
`{a,b}` and a line number at the end are understood. Fenced blocks are not checked.
"""

import itertools
import re
import subprocess
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+\s+(.*?)\s*#*$", re.MULTILINE)
PATH = re.compile(r"^[A-Za-z0-9_.][\w./*{},<>+-]*$")
# Made by running or building, so not in a fresh clone.
MADE = ("build/", ".shoal/", "browser_agent/dist", "browser_agent/node_modules", "browser_agent/src/generated")


def anchors_of(text):
    names = (re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()).replace(" ", "-") for heading in HEADING.findall(text))
    return set(names)


def alternatives(path):
    """`a/{b,c}.x` stands for a/b.x and a/c.x."""
    parts = re.split(r"\{([^}]*)\}", path)
    choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(choice).replace(" ", "") for choice in itertools.product(*choices)]


def exists(root, base, path):
    path = re.sub(r":\d+$", "", path).rstrip("/")
    pattern = re.sub(r"<[^>]*>", "*", path)
    if path.startswith(MADE):
        return True
    if "*" in pattern:
        return any(True for _ in root.glob(pattern))
    return (root / path).exists() or (base / path).exists()


def check_file(root, path, tops):
    text = path.read_text()
    prose = FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)
    line_of = lambda match: prose.count("\n", 0, match.start()) + 1
    name = path.relative_to(root).as_posix()
    for match in LINK.finditer(prose):
        target, _, anchor = match[1].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (path.parent / target).resolve() if target else path
        if not file.exists():
            yield f"{name}:{line_of(match)}: link to {match[1]}: no such file"
        elif anchor and file.suffix == ".md" and anchor not in anchors_of(file.read_text()):
            yield f"{name}:{line_of(match)}: link to {match[1]}: no such heading"
    for match in CODE.finditer(prose):
        for word in match[1].split():
            word = word.removeprefix("./").rstrip(",;:.")
            if "/" not in word or not PATH.match(word) or word.split("/")[0] not in tops:
                continue
            for one in alternatives(word):
                if not exists(root, path.parent, one):
                    yield f"{name}:{line_of(match)}: `{one}`: no such path"


def markdown_files(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "*.md"], capture_output=True, text=True)
    if listed.returncode == 0:
        return [root / line for line in listed.stdout.splitlines() if (root / line).is_file()]
    return [path for path in root.rglob("*.md") if not {"node_modules", "build", ".shoal"} & set(path.parts)]


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    tops = {path.name for path in root.iterdir() if path.is_dir()} | {"build", ".shoal"}
    files = markdown_files(root)
    problems = [problem for path in sorted(files) for problem in check_file(root, path, tops)]
    print("\n".join(problems + [f"check_docs: {len(files)} files, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
