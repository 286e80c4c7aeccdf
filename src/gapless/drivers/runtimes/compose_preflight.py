"""Whether a service of a compose project can have two containers for a while.

Each finding is a verdict with its remedy. What cannot exist twice is told by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from gapless.config.compose_service import ComposeConfig
from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.compose_orders import Orders
from gapless.drivers.runtimes.compose_project import Whole, Written
from gapless.drivers.runtimes.container_view import SERVICE, Container, Sight
from gapless.model import InstanceState, Verdict, VerdictStatus

_ROLLING = "rollout: {strategy: rolling} stops the old one first"


def examine(orders: Orders, whole: Whole, other: Written | None) -> tuple[Verdict, ...]:
    """Of the copy in a slot; ``other`` is what is written of the one beside it, None where there is
    never one."""
    written, seen, slot = whole.written, whole.seen, whole.slot
    return (
        _state(orders, seen, slot),
        _copies(orders, seen, slot),
        _made_by_us(orders, seen),
        _image(orders, written, seen),
        *_replicas(orders, written),
        *_copied(orders, written),
        *(() if other is None else _twice(orders, written, other, seen, slot)),
    )


def _state(orders: Orders, seen: Sight, slot: str) -> Verdict:
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


def _copies(orders: Orders, seen: Sight, slot: str) -> Verdict:
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


def _made_by_us(orders: Orders, seen: Sight) -> Verdict:
    strange = [one for one in seen.copies if one.labels.get(SERVICE, orders.name) != orders.name]
    owner = ", ".join(one.labels[SERVICE] for one in strange)
    return Verdict(
        VerdictStatus.FAIL if strange else VerdictStatus.PASS,
        "owner",
        f"label {SERVICE}",
        f"{view.names(strange)} is of {owner}" if strange else orders.name,
        "one service of gapless.yaml for each service of the project",
    )


def _image(orders: Orders, written: Written, seen: Sight) -> Verdict:
    """One that is built has to be there; any other is pulled when it is not."""
    there = written.image in seen.images and bool(seen.images[written.image])
    missing = written.build and not written.image
    return Verdict(
        VerdictStatus.FAIL if missing else VerdictStatus.PASS,
        "image",
        written.image or "image:",
        "not named" if missing else "there" if there else "asked for when the container is made",
        f"image: a name for what is built; then: {orders.shown('compose', 'build')}",
    )


def _replicas(orders: Orders, written: Written) -> Iterator[Verdict]:
    if written.replicas != 1:
        answer = f"{written.replicas} replicas"
        wanted = "one on each host; more of them cannot be replaced one by one yet"
        yield _fail("replicas", f"{orders.service} in the project", answer, wanted)


def _copied(orders: Orders, written: Written) -> Iterator[Verdict]:
    """They are in no file, so a way back could not bring them."""
    for name in written.copied:
        answer = f"{name} comes from no file"
        yield _fail("secrets", f"{orders.service} in the project", answer, "file: PATH")


def _twice(
    orders: Orders, written: Written, other: Written, seen: Sight, slot: str
) -> Iterator[Verdict]:
    config, asked = orders.config, f"{orders.service} in the project"
    if written.container_name:
        answer = f"container_name: {written.container_name} can be but once"
        yield _fail("container_name", asked, answer, f"no container_name; or: {_ROLLING}")
    for port in sorted({*written.ports} & {*other.ports} - {""}):
        answer = f"port {port} of the host can be published but once"
        pair = "in the project ports: ['${WEB_PORT}:…'], here environment:"
        wanted = f"{pair} {{WEB_PORT: '{{slot:8081|8082}}'}}; or: {_ROLLING}"
        yield _fail("ports", asked, answer, wanted)
    for volume in _writable(config, written, seen.in_slots().get(slot)):
        answer = f"both copies would write to {volume}"
        wanted = f"shared: ['{volume}'] when both may; or: {_ROLLING}"
        yield _fail("volumes", asked, answer, wanted)
    if written.network_mode in ("host",):
        answer = "network_mode: host: both copies would listen on the same ports"
        yield _fail("network", asked, answer, f"a network of the project; or: {_ROLLING}")
    for network in written.static:
        answer = f"a fixed address in {network} can be but once"
        yield _fail("network", asked, answer, f"no ipv4_address; or: {_ROLLING}")


def _writable(config: ComposeConfig, written: Written, one: Container | None) -> Iterator[str]:
    """By the name the project has for them; those of the image by their folder or id."""
    named = dict.fromkeys(written.volumes)
    prefixed = {f"{written.name}_{name}" for name in named}
    inside = [name for name in (one.volumes if one else ()) if name not in prefixed]
    for name in dict.fromkeys((*named, *inside)):
        if name not in config.shared:
            yield name


def _fail(check: str, asked: str, answer: str, wanted: str) -> Verdict:
    return Verdict(VerdictStatus.FAIL, check, asked, answer, wanted)
