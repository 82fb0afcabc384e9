"""kill -9 of the server: nothing that it started outlives it, also not the display, which is no browser's child."""

import pytest
from support.kinds import group
from support.processes import kill_hard
from support.waiting import eventually


@pytest.mark.long
def test_a_killed_server_leaves_nothing(launch):
    server = launch(pool__browsers=f"{group('webkitgtk')};{group('firefox')}", pool__connect_timeout="60s").start()
    eventually("both are there", 60, lambda: server.ready_workers() == 2)
    kill_hard(server.pid)
    server.wait_exit(5)
    server.wait_gone(15)
    eventually("the profiles are gone", 5, lambda: list((server.folder / "profiles").iterdir()) == [])
