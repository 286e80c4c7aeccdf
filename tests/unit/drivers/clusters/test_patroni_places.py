"""Which member of Patroni runs where, though it does not say its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gapless.drivers.clusters import patroni_view
from gapless.drivers.clusters.patroni_places import places
from gapless.drivers.clusters.patroni_sight import Sight
from gapless.drivers.clusters.patroni_view import Listed
from gapless.drivers.fill import own_name

from .patroni_words import DATE, said, sight

HOSTS = ("db1", "db2", "db3")
MEMBERS = tuple(
    Listed(f"m{n}", url=f"http://10.0.0.{n}:8008/patroni", host=f"10.0.0.{n}") for n in (1, 2, 3)
)


def sights(url: str = "http://127.0.0.1:8008") -> list[Sight]:
    return [
        replace(sight(f"pg{host[-1]}"), host=host, url=url.replace("{}", host[-1]))
        for host in HOSTS
    ]


def placed(
    seen: list[Sight], members: tuple[Listed, ...] = MEMBERS,
    names: dict[str, str] | None = None, address: Callable[[str], str] = own_name,
) -> dict[str, str]:  # fmt: skip
    return places(seen, members, names or {}, address)


ALL = {"db1": "m1", "db2": "m2", "db3": "m3"}


def test_the_address_that_was_asked_is_that_of_the_member() -> None:
    assert placed(sights("http://10.0.0.{}:8008")) == ALL


def test_the_port_tells_two_members_of_one_machine_apart() -> None:
    members = tuple(Listed(f"m{n}", url=f"http://10.0.0.9:800{n}/patroni") for n in (1, 2, 3))
    assert placed(sights("http://10.0.0.9:800{}"), members) == ALL


def test_the_address_of_the_host_is_that_of_the_member() -> None:
    assert placed(sights(), address=lambda host: f"10.0.0.{host[-1]}") == ALL


def test_the_host_is_called_like_the_member() -> None:
    members = tuple(Listed(f"db{n}.shop.example") for n in (1, 2, 3))
    assert placed(sights(), members) == {f"db{n}": f"db{n}.shop.example" for n in (1, 2, 3)}


def test_what_is_given_or_said_comes_first() -> None:
    seen = sights("http://10.0.0.{}:8008")
    about = {"version": "4.0.0", "scope": "shop", "name": "m3"}
    seen[0] = replace(seen[0], status=patroni_view.status(said("pg1", patroni=about), DATE))
    assert placed(seen)["db1"] == "m3"
    assert placed(seen, names={"db1": "m2"})["db1"] == "m2"


def test_the_last_one_is_on_the_last_host() -> None:
    assert placed(sights(), names={"db1": "m1", "db2": "m2"}) == ALL


def test_an_address_that_all_share_tells_nothing() -> None:
    members = tuple(replace(one, host="127.0.0.1") for one in MEMBERS)
    assert placed(sights(), members) == {}
    assert placed(sights(), members, address=lambda _: "127.0.0.1") == {}
    members = tuple(replace(one, host="10.0.0.9", url="") for one in MEMBERS)
    assert placed(sights(), members, address=lambda _: "10.0.0.9") == {}
