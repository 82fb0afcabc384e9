"""`shoal doctor` with the browsers of this machine: it launches them, beside whatever server runs."""

import json
import subprocess

import pytest
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
