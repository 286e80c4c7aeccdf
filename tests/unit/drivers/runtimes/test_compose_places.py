"""Commands and findings for one of several instances of a compose service on a host."""

from __future__ import annotations

import asyncio
from typing import Any

from gapless.config.compose_service import ComposeConfig
from gapless.drivers.runtimes.compose import ComposePair
from gapless.model import InstanceState
from tests.unit.drivers.runtimes.test_compose_commands import OURS, Host, container, failing, of


def at(place: int, **config: Any) -> ComposePair:
    """One of three."""
    settings = {"directory": "/srv/shop", "replicas": 3, **config}
    made = ComposeConfig.model_validate(settings)
    return ComposePair(made, "web", folder="/srv/shop", place=place)


def numbered(number: int, *, place: int = 0) -> dict[str, Any]:
    """A container of compose, of a place of ours where one is given."""
    ours = {**OURS, "gapless.slot": "a", "gapless.number": str(place)} if place else {}
    compose = {"com.docker.compose.container-number": str(number)}
    return container(number, labels={**compose, **ours})


THREE = tuple(numbered(number) for number in (1, 2, 3))


def test_a_new_copy_says_where_it_is_and_beside_whom() -> None:
    runtime = at(2, environment={"WEB_PORT": "80{number}{slot:1|2}"})
    made = asyncio.run(runtime.copy("b").replacement(of(Host(*THREE, replicas=3)), {}, False))
    (command,) = made.commands
    own = "gapless.service=web gapless.number=2 gapless.slot=b gapless.generation=1"
    assert f"-- {own} gapless.beside={'2' * 64} --" in str(command)
    assert command.env == {"WEB_PORT": "8022"}
    known = Host(*THREE[:1], numbered(2, place=2), THREE[2], replicas=3)
    (again,) = asyncio.run(at(2).copy("b").replacement(of(known), {}, False)).commands
    assert "gapless.beside" not in str(again)


def test_the_others_of_a_host_are_not_its_copies() -> None:
    host = Host(*THREE, replicas=3)
    assert not failing(host, at(2))
    assert asyncio.run(at(2).observe(of(host))).detail["container"] == "shop-web-2"
    assert "gapless.number=2" in at(2).copy("a").end_by_hand()


def test_one_that_is_missing_is_none_and_one_too_many_is_named() -> None:
    less = Host(*THREE[:2], replicas=3)
    assert asyncio.run(at(3).observe(of(less))).state is InstanceState.MISSING
    assert [v.answer for v in failing(less, at(3))] == ["there is none"]
    (more,) = failing(Host(*THREE, numbered(4), replicas=3), at(1))
    assert more.answer == "shop-web-4 besides the 3"
    assert "docker rm --force shop-web-4" in more.wanted


def test_the_line_is_told_that_makes_both_mean_the_same() -> None:
    (verdict,) = failing(Host(*THREE), at(1))
    assert (verdict.check, verdict.answer) == ("replicas", "1 replicas")
    assert verdict.wanted == "3; compose: {replicas: 1} here, or there: deploy: {replicas: 3}"
