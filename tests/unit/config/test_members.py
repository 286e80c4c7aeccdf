"""Two hosts that a balancer knows as one member: a drain of one would be a drain of the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gapless.config.source import load_config
from gapless.errors import ConfigError

HOSTS = {"h5.eqiad": {"address": "127.0.1.5"}, "h5.codfw": {"address": "127.0.1.6"}}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "haproxy": ("server", {"socket": "/run/x.sock", "backend": "b"}),
    "nginx": ("server", {"include": "/etc/x", "upstream": "u"}),
    "caddy": ("upstream", {"proxy": "x"}),
    "consul": ("id", {"on": ["h5.eqiad"]}),
    "etcd": ("key", {"endpoints": "http://127.0.0.1:2379"}),
    "envoy": ("server", {"file": "/etc/x", "cluster": "c"}),
    "elbv2": ("target", {"target_group": "g"}),
    "traefik": ("server", {"file": "/etc/x", "service": "s"}),
    "ipvs": ("server", {"service": "10.0.0.1:80"}),
}


def problems(folder: Path, balancer: dict[str, Any], hosts: dict[str, Any] = HOSTS) -> str:
    data = {
        "project": "shop",
        "hosts": hosts,
        "balancers": {"edge": balancer},
        "services": {"api": {"on": list(hosts), "systemd": "api", "balancer": "edge"}},
    }
    file = folder / "gapless.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    try:
        load_config(file)
    except ConfigError as error:
        return error.evidence
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_two_hosts_that_are_one_member_are_refused_at_the_key(tmp_path: Path, kind: str) -> None:
    key, settings = KINDS[kind]
    same, apart = ("/pool/{name}", "/pool/{host}") if kind == "etcd" else ("{name}", "{host}")
    told = problems(tmp_path, {kind: {**settings, key: same}})
    line = next(
        number
        for number, text in enumerate((tmp_path / "gapless.yaml").read_text().splitlines(), 1)
        if text.strip().startswith(f"{key}: ")
    )
    assert f"gapless.yaml:{line}:" in told
    assert f"{key}: api@h5.eqiad and api@h5.codfw would both be" in told
    assert f'write {key}: "{apart}"' in told
    assert not problems(tmp_path, {kind: {**settings, key: apart}})


def test_the_default_of_haproxy_is_refused_where_it_cannot_work(tmp_path: Path) -> None:
    told = problems(tmp_path, {"haproxy": {"socket": "/run/x.sock", "backend": "b"}})
    assert "would both be 'h5' of edge" in told
    assert 'write server: "{host}"' in told


def test_hosts_that_are_addresses_have_no_first_label(tmp_path: Path) -> None:
    hosts: dict[str, Any] = {"10.0.0.1": {}, "10.0.0.2": {}}
    told = problems(tmp_path, {"haproxy": {"socket": "/run/x.sock", "backend": "b"}}, hosts)
    assert "api@10.0.0.1 and api@10.0.0.2 would both be '10'" in told


def test_two_names_of_one_address_are_told_as_that(tmp_path: Path) -> None:
    hosts = {name: {"address": "127.0.1.5"} for name in HOSTS}
    told = problems(tmp_path, {"ipvs": {"service": "10.0.0.1:80", "server": "{address}:80"}}, hosts)
    assert "would both be '127.0.1.5:80'" in told
    assert "an address of its own" in told


def test_targets_by_host_and_agents_of_their_own_tell_them_apart(tmp_path: Path) -> None:
    targets = {"h5.eqiad": "i-1", "h5.codfw": "i-2"}
    group = {"target_group": "g", "target": "{name}"}
    assert not problems(tmp_path, {"elbv2": {**group, "targets": targets}})
    assert "'i-1'" in problems(
        tmp_path, {"elbv2": {**group, "targets": dict.fromkeys(targets, "i-1")}}
    )
    assert not problems(tmp_path, {"consul": {}})
