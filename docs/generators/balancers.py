"""``balancers.md``: what each kind of balancer can do, costs, and was tested with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.generators.markdown import anchor, code, page, table
from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig, kinds
from gapless.config.quantities import format_duration
from gapless.drivers import registry
from gapless.drivers.balancers.base import Capabilities, Evidence
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport

GUIDES = Path(__file__).parent.parent / "how-to"


@dataclass(frozen=True, slots=True)
class Shown:
    """How a kind is shown: its least keys (by variant), its guide, and what its suite runs with."""

    variants: Mapping[str, Mapping[str, Any]]
    guide: str
    tested: str


def _either(keys: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """With members that come and go, and without."""
    return {"": keys, "with `dynamic`": {**keys, "dynamic": True}}


_LABELS = {"service": "web-shop", "server": "http://{address}:8080"}
SHOWN: Mapping[str, Shown] = {
    "haproxy": Shown(
        {
            "": {"socket": "/run/haproxy/admin.sock", "backend": "shop"},
            "with `dynamic`": {
                "socket": "/run/haproxy/admin.sock",
                "backend": "shop",
                "dynamic": {"address": "{address}:3001"},
            },
        },
        "haproxy.md",
        "HAProxy 2.6 (Debian 12) and 2.8",
    ),
    "nginx": Shown(
        _either(
            {"include": "/etc/nginx/shop.conf", "upstream": "shop", "server": "{address}:3001"}
        ),
        "nginx.md",
        "nginx 1.22 (Debian 12)",
    ),
    "caddy": Shown(
        _either({"proxy": "shop", "upstream": "{address}:3001"}), "caddy.md", "Caddy 2.11"
    ),
    "traefik": Shown(
        _either({"file": "/etc/traefik/shop.yml", "service": "shop", "server": "http://{address}"}),
        "traefik.md",
        "Traefik 3.7",
    ),
    "envoy": Shown(
        _either({"file": "/etc/envoy/eds.yaml", "cluster": "shop", "server": "{address}:3001"}),
        "envoy.md",
        "Envoy 1.40",
    ),
    "traefik_labels": Shown(
        {
            "with `api`": {**_LABELS, "api": "http://127.0.0.1:8080"},
            "without `api`": _LABELS,
        },
        "traefik.md",
        "Traefik 3.7 and a container engine 20.10 (Debian 12)",
    ),
    "etcd": Shown(
        {
            "": {"endpoints": "http://etcd1:2379", "key": "/conftool/v1/pools/shop/{host}"},
            "with `verify`": {
                "endpoints": "http://etcd1:2379",
                "key": "/conftool/v1/pools/shop/{host}",
                "verify": {"url": "http://localhost:9090/pools/shop/{host}"},
            },
        },
        "conftool.md",
        "etcd 3.4 (Debian 12); PyBal's answers as recorded",
    ),
    "consul": Shown({"": {}}, "consul.md", "contract-tested only: recorded answers"),
    "elbv2": Shown(
        {"": {"target_group": "shop"}},
        "elbv2.md",
        "contract-tested only: moto, with the states `initial` and `draining` on top",
    ),
    "ipvs": Shown(
        {"": {"service": "10.0.0.1:80", "server": "{address}:8080"}},
        "ipvs.md",
        "contract-tested only: a program that prints and obeys as ipvsadm 1.31",
    ),
    "command": Shown(
        {
            "without `state`": {"drain": "out {name}", "admit": "in {name}"},
            "with `state`": {"drain": "out {name}", "admit": "in {name}", "state": "show {name}"},
        },
        "command-balancer.md",
        "a script",
    ),
}

_INTRO = """
What can be told of each kind of balancer from its keys alone: that is what the plan says, too.
Every kind keeps the same conformance suite (`gapless.testing.balancer_suite`), run in CI against
what the last column names.

- **drains**: the best evidence that a drain can have. `COUNTED`: the balancer counted its
  connections down to zero. `INFERRED`: something else shows it. `TIMED`: only time passed. What a
  drain really had is in the report; it may be less, and is never called more.
- **resets keep-alives**: each drain and each admit closes idle keep-alive connections of clients.
  A client that sends a request at that very moment sees an error and has to try again.
- **loses new**: each drain and each admit may lose a few connections that clients open at that very
  moment. It is few of many: the guide has what was measured.
- **weights**, **adds members**: what a canary by share, and new instances beside old ones, need.
- **keeps orders**: what it was told still holds after it read its configuration again.
- **floor**: whether `floor` of the balancer can be held in it.
"""


def generate() -> str:
    """The whole page."""
    header = (
        "kind", "drains", "resets keep-alives", "loses new", "weights", "adds members",
        "keeps orders", "floor", "tested with",
    )  # fmt: skip
    rows = [row for kind in kinds() for row in _rows(kind)]
    return page("Balancers", _INTRO, table(header, rows))


def _rows(kind: str) -> Iterator[tuple[str, ...]]:
    shown = SHOWN[kind]
    holds = kinds()[kind].holds_floor
    for variant, keys in shown.variants.items():
        can = capabilities(kind, keys)
        yield (
            f"{_named(kind, shown.guide)} {variant}".strip(),
            _evidence(can),
            _yes(can.resets_keepalives),
            _yes(can.loses_new),
            _yes(bool(can.weights and can.keeps_weights)),
            _yes(can.dynamic_members),
            _yes(can.survives_reload),
            _yes(holds),
            shown.tested,
        )


def capabilities(kind: str, keys: Mapping[str, Any]) -> Capabilities:
    """What a balancer with these keys can do; nobody is asked."""
    config = BalancerConfig.model_validate({kind: keys})
    return registry.balancer("edge", config, _nowhere, LoopClock(), own_name).capabilities()


def _nowhere(host: str) -> Transport:
    raise RuntimeError("a reference asks nobody")


def _named(kind: str, guide: str) -> str:
    keys = f"config.md#{anchor(f'balancers.NAME.{kind}')}"
    more = f" ([guide](../how-to/{guide}))" if (GUIDES / guide).is_file() else ""
    return f"[{code(kind)}]({keys}){more}"


def _evidence(can: Capabilities) -> str:
    if can.drain_evidence is Evidence.INFERRED:
        return f"{code('INFERRED')} from {can.shown_by}"
    if can.drain_evidence is Evidence.TIMED:
        after = format_duration(can.lasts) if can.lasts is not None else "up to `drain_timeout`"
        return f"{code('TIMED')}, {after}"
    return code(can.drain_evidence.value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
