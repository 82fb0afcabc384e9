"""Devices that join by URL: a real browser opens the join page, becomes a worker, pauses, leaves, and comes back as itself."""

import json
import subprocess

import pytest
from support.device import Device
from support.embeddings import infer, rows, states, tokens_that_take
from support.load import Load
from support.server import binary, environment
from support.waiting import eventually

TOKENS = "/admin/v1/join/tokens"
OURS = "headless_shell/0"


@pytest.fixture(scope="module")
def server(launch):
    return launch(pool__browsers="kind=headless_shell,backends=wasm,threads=1", join__enabled="true", join__bind="127.0.0.1",
                  join__port="0").start()


@pytest.fixture
def device(tmp_path):
    made = []

    def make(**settings):
        made.append(Device(tmp_path / f"device-{len(made)}", insecure_certificates=True, **settings))
        return made[-1]

    yield make
    for found in made:
        found.end()


def token(server, **wanted):
    answer = server.post(TOKENS, {"name": "a test", **wanted})
    assert answer.status == 200, answer
    return answer.json()


def devices(server):
    return {worker["slot"]: worker for worker in server.get("/admin/v1/workers").json()["workers"] if worker["kind"] == "device"}


def joined(server, state="ready"):
    return eventually(f"a device is {state}", 40,
                      lambda: next((slot for slot, worker in devices(server).items() if worker["state"] == state), None))


def gone(server):
    eventually("no device is left", 15, lambda: not devices(server))


def shoal(server, *words, status=0):
    done = subprocess.run([str(binary()), "join", "--server", f"http://{server.http}", *words], capture_output=True, text=True,
                          timeout=30, env=environment(server.folder), check=False)
    assert done.returncode == status, done
    return done.stdout if status == 0 else done.stderr


def test_a_device_joins_works_and_leaves(server, device, seed):
    made = token(server, backends=["wasm"])
    assert made["url"].endswith("#token=" + made["secret"])
    phone = device().open(made["url"])
    slot = joined(server)
    assert slot.startswith("device/")
    phone.wait_state("Ready", "Working")
    assert phone.run("return location.href").endswith("/join"), "the secret has left the address bar"
    worker = devices(server)[slot]
    assert (worker["tier"], worker["backends"], worker["takes_work"]) == ("untrusted", ["wasm"], True)

    row = rows(seed, 1, 16)[0]
    here = infer(server, row)
    assert here.json()["parameters"]["shoal_tier"] == "trusted"
    there = infer(server, row, shoal_worker=slot, shoal_trust="untrusted")
    assert there.status == 200, there
    assert there.json()["parameters"]["shoal_worker"] in (slot, OURS)
    assert abs(states(here) - states(there)).max() < 1e-3
    refused = infer(server, row, shoal_worker=slot)
    assert refused.status == 503 and "untrusted" in refused.json()["error"], refused
    eventually("the page counts", 10, lambda: int(phone.text("runs")) >= 1)

    phone.click("leave")
    phone.wait_state("You have left")
    gone(server)
    assert infer(server, row, shoal_worker=slot, shoal_trust="untrusted").status == 404
    assert infer(server, row).status == 200


# A phone is Debian's Chromium in its mobile emulation; the others are as their owners have them.
@pytest.mark.parametrize("kind", ["phone", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("firefox", "webkitgtk"))])
def test_any_browser_joins(server, device, seed, kind):
    guest = device(kind=kind).open(token(server, backends=["wasm", "webgpu"])["url"])
    slot = joined(server)
    guest.wait_state("Ready", "Working")
    row = rows(seed, 1, 16)[0]
    infer(server, row)
    # Its own answer, not that of the worker which checks it: on trial it is asked alone.
    answers = [infer(server, row, shoal_worker=slot, shoal_trust="untrusted") for _ in range(8)]
    assert all(answer.status == 200 for answer in answers), answers
    assert any(answer.json()["parameters"]["shoal_worker"] == slot for answer in answers)
    assert all(abs(states(answer) - states(infer(server, row))).max() < 1e-3 for answer in answers)
    guest.click("leave")
    guest.wait_state("You have left")
    gone(server)


def test_a_device_that_goes_without_a_word_loses_nothing(server, device, seed):
    phone = device().open(token(server)["url"])
    joined(server)
    made = rows(seed, 30, tokens_that_take(server, 0.08, seed))
    load = Load(server, made, demand={"shoal_trust": "untrusted"}).start(waiting=8)
    phone.end()
    outcomes = load.join()
    assert all(outcome.ok for outcome in outcomes), [outcome.answer for outcome in outcomes if not outcome.ok]
    gone(server)


def test_a_paused_device_gives_its_work_back_and_is_given_none(server, device, seed):
    phone = device().open(token(server)["url"])
    slot = joined(server)
    made = rows(seed, 40, tokens_that_take(server, 0.08, seed))
    load = Load(server, made, demand={"shoal_trust": "untrusted"}).start(waiting=10)
    phone.click("pause")
    phone.wait_state("Paused")
    assert joined(server, "paused") == slot, "the page knows it before the server does"
    assert devices(server)[slot]["takes_work"] is False
    outcomes = load.join()
    assert all(outcome.ok for outcome in outcomes), [outcome.answer for outcome in outcomes if not outcome.ok]
    for row in made[:4]:
        assert infer(server, row, shoal_trust="untrusted").json()["parameters"]["shoal_worker"] == OURS
    phone.click("pause")
    phone.wait_state("Ready", "Working")
    assert joined(server) == slot
    assert infer(server, made[0], shoal_trust="untrusted", shoal_worker=slot).status == 200
    phone.end()
    gone(server)


def test_a_hidden_page_pauses(server, device):
    phone = device().open(token(server)["url"])
    joined(server)
    phone.run("Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});"
              "document.dispatchEvent(new Event('visibilitychange'))")
    phone.wait_state("Paused")
    joined(server, "paused")
    phone.run("delete document.visibilityState; document.dispatchEvent(new Event('visibilitychange'))")
    phone.wait_state("Ready")
    joined(server)
    phone.end()
    gone(server)


def test_a_device_comes_back_as_itself_and_nobody_else_does(server, device):
    made = token(server)
    phone = device().open(made["url"])
    slot = joined(server)
    phone.run("location.reload()")
    gone(server)
    assert joined(server) == slot, "the same device, the same name"
    thief = device().open(made["url"])
    thief.wait_state("Not let in")
    assert "one device" in thief.text("detail")
    assert list(devices(server)) == [slot]
    phone.end()
    gone(server)


def test_revoking_disconnects(server, device):
    made = token(server, long_lived=True)
    phone = device().open(made["url"])
    joined(server)
    assert shoal(server, "revoke", made["token"]["id"]) == f"{made['token']['id']} is revoked\n"
    phone.wait_state("Not let in")
    assert "revoked" in phone.text("detail")
    gone(server)


def test_the_command_line(server):
    url = shoal(server, "create", "a phone", "--backends", "wasm+webgpu", "--hours", "2").strip()
    assert "/join#token=" in url
    listed = json.loads(shoal(server, "--json"))["tokens"]
    mine = next(found for found in listed if found["name"] == "a phone")
    assert mine["backends"] == ["wasm", "webgpu"] and mine["state"] == "usable" and mine["tier"] == "untrusted"
    text = shoal(server, "list")
    assert text.splitlines()[0].split()[:3] == ["TOKEN", "NAME", "STATE"] and mine["id"] in text
    assert "no join token 'nobody'" in shoal(server, "revoke", "nobody", status=1)
    assert "tier" in server.post(TOKENS, {"name": "x", "tier": "royal"}).json()["error"]
    secret = url.partition("token=")[2]
    stored = (server.folder / "join/tokens.json").read_text()
    assert secret not in stored and secret not in server.log_path.read_text()


def test_joining_is_off_unless_it_is_switched_on(launch):
    plain = launch(pool__browsers="kind=headless_shell,backends=wasm,threads=1").listen()
    assert plain.get("/join").status == 404
    eventually("the pool is there", 10, lambda: plain.post(TOKENS, {"name": "x"}).json()["error"].startswith("devices do not join"))
