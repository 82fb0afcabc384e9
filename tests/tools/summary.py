#!/usr/bin/env python3
"""Adds up the JUnit files of all test runners and closes with `N passed, N failed, N skipped`.

Exit status 1 when a test failed, when a test was skipped without leave (allowed_skips.txt), or when a section ran no
test or ended badly without naming a test. What failed and passed when it was tried once more (again.xml, or a folder
"again") is named, and fails when there is more of it than SECOND_TRIES.
"""

import argparse
import collections
import fnmatch
import sys
import xml.etree.ElementTree as xml
from pathlib import Path


SECOND_TRIES = 2


def results_of(folder):
    """Yields (name, outcome, message) of every test case below the folder; "again" for one that its second try mended."""
    files = list(folder.rglob("*.xml"))
    again = [path for path in files if path.name == "again.xml" or path.parent.name == "again"]
    first = list(read(path for path in files if path not in again))
    known = {name: outcome for name, outcome, _ in first}
    second = list(read(again))
    # A test that the first run gave no result of ended it.
    first += [(name, "failed", "no result at the first try") for name, _, _ in second if name not in known]
    mended = [name for name, outcome, _ in second if outcome == "passed" and known.get(name, "failed") == "failed"]
    for name, outcome, message in first:
        is_mended = outcome == "failed" and name in mended and len(mended) <= SECOND_TRIES
        yield name, "again" if is_mended else outcome, message


def read(paths):
    for path in sorted(paths):
        try:
            cases = list(xml.parse(path).getroot().iter("testcase"))
        except xml.ParseError as error:
            yield str(path.name), "failed", f"unreadable result file: {error}"
            continue
        for case in cases:
            name = f"{case.get('classname', '')}.{case.get('name', '')}"
            bad = [child for child in case if child.tag in ("failure", "error")]
            skip = case.find("skipped")
            if bad:
                yield name, "failed", (bad[0].get("message") or bad[0].text or "").strip()
            elif skip is not None or case.get("status") == "notrun" or case.get("result") == "skipped":
                yield name, "skipped", ((skip.get("message") or skip.text or "") if skip is not None else "disabled").strip()
            else:
                yield name, "passed", ""


def allowed_patterns(path):
    lines = [line.strip() for line in path.read_text().splitlines()]
    pairs = [line.partition(" # ") for line in lines if line and not line.startswith("#")]
    for pattern, _, reason in pairs:
        if not reason.strip():
            raise SystemExit(f"{path}: {pattern!r} gives no reason")
    return [pattern.strip() for pattern, _, _ in pairs]


def summarise(folder, allowed, sections, failed_sections):
    """Returns (lines to print, counter)."""
    count, lines, per_section = collections.Counter(), [], {}
    for group in sorted(path for path in folder.iterdir() if path.is_dir()):
        here = collections.Counter()
        for name, outcome, message in results_of(group):
            if outcome == "skipped" and not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed):
                outcome, message = "failed", f"skipped without leave: {message}"
            here["passed" if outcome == "again" else outcome] += 1
            if outcome != "passed":
                word = "passed at the second try" if outcome == "again" else outcome
                lines.append(f"  {word}: {group.name}: {name}: {message.splitlines()[0][:160] if message else ''}")
        per_section[group.name] = here
        count += here
    for section in sections:
        here = per_section.get(section, collections.Counter())
        if section in failed_sections and not here["failed"]:
            lines.append(f"  failed: {section}: the section ended badly; see build/logs")
            count["failed"] += 1
        elif not sum(here.values()):
            lines.append(f"  failed: {section}: no test ran")
            count["failed"] += 1
    return lines, count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("allowed", type=Path)
    parser.add_argument("--sections", nargs="*", default=[])
    parser.add_argument("--failed", nargs="*", default=[])
    args = parser.parse_args()
    lines, count = summarise(args.results, allowed_patterns(args.allowed), args.sections, args.failed)
    print("\n".join(lines + [f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped"]))
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
