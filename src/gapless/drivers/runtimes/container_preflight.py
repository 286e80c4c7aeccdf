"""Whether there can be two containers for a while, however they are made.

Each finding is a verdict with its remedy. What cannot exist twice is told by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gapless.config.container_service import ContainerConfig
from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.container_orders import ContainerOrders
from gapless.drivers.runtimes.container_source import Written
from gapless.drivers.runtimes.container_view import SERVICE, Container, Sight
from gapless.model import InstanceState, Verdict, VerdictStatus

_ID = re.compile("[0-9a-f]{64}")


def state(orders: ContainerOrders, seen: Sight, slot: str) -> Verdict:
    """Whether the one in the slot runs."""
    one = seen.in_slots().get(slot)
    asked = orders.shown("ps", "--all")
    if one is None:
        wanted = f"a container; gapless deploy {orders.name} makes it"
        return Verdict(VerdictStatus.FAIL, "container", asked, "there is none", wanted)
    status = VerdictStatus.PASS if one.running else VerdictStatus.FAIL
    if one.state is InstanceState.UNKNOWN:
        status = VerdictStatus.INCONCLUSIVE
    remedy = "unpause" if one.status == "paused" else "start"
    wanted = f"running; {orders.shown(remedy, one.name)}"
    look = orders.shown("logs", "--tail", "50", one.name)
    return Verdict(status, "status", asked, view.words(one), wanted, look=look)


def copies(orders: ContainerOrders, seen: Sight, slot: str) -> Verdict:
    """Whether it is the only one that does."""
    here = seen.in_slots().get(slot)
    others = [one for one in seen.copies if one is not here and one.running]
    answer = f"{view.names(others)} beside it" if others else "one"
    removed = orders.shown("rm", "--force", *(one.name for one in others))
    return Verdict(
        VerdictStatus.FAIL if others else VerdictStatus.PASS,
        "copies",
        orders.shown("ps"),
        answer,
        f"one of them; gapless resume, or: {removed}",
    )


def owner(orders: ContainerOrders, seen: Sight) -> Verdict:
    """Whether they are those of one service of ours."""
    strange = [one for one in seen.copies if one.labels.get(SERVICE, orders.name) != orders.name]
    others = ", ".join(one.labels[SERVICE] for one in strange)
    return Verdict(
        VerdictStatus.FAIL if strange else VerdictStatus.PASS,
        "owner",
        f"label {SERVICE}",
        f"{view.names(strange)} is of {others}" if strange else orders.name,
        "one service of gapless.yaml for each service of the project",
    )


def twice(
    orders: ContainerOrders, written: Written, other: Written, seen: Sight, slot: str
) -> Iterator[Verdict]:
    """What there can be but once; ``other`` is what is written of the copy beside it."""
    config, asked, rolling = orders.config, orders.asked, _rolling(orders)
    if written.container_name:
        answer = f"{written.container_name} can be but once"
        yield fail("container_name", asked, answer, f"no container_name; or: {rolling}")
    for port in sorted({*written.ports} & {*other.ports} - {""}):
        answer = f"port {port} of the host can be published but once"
        yield fail("ports", asked, answer, f"{written.hints['ports']}; or: {rolling}")
    for volume in _writable(config, written, seen.in_slots().get(slot)):
        answer = f"both copies would write to {volume}"
        wanted = f"shared: ['{volume}'] when both may; or: {rolling}"
        yield fail("volumes", asked, answer, wanted)
    if written.network_mode in ("host",):
        answer = "network_mode: host: both copies would listen on the same ports"
        yield fail("network", asked, answer, f"{written.hints['network']}; or: {rolling}")
    for network in written.static:
        answer = f"a fixed address in {network} can be but once"
        yield fail("network", asked, answer, f"{written.hints['static']}; or: {rolling}")


def _rolling(orders: ContainerOrders) -> str:
    """What needs none of this, with all that it needs itself."""
    kind = orders.section.rpartition(".")[2]
    host = "" if orders.config.reach == "host" else f" and {kind}: {{reach: host}}"
    found = "; {address} is that of the host then" if host else ""
    return f"rollout: {{strategy: rolling}}{host} (the old one is stopped first{found})"


def _writable(config: ContainerConfig, written: Written, one: Container | None) -> Iterator[str]:
    """By the names they are written with; those of the image by their id. One that we did not make
    may have others, which nobody has written down."""
    known = {written.called(name) for name in written.volumes}
    there = [name for name in (one.volumes if one else ()) if name not in known]
    inside = [name for name in there if _ID.fullmatch(name) or (one and not one.slot)]
    for name in dict.fromkeys((*written.volumes, *inside)):
        if name not in config.shared:
            yield name


def fail(check: str, asked: str, answer: str, wanted: str) -> Verdict:
    """A finding with its remedy."""
    return Verdict(VerdictStatus.FAIL, check, asked, answer, wanted)
