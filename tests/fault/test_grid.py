"""Browsers of a Selenium Grid: kept from being reaped, given back when lost, and missed when the grid itself dies."""

import time

import pytest
from support.embeddings import infer, rows
from support.kinds import Grid
from support.load import Load
from support.processes import kill_hard
from support.waiting import eventually

SESSION_TIMEOUT_S = 10
DEADLINE_S = 60
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture
def grid(tmp_path):
    grid = Grid(tmp_path / "grid", SESSION_TIMEOUT_S)
    try:
        yield grid.start()
    finally:
        grid.destroy()


@pytest.fixture
def server(launch, grid):
    made = launch(pool__browsers=grid.group("headless_shell", "3s", threads="1"), pool__connect_timeout="20s",
                  models__warm_up="default").start(90)
    yield made
    if made.running():
        made.stop()


def whole(server, seconds=90):
    eventually("the worker is back", seconds, lambda: server.ready_workers() == 1, every=0.1)


def answered(load):
    outcomes = load.join()
    assert all(outcome.ok for outcome in outcomes), [outcome for outcome in outcomes if not outcome.ok]


def test_an_idle_worker_is_not_reaped_and_is_given_back(grid, server, seed):
    end = time.monotonic() + 3 * SESSION_TIMEOUT_S
    while time.monotonic() < end:
        assert server.ready_workers() == 1
        time.sleep(0.5)
    assert server.events("worker_lost") == []
    assert infer(server, rows(seed, 1, 8)[0]).status == 200
    assert grid.sessions() == 1
    server.stop()
    eventually("its session is deleted", 3, lambda: grid.sessions() == 0)


def test_a_lost_browser_frees_its_place_at_once(grid, server, seed):
    """The grid would notice only after its session timeout; the place is needed for the next browser."""
    made = rows(seed, 8, 64)
    load = Load(server, made, DEADLINE_S).start(waiting=0)
    kill_hard(grid.browser().pid)
    server.wait_event("worker_lost", 10)
    whole(server, SESSION_TIMEOUT_S - 2)
    answered(load)
    assert grid.sessions() == 1
    assert len(server.events("browser_launched")) == 2


def test_a_killed_driver(grid, server, seed):
    made = rows(seed, 8, 64)
    driver = eventually("the node has a driver", 20, lambda: next((found for found in grid.tree() if found.role == "driver"), None))
    load = Load(server, made, DEADLINE_S).start(waiting=0)
    kill_hard(driver.pid)  # its browser lives on and serves
    answered(load)
    whole(server)


def test_a_killed_hub_is_not_needed_for_work(grid, server, seed):
    kill_hard(grid.hub.pid)
    grid.hub.wait()
    load = Load(server, rows(seed, 8, 64), DEADLINE_S).start(waiting=0)
    answered(load)
    server.wait_event("remote_session_unattended", 15)
    assert server.events("worker_lost") == []
    grid.start_hub()
    eventually("the grid is ready", 60, grid.is_ready, every=0.2)
    # The new hub does not know the session: the node ends it, and the next one begins.
    server.wait_event("worker_lost", 60)
    whole(server)
    assert infer(server, rows(seed, 1, 8)[0]).status == 200


def test_a_killed_node_comes_back(grid, server, seed):
    browser = grid.browser()
    kill_hard(grid.node.pid)
    grid.node.wait()
    # An orphan that nobody can end by WebDriver any more still serves; then it goes too.
    assert infer(server, rows(seed, 1, 8)[0]).status == 200
    kill_hard(browser.pid)
    server.wait_event("worker_lost", 10)
    load = Load(server, rows(seed, 4, 64), 120).start(waiting=0)
    grid.start_node()
    answered(load)
    whole(server)
