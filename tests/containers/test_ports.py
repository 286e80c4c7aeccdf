"""Projects that publish a port of the host."""

from __future__ import annotations

import urllib.request

from tests.ports import free_port

from .shop import Shop


def answer(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/version", timeout=5) as reply:
        return str(reply.read().decode())


def test_a_pair_of_ports_is_one_for_each_copy(shop: Shop) -> None:
    one, other = free_port(), free_port()
    shop.service["ports"] = ["127.0.0.1:${WEB_PORT}:8080"]
    port = f"{{slot:{one}|{other}}}"
    shop.compose |= {"environment": {"WEB_PORT": port}, "reach": "host"}
    shop.settings["health"] = {"http": f"http://127.0.0.1:{port}/health"}
    shop.write()
    shop.run("deploy", "--yes", "--reason", "first")
    assert answer(one) == "1"
    shop.write(VERSION="2")
    shop.run("deploy", "--yes", "--reason", "second")
    assert answer(other) == "2"
    assert len(shop.containers()) == 1
    assert "othing to do" in shop.run("deploy", "--yes")


def test_a_fixed_port_is_refused_and_replaced_in_place_where_that_is_asked_for(shop: Shop) -> None:
    port = free_port()
    shop.service["ports"] = [f"127.0.0.1:{port}:8080"]
    shop.compose["reach"] = "host"
    shop.settings["health"] = {"http": f"http://127.0.0.1:{port}/health?{{slot}}"}
    shop.write()
    shop.up()
    shop.write(VERSION="2")
    before = shop.ids()
    told = shop.run("deploy", "--yes", "--reason", "second", check=3)
    assert f"port {port} of the host can be published but once" in told
    assert shop.ids() == before
    shop.settings["health"] = {"http": f"http://127.0.0.1:{port}/health"}
    shop.settings["rollout"] = {"strategy": "rolling"}
    shop.write()
    shop.run("deploy", "--yes", "--reason", "second")
    assert answer(port) == "2"
    shop.run("rollback", "web", "--yes", "--reason", "back")
    assert answer(port) == "1"
    assert len(shop.containers()) == 1
