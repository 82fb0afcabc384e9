"""Browsers that keep to the CPUs that they were given, with everything that they start."""

import os

import psutil
import pytest
from support.embeddings import infer, rows

CPUS = sorted(os.sched_getaffinity(0))


def affinities(server, slot):
    return {tuple(psutil.Process(pid).cpu_affinity()) for pids in server.workers()[slot].values() for pid in pids}


def test_a_group_keeps_to_its_cpus(launch, seed):
    server = launch(pool__browsers=f"kind=headless_shell,backends=wasm,cpus={CPUS[-1]}").start()
    assert infer(server, rows(seed, 1, 16)[0]).status == 200
    assert affinities(server, "headless_shell/0") == {(CPUS[-1],)}
    assert sorted(psutil.Process(server.pid).cpu_affinity()) == CPUS, "the server itself is where it was"


def test_a_cpu_that_is_not_there_refuses_the_start(launch):
    server = launch(pool__browsers="kind=headless_shell,cpus=1023")
    server.spawn()
    assert server.wait_exit(15) == 1
    assert "cpus=1023: this process may use" in server.tail()


@pytest.mark.parametrize("text", ["x", "3-1", ""])
def test_what_is_no_list_of_cpus_is_named(launch, text):
    server = launch(pool__browsers=f"kind=headless_shell,cpus={text}")
    server.spawn()
    assert server.wait_exit(15) != 0
    assert "cpus: expected CPUs as in 0-3+6" in server.tail()
