"""The client ports of NATS, tried before a member is stopped."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.clusters.finding import Finding
from gapless.errors import HostFault
from gapless.testing.virtual_time import run_virtual

from .nats_words import Told, World, single

SYSTEM = {"user": "sys", "password": "env:NATS_SYSTEM"}
APP = {"user": "app", "password": "env:NATS_APP"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("NATS_SYSTEM", "sys-secret")
    monkeypatch.setenv("NATS_APP", "app-secret")
    return World.of_three()


def unsafe(world: World, *members: str, **config: Any) -> dict[str, Finding]:
    async def asked() -> tuple[Finding, ...]:
        driver = world.driver(**config)
        return await driver.unsafe(await driver.topology(), members)

    return {finding.code: finding for finding in run_virtual(asked())}


def test_a_member_is_tried_before_it_is_stopped(world: World) -> None:
    assert unsafe(world, "n1", "n2", "n3", system=SYSTEM, accounts={"$G": APP}) == {}
    assert sorted(host for host, _ in world.said) == sorted(2 * ["host-n1", "host-n2", "host-n3"])
    assert not any("PUB" in said for _, said in world.said), "nothing is ordered for that"
    assert "app-secret" in world.said[-1][1] or "sys-secret" in world.said[-1][1]


def test_a_port_without_clients_speaks_against_it(world: World) -> None:
    world.closed = {"host-n3"}
    found = unsafe(world, "n3")["no-clients"]
    assert found.where == "n3" and "though its monitoring port answers" in found.what
    assert unsafe(world, "n1", "n2") == {}
    world.closed, world.at("n3").info = set(), {"ldm": True}
    assert set(unsafe(world, "n3")) == {"lame-duck"}


def test_a_login_that_is_refused_speaks_against_it(world: World) -> None:
    world.at("n1").shut = "Authorization Violation"
    found = unsafe(world, "n1", accounts={"$G": APP})["login-refused"]
    assert "'app'" in found.what and "Authorization Violation" in found.what
    assert "app-secret" not in repr(found)
    world.at("n3").shut = "Authorization Violation"
    assert set(unsafe(world, "n3")) == {"login-refused"}, "it may be elected before its turn"
    for one in world.servers.values():
        one.jsz = lambda jsz=one.jsz: {**jsz(), "account_details": []}  # type: ignore[method-assign, misc]
    assert unsafe(world, "n3") == {}, "it has no part in what can be told, so it is told nothing"


def test_a_server_that_is_not_believed_speaks_against_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> bytes:
        raise HostFault("no TLS with 127.0.0.1:4222: self-signed certificate", where="host-n1")

    monkeypatch.setattr(Told, "_client", refuse)
    found = unsafe(world, "n1", client_tls={})["login-refused"]
    assert "self-signed certificate" in found.what and "'client_tls'" in found.next
    assert set(unsafe(world, "n3", client_tls={})) == {"login-refused"}


def test_a_server_that_wants_tls_speaks_against_it(world: World) -> None:
    world.at("n1").info = {"tls_required": True}
    assert "'client_tls'" in unsafe(world, "n1")["login-refused"].next
    assert unsafe(world, "n1", client_tls={}) == {}


def test_an_account_without_a_user_speaks_against_it(world: World) -> None:
    other = single("PAID", cluster={"leader": "n1", "replicas": [{"name": "n2"}, {"name": "n3"}]})
    for one in world.servers.values():
        replicas = [{"name": n, "current": True} for n in ("n1", "n2", "n3") if n != one.name]
        held = {**other, "config": {"num_replicas": 3}}
        account = {"id": "SHOP", "stream_detail": [
            {**held, "cluster": {"leader": "n1", "replicas": replicas}}]}  # fmt: skip
        one_jsz = one.jsz
        one.jsz = lambda one_jsz=one_jsz, account=account: _with(one_jsz(), account)  # type: ignore[method-assign, misc]
    found = unsafe(world, "n1")["no-login"]
    assert found.where == "SHOP > PAID" and "'accounts'" in found.next
    assert not run_virtual(world.driver().topology()).groups["SHOP > PAID"].movable
    assert unsafe(world, "n2") == {}
    assert unsafe(world, "n1", accounts={"SHOP": APP}) == {}


def _with(jsz: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    return {**jsz, "account_details": [*jsz["account_details"], account]}


def test_another_process_on_the_client_port_is_never_good_enough(world: World) -> None:
    world.at("n1").info = {"server_id": "SOMEBODY"}
    found = unsafe(world, "n1")["another-server"]
    assert found.absolute and "SOMEBODY" in found.evidence


def test_what_it_alone_has_speaks_against_it(world: World) -> None:
    world.at("n2").streams = [single()]
    assert set(unsafe(world, "n2")) == {"single-replica"} and unsafe(world, "n1", "n3") == {}
    world.down = {"host-n2"}
    assert unsafe(world, "n2") == {}, "a silent one is told of by the topology"
