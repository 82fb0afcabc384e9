"""Each check finds a violation that is planted for it, and is content with the same thing done right."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import check_deps
import check_docs
import check_repo
import summary


@pytest.fixture(scope="module")
def rules():
    return check_deps.read_rules(HERE / "deps.txt")


@pytest.mark.parametrize("path, text", [
    ("server/core/a.cpp", '#include "server/net/http.hpp"'),
    ("server/schedule/a.cpp", "#include <boost/asio/post.hpp>"),
    ("server/schedule/a.cpp", "#include <boost/asio.hpp>"),
    ("server/schedule/a.cpp", "#include <chrono>"),
    ("server/api/http/a.cpp", "#include <grpcpp/grpcpp.h>"),
    ("server/wire/a.hpp", "  #  include <thread>"),
    ("server/new_folder/a.cpp", ""),
    ("engine/core/a.hpp", '#include "server/core/log.hpp"'),
    ("browser_agent/src/protocol/a.ts", 'import { x } from "../link/outbox.js";'),
    ("browser_agent/src/page/a.ts", 'const x = await import("../engine/engine");'),
])
def test_deps_finds(rules, path, text):
    assert list(check_deps.check_file(path, text, *rules))


@pytest.mark.parametrize("path, text", [
    ("server/net/a.cpp", '#include "server/core/log.hpp"\n#include <boost/asio/post.hpp>'),
    ("server/schedule/a.cpp", '#include "server/core/clock.hpp"\n#include <vector>'),
    ("server/api/grpc/a.cpp", '#include <grpcpp/grpcpp.h>\n#include "server/api/errors.hpp"'),
    ("server/wire/a.cpp", '#include "shoal/agent/v1/agent.pb.h"'),
    ("browser_agent/src/link/a.ts", 'import { x } from "../protocol/frame.js";\nimport y from "ws";'),
])
def test_deps_accepts(rules, path, text):
    assert not list(check_deps.check_file(path, text, *rules))


@pytest.mark.parametrize("text", ["`server/nowhere.cpp`", "[x](gone.md)", "[x](#no-such-part)", "`server/{core,none}/a.hpp`"])
def test_docs_finds(tmp_path, text):
    (tmp_path / "server/core").mkdir(parents=True)
    (tmp_path / "server/core/a.hpp").write_text("")
    (tmp_path / "README.md").write_text(f"# Top\n{text}\n")
    assert list(check_docs.check_file(tmp_path, tmp_path / "README.md", {"server"}))


@pytest.mark.parametrize("text", [
    "`server/core/a.hpp:12`", "`server/*/a.hpp`", "[x](server/core/a.hpp)", "[x](#the-top)", "`a/b`", "```\nserver/none\n```"])
def test_docs_accepts(tmp_path, text):
    (tmp_path / "server/core").mkdir(parents=True)
    (tmp_path / "server/core/a.hpp").write_text("")
    (tmp_path / "README.md").write_text(f"# The top\n{text}\n")
    assert not list(check_docs.check_file(tmp_path, tmp_path / "README.md", {"server"}))


@pytest.mark.parametrize("name, text", [
    ("a.cpp", "// TO" + "DO later"),
    ("a.py", "open('/ho" + "me/me/x')"),
    ("package-lock.json", '"reso' + 'lved": "x"'),
    ("a.cpp", "\n" * 401),
    ("a.hpp", "#pragma once"),
])
def test_repo_finds(name, text):
    assert list(check_repo.check_text(name, text))


def test_repo_finds_a_test_that_is_not_built(tmp_path):
    (tmp_path / "CMakeLists.txt").write_text("shoal_test(NAME b_test SOURCES b_test.cpp)")
    assert list(check_repo.check_tests(tmp_path, ["a_test.cpp", "b_test.cpp"])) == ["a_test.cpp: not named in ./CMakeLists.txt"]


def junit(folder, cases):
    folder.mkdir(parents=True)
    (folder / "x.xml").write_text(f"<testsuite>{cases}</testsuite>")


def test_summary_counts_and_refuses_unknown_skips(tmp_path):
    junit(tmp_path / "unit", '<testcase classname="A" name="ok"/><testcase classname="A" name="bad"><failure message="m"/></testcase>'
          '<testcase classname="B" name="gpu"><skipped/></testcase><testcase classname="B" name="other"><skipped/></testcase>')
    lines, count = summary.summarise(tmp_path, ["B.gpu"], ["unit", "agent"], ["unit"])
    assert (count["passed"], count["failed"], count["skipped"]) == (1, 3, 1)
    assert any("no test ran" in line for line in lines)


def test_summary_counts_a_section_that_broke(tmp_path):
    junit(tmp_path / "unit", '<testcase classname="A" name="ok"/>')
    assert summary.summarise(tmp_path, [], ["unit"], ["unit"])[1]["failed"] == 1


def test_summary_names_what_passed_at_the_second_try_and_bears_with_two(tmp_path):
    bad = [f'<testcase classname="A" name="{name}"><failure message="m"/></testcase>' for name in "abc"]
    junit(tmp_path / "python", "".join(bad))
    again = tmp_path / "python" / "again.xml"
    tried = [f'<testcase classname="A" name="{name}"/>' for name in "ab"]
    again.write_text(f"<testsuites><testsuite>{tried[0]}{tried[1]}{bad[2]}</testsuite></testsuites>")
    lines, count = summary.summarise(tmp_path, [], ["python"], ["python"])
    assert (count["passed"], count["failed"]) == (2, 1)
    assert sum("passed at the second try: python: A." in line for line in lines) == 2
    again.write_text("<testsuite>" + "".join(tried) + '<testcase classname="A" name="c"/></testsuite>')
    assert summary.summarise(tmp_path, [], ["python"], ["python"])[1]["failed"] == 3


def test_summary_reads_a_second_try_of_whole_binaries(tmp_path):
    junit(tmp_path / "unit", '<testcase classname="A" name="ok"/><testcase classname="A" name="bad"><failure message="m"/></testcase>')
    junit(tmp_path / "unit" / "again", '<testcase classname="A" name="ok"/><testcase classname="A" name="bad"/>')
    lines, count = summary.summarise(tmp_path, [], ["unit"], [])
    assert (count["passed"], count["failed"]) == (2, 0)
    assert lines == ["  passed at the second try: unit: A.bad: m"]


def test_summary_fails_for_a_binary_that_ended_without_results_at_its_first_try(tmp_path):
    (tmp_path / "unit").mkdir()
    junit(tmp_path / "unit" / "again", "".join(f'<testcase classname="A" name="{name}"/>' for name in "abc"))
    assert summary.summarise(tmp_path, [], ["unit"], [])[1]["failed"] == 3


@pytest.mark.parametrize("name, check", [
    ("dangling", "bugprone-dangling-handle"),
    ("coroutine", "cppcoreguidelines-avoid-capturing-lambda-coroutines"),
    ("naming", "readability-identifier-naming"),
])
def test_clang_tidy_finds(name, check):
    run = subprocess.run(
        ["clang-tidy-19", f"--config-file={ROOT / '.clang-tidy'}", HERE / "planted" / f"{name}.cpp", "--", "-std=c++23"],
        capture_output=True, text=True, timeout=120)
    assert run.returncode != 0, run.stdout
    assert any(one in run.stdout for one in check.split("|")), run.stdout


def test_clang_format_finds():
    run = subprocess.run(["clang-format-19", "--dry-run", "--Werror", HERE / "planted" / "format.cpp"], capture_output=True)
    assert run.returncode != 0
