"""`shoal doctor` with the browsers of this machine: it launches them, beside whatever server runs."""

import json
import os
import subprocess

import pytest
from support.kinds import far_end
from support.server import AGENT, HOME, binary, environment


def doctor(folder, *words, **variables):
    settings = {"SHOAL_AGENT_DIR": str(AGENT), "SHOAL_POOL_HEADLESS_SHELL": str(HOME / "tools/headless_shell/headless_shell.sh")}
    done = subprocess.run([str(binary()), "doctor", *words], capture_output=True, text=True, timeout=120, cwd=folder,
                          env=environment(folder) | settings | variables, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    status, text, said = doctor(tmp_path_factory.mktemp("doctor"), "--kind", "headless_shell", "--json")
    assert status == 0, said
    return json.loads(text)


def test_headless_shell_has_all_three_backends(found):
    (kind,) = found["kinds"]
    assert kind["kind"] == "headless_shell" and kind["works"] and kind["hello"], kind
    assert kind["session"].split()[1].split(".")[0].isdigit(), "a version"
    assert "ChromeDriver" in kind["driver"]["version"]
    backends = kind["backends"]
    assert {name: (backend["usable"], backend["adapter"]) for name, backend in backends.items()} == {
        "wasm": (True, "cpu"),
        "webgpu": (True, "hardware" if found["gpu"] else "software"),
        "webnn": (True, "cpu"),
    }
    assert all(backend["gflops"] > 0 for backend in backends.values()), backends
    assert kind["wasm"]["threads"] and kind["wasm"]["cross_origin_isolated"]
    assert kind["advice"] == [] or found["gpu"]
    assert found["well"]


def test_what_is_missing_is_explained(tmp_path):
    absent = tmp_path / "absent"
    status, text, _ = doctor(tmp_path, "--kind", "headless_shell", SHOAL_POOL_HEADLESS_SHELL=str(absent))
    assert status == 1
    assert f"not there: {absent}" in text and "scripts/install_headless_shell.sh" in text


def test_a_browser_that_does_not_start_is_reported_in_its_drivers_words(tmp_path):
    status, text, _ = doctor(tmp_path, "--kind", "headless_shell", "--json", SHOAL_POOL_HEADLESS_SHELL="/bin/false")
    (kind,) = json.loads(text)["kinds"]
    assert status == 1 and not kind["works"] and kind["problem"] and kind["advice"], kind


def test_an_unknown_kind_is_refused(tmp_path):
    status, _, said = doctor(tmp_path, "--kind", "netscape")
    assert status == 2 and "there are: headless_shell" in said


def test_a_remote_end_is_asked_for_a_browser(tmp_path):
    with far_end(tmp_path) as end:
        group = f"kind=remote,url={end},browser=chromium" + (",arguments=--no-sandbox" if os.geteuid() == 0 else "")
        away = f"kind=remote,url={end},agent_url=https://shoal.example:8443/agent/"
        status, text, said = doctor(tmp_path, "--kind", "remote", "--json", SHOAL_POOL_BROWSERS=f"{group};{away}")
        here, there = json.loads(text)["kinds"]
        assert here["works"] and here["backends"]["wasm"]["usable"] and here["driver"]["path"] == end, (here, said)
        assert not there["works"] and "https://shoal.example:8443/agent/" in there["problem"], there
        assert status == 1


def test_without_a_remote_end_it_says_how_to_name_one(tmp_path):
    _, text, _ = doctor(tmp_path, "--kind", "remote", SHOAL_POOL_BROWSERS="kind=headless_shell")
    assert "kind=remote,url=" in text
