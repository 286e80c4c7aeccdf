"""Which clients of clusters there cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.shop import loaded, problems

_STORE = """\
project: shop
hosts: {a: , b: , c: }
services:
  api: {on: [a], systemd: api}
  store: {on: [a, b, c], systemd: etcd, cluster: {etcd: {}}}
  log: {on: [a, b, c], systemd: chronik, cluster: {chronik: {}}}
  cache: {on: [a, b, c], systemd: redis, cluster: {redis_sentinel: {master: x}}}
  pg: {on: [a, b, c], systemd: patroni, cluster: {patroni: {}}}
  own: {on: [a, b, c], systemd: own, cluster: {command: {topology: [tell]}}}
  zoo: {on: [a, b, c], systemd: zk, cluster: {zookeeper: {}}}
  queue:
    {on: [a, b, c], systemd: rabbit, cluster: {rabbitmq: {login: {user: x, password: env:X}}}}
prove:
  workloads:
"""
_WRITE, _READ = "{path: /w, position: offset}", "{path: '/r?at={position}'}"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("stor: {}", "unknown service 'stor' — did you mean 'store'?"),
        ("api: {}", "'api' is no cluster — url and command ask what is none"),
        ("store: {database: x}", "database: a client of etcd has no use for it — leave it out"),
        ("store: {user: x}", "user: a client of etcd needs password, too"),
        ("store: {password: env:X}", "password: a client of etcd needs user, too"),
        ("cache: {user: x}", "user: a client of redis_sentinel needs password, too"),
        ("log: {user: x}", "user: a client of chronik has no use for it — leave it out"),
        (f"log: {{write: {_WRITE}}}", "write and read: give both, or neither"),
        ("log: {remove: {path: /x}}", "remove: nothing is written without write and read"),
        (
            f"own: {{write: {_WRITE}, read: {_READ}}}",
            "write: a client of command needs addresses, too — give URLs of the members",
        ),
        ("queue: {user: x}", "user: a client of rabbitmq needs password, too"),
        ("zoo: {user: x}", "user: a client of zookeeper has no use for it — leave it out"),
        ("pg: {tls: {}}", "tls: a client of patroni has no use for it — leave it out"),
        ("zoo: {tls: {key: /k}}", "a key without a cert proves nothing; give both"),
        ("store: {rate: 0}", "rate: must be more than 0.0"),
        ("store: {place: 'A B'}", "place: 'A B'"),
        ("cache: {password: geheim}", "a secret is a reference"),
    ],
)
def test_one_problem(tmp_path: Path, line: str, told: str) -> None:
    (found,) = problems(tmp_path, f"{_STORE}    {line}\n")
    assert told.split(":")[0] in found and told.partition(": ")[2] in found


def test_what_is_whole(tmp_path: Path) -> None:
    lines = f"    store: {{rate: 5}}\n    log: {{write: {_WRITE}, read: {_READ}}}\n"
    lines += "    cache: {password: env:X, tls: {}}\n    pg: {user: x, database: d}\n"
    lines += "    zoo: {tls: {ca: /a}}\n    queue: {tls: {cert: /c, key: /k}}\n"
    config = loaded(tmp_path, _STORE + lines).project.prove
    assert config is not None and not config.asks
    assert config.workloads["store"].rate == 5 and config.workloads["log"].write


def test_nothing_at_all_is_no_section(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, f"{_STORE}    {{}}\n")
    assert "give one of url, command, or workloads for clusters" in found


def test_url_and_command_are_two_front_doors(tmp_path: Path) -> None:
    text = _STORE.replace("  workloads:\n", "  {url: 'http://a/', command: x}\n")
    assert "give url or command, not both" in "".join(problems(tmp_path, text))
