"""Which client each kind of cluster has, and where it goes by default."""

from __future__ import annotations

import asyncio
import builtins
from typing import Any

import pytest

from gapless.config.clusters import KINDS, ClusterConfig
from gapless.config.hosts import HostConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.addresses import Addresses
from gapless.drivers.workloads.making import MAKERS, Wish, workload
from gapless.drivers.workloads.redis_sentinel import SentinelWorkload
from gapless.errors import UsageError
from gapless.prove.workload import Workload

_HOSTS = {name: HostConfig() for name in ("one.example", "two.example", "three.example")}
_CALLS = {"write": {"path": "/w"}, "read": {"path": "/r"}}


def made(cluster: dict[str, Any], **client: Any) -> Workload | None:
    config = ClusterConfig.model_validate(cluster)
    addresses = Addresses("store", _HOSTS, _HOSTS)
    return workload(Wish("store", config, WorkloadConfig(**client), addresses, "ab12"))


@pytest.mark.parametrize(
    ("cluster", "client", "goes", "place"),
    [
        ({"etcd": {}}, {}, "http://one.example:2379, http://two.example:2379, "
         "http://three.example:2379", "etcdctl del --prefix gapless-prove/ab12/"),
        ({"etcd": {}}, {"addresses": ("http://a:1",), "place": "us"}, "http://a:1",
         "etcdctl del --prefix us/ab12/"),
        ({"redis_sentinel": {"master": "m", "sentinels": ["two.example"]}}, {},
         "sentinels two.example:26379", "keys gapless-prove/ab12/*"),
        ({"redis_cluster": {}}, {}, "one.example:6379, two.example:6379, three.example:6379",
         "keys gapless-prove/ab12/*"),
        ({"patroni": {}}, {"database": "shop"},
         "one.example:5432, three.example:5432, two.example:5432",
         "DROP TABLE gapless_prove_ab12 in shop"),
        ({"nats": {}}, {}, "one.example:4222, two.example:4222, three.example:4222",
         "nats stream rm gapless-prove-ab12"),
        ({"rabbitmq": {"login": {"user": "u", "password": "env:X"}}}, {},
         "one.example:5672, two.example:5672, three.example:5672",
         "rabbitmqctl delete_queue gapless-prove-ab12"),
        ({"rabbitmq": {"login": {"user": "u", "password": "env:X"}}}, {"tls": {}},
         "one.example:5671, two.example:5671, three.example:5671",
         "rabbitmqctl delete_queue gapless-prove-ab12"),
        ({"kafka": {}}, {}, "one.example:9092, two.example:9092, three.example:9092",
         "kafka-topics.sh --delete --topic gapless-prove-ab12"),
        ({"zookeeper": {}}, {}, "one.example:2181, two.example:2181, three.example:2181",
         "zkCli.sh deleteall /gapless-prove-ab12"),
        ({"command": {"topology": ["tell"]}}, {**_CALLS, "addresses": ("http://a:1",)},
         "http://a:1", "/w"),
        ({"chronik": {}}, _CALLS, "http://one.example:3000, http://two.example:3000, "
         "http://three.example:3000", "/w"),
    ],
)  # fmt: skip
def test_where_it_goes(
    cluster: dict[str, Any], client: dict[str, Any], goes: str, place: str
) -> None:
    of = made(cluster, **client)
    assert of is not None
    assert [of.kind] == list(cluster) and (of.addresses, of.place) == (goes, place)


@pytest.mark.parametrize(
    ("cluster", "client", "spoken"),
    [
        ({}, None, (None, None)),
        ({"tls": {"ca": "there"}}, None, ("there", None)),
        ({"tls": {"ca": "there"}, "sentinel_tls": {"ca": "there"}}, "here", ("here", "here")),
        ({"sentinel_tls": {"ca": "there"}}, None, (None, "there")),
        ({}, "here", ("here", None)),
    ],
)
def test_a_sentinel_and_its_master_may_speak_tls(
    cluster: dict[str, Any], client: str | None, spoken: tuple[str | None, str | None]
) -> None:
    tls = {"tls": {"ca": client}} if client else {}
    of = made({"redis_sentinel": {"master": "m", **cluster}}, **tls)
    assert isinstance(of, SentinelWorkload)
    assert tuple(one and one.ca for one in (of._tls, of._sentinel_tls)) == spoken


@pytest.mark.parametrize("client", [None, "here"])
@pytest.mark.parametrize(
    "cluster",
    [
        {"redis_cluster": {"tls": {"ca": "there"}}},
        {"nats": {"client_tls": {"ca": "there"}}},
    ],
    ids=lambda cluster: next(iter(cluster)),
)
def test_its_tls_is_that_of_the_driver_unless_it_has_its_own(
    cluster: dict[str, Any], client: str | None
) -> None:
    of: Any = made(cluster, **({"tls": {"ca": client}} if client else {}))
    assert of._tls.ca == (client or "there")


_CLUSTERS = {"mechanism": "PLAIN", "user": "asks", "password": "env:ASKS_WORD"}
_OWN = {"user": "shop", "password": "env:SHOP_WORD"}


@pytest.mark.parametrize(
    ("cluster", "client", "said"),
    [
        ({}, {}, ()),
        ({"sasl": _CLUSTERS}, {}, ("PLAIN", "asks", "asks-secret")),
        ({"sasl": _CLUSTERS}, _OWN, ("PLAIN", "shop", "shop-secret")),
        ({}, _OWN, ("SCRAM-SHA-512", "shop", "shop-secret")),
    ],
)
def test_a_login_of_kafka(
    cluster: dict[str, Any],
    client: dict[str, Any],
    said: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASKS_WORD", "asks-secret")
    monkeypatch.setenv("SHOP_WORD", "shop-secret")
    of: Any = made({"kafka": cluster}, **client)
    options = asyncio.run(of._entry.options())
    assert tuple(text for key, text in options.items() if key.startswith("sasl")) == said
    assert options["security_protocol"] == ("SASL_PLAINTEXT" if said else "PLAINTEXT")


@pytest.mark.parametrize(
    "library", [("patroni", "psycopg", "postgresql"), ("kafka", "kafka", "kafka")]
)
def test_a_library_that_is_missing_is_named(
    library: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, module, extra = library
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == module:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError) as refused:
        made({kind: {}})
    assert refused.value.next == f"pip install 'gapless[{extra}]'"


@pytest.mark.parametrize("first", [True, False])
def test_tls_of_nats_begins_where_that_of_the_driver_does(first: bool) -> None:
    of: Any = made({"nats": {"client_tls": {}, "handshake_first": first}}, tls={"ca": "here"})
    assert (of._tls_first, of._tls.ca) == (first, "here")


def test_what_has_to_be_declared_is_not_guessed() -> None:
    assert made({"chronik": {}}) is None
    assert made({"command": {"topology": ["tell"]}}) is None
    assert made({"http": {"url": "http://a:1", "groups": {"path": "/g"}}}) is None


def test_every_kind_has_a_client() -> None:
    assert set(MAKERS) == set(KINDS)


@pytest.mark.parametrize(
    ("accounts", "user"),
    [({}, ""), ({"SHOP": "shop"}, "shop"), ({"SHOP": "shop", "$G": "plain"}, "plain")],
)
def test_an_account_of_nats(
    accounts: dict[str, str], user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NATS_WORD", "correct-horse")
    logins = {name: {"user": one, "password": "env:NATS_WORD"} for name, one in accounts.items()}
    of: Any = made({"nats": {"accounts": logins}})
    words = asyncio.run(of._login.words())
    assert words == ((user, "correct-horse") if user else ())
