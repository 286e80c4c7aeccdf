"""The controller is killed in the middle: one command, one container, nothing lost."""

from __future__ import annotations

import pytest

from tests.lab.load import Load

from .shop import Shop

RATE = 50


@pytest.mark.parametrize(
    ("kind", "step", "command", "version"),
    [
        ("step.started", "switch", "abort", "1"),
        ("step.succeeded", "admit", "abort", "1"),
        ("step.started", "retire", "abort", "1"),
        ("step.started", "switch", "resume", "2"),
        ("step.started", "retire", "resume", "2"),
    ],
)
def test_one_command_ends_what_a_dead_controller_left(
    shop: Shop, kind: str, step: str, command: str, version: str
) -> None:
    proxy = shop.behind_haproxy()
    shop.run("deploy", "--yes", "--reason", "first")
    with Load(proxy.url, rate=RATE, keep_alive=False) as load:
        shop.write(VERSION="2")
        controller = shop.start("deploy", "--yes", "--reason", "second")
        try:
            shop.wait_for(kind, step)
        finally:
            controller.kill()
            controller.wait()
        told = shop.run(command, check={"abort": 4, "resume": 0}[command])
        assert shop.answer() == version, told
    shop.lost_nothing(load)
    assert len(shop.containers()) == 1
