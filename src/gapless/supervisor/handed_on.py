"""The state: all that is handed on to the process which takes our place, and taken over there.

Old code writes it and new code reads it (``upgrade``): what is new in it may be missing.
"""

from __future__ import annotations

import os

from gapless.supervisor.caller import Caller
from gapless.supervisor.control import Control
from gapless.supervisor.control import descriptors as of_control
from gapless.supervisor.copy import Copy
from gapless.supervisor.flipping import Flipping
from gapless.supervisor.site import Site
from gapless.supervisor.spec import Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def state_of(
    site: Site,
    flipping: Flipping,
    control: Control,
    since: float,
    wanted: str,
    callers: list[Caller],
) -> dict[str, Any]:
    """``wanted`` is what the new code begins with, for ``callers``."""
    addresses, good, copies = site.addresses, site.last_good, flipping.copies
    return {
        "spec": site.spec.to_json(),
        "next": wanted,
        "callers": [caller.fileno() for caller in callers],
        "signals": [],
        "last_good": good.spec.to_json() if good.spec else None,
        "last_good_of": good.of,
        "run": site.guard.run,
        "since": since,
        "guard": [site.guard.pid, site.guard.write],
        "lock": site.lock,
        "given": addresses.given,
        "control": control.state(),
        "outlets": {str(outlet.fd): outlet.state() for outlet in site.outlets.values()},
        "listeners": addresses.listeners.to_json(),
        "proxies": {address: proxy.state() for address, proxy in addresses.proxies.items()},
        "limits": site.children.limits,
        "requests": flipping.requests.to_json(),
        "waiting": [caller.fileno() for caller in flipping.callers.until_idle],
        "numbers": [copies.number, flipping.flips, flipping.failed],
        "late": copies.endings.late,
        "last": flipping.callers.last,
        "active": copies.active.to_json() if copies.active else None,
        "endings": [[e.copy.to_json(), e.until] for e in copies.endings],
    }


class Inherited:
    """All that another process was, put in its place; nothing is done yet."""

    def __init__(
        self, state: dict[str, Any], site: Site, flipping: Flipping, control: Control
    ) -> None:
        self._state, self._site, self._flipping = state, site, flipping
        self._restore_site()
        self._restore_flipping(control)
        self._callers = [control.caller(fd) for fd in state["callers"]]
        if state["active"] is not None:
            flipping.adopt_active(self._adopted(state["active"]))
        self._draining = [(self._adopted(data), until) for data, until in state["endings"]]
        self.signals = bytes(state["signals"])
        """Those it had taken."""

    def go_on(self) -> None:
        """From where it was."""
        site, flipping, state = self._site, self._flipping, self._state
        site.watch_guard()
        for number, kept in state["outlets"].items():
            site.outlets[int(number)].restore(kept)
        if flipping.copies.active is not None:
            site.addresses.point(flipping.copies.active)
            for address, connections in state["proxies"].items():
                site.addresses.proxies[address].restore(connections)
        for copy, until in self._draining:
            flipping.adopt_ending(copy, until)
        flipping.go_on(state["next"], self._callers)
        site.children.reap()

    def _restore_site(self) -> None:
        state, site = self._state, self._site
        addresses, good = site.addresses, site.last_good
        site.lock, site.said_ready, addresses.given = state["lock"], True, state["given"]
        for fd in (site.lock, *addresses.given.values()):
            os.set_inheritable(fd, False)
        good.spec = Spec.from_json(state["last_good"]) if state["last_good"] else None
        good.of = state.get("last_good_of", 0)
        addresses.listeners.from_json(state["listeners"])
        limits = state["limits"].items()
        site.children.limits.update({name: (soft, hard) for name, (soft, hard) in limits})

    def _restore_flipping(self, control: Control) -> None:
        state, flipping = self._state, self._flipping
        flipping.copies.number, flipping.flips, flipping.failed = state["numbers"]
        flipping.callers.last = state["last"]
        flipping.copies.endings.late = state.get("late", [])
        flipping.requests.from_json(state["requests"], control.caller)
        flipping.callers.until_idle = [control.caller(fd) for fd in state["waiting"]]

    def _adopted(self, data: dict[str, Any]) -> Copy:
        site = self._site
        copy = Copy.from_json(site.loop, site.children, site.outlets, data)
        site.guard.knows(copy.pid)
        return copy


def copies(state: dict[str, Any]) -> list[dict[str, Any]]:
    """All that are handed on."""
    found = [state["active"], *(data for data, _ in state["endings"])]
    return [copy for copy in found if copy]


def descriptors(state: dict[str, Any]) -> list[int]:
    """All that the state names."""
    found = [state["lock"], state["guard"][1], *state["callers"], *state["given"].values()]
    found += of_control(state["control"])
    found += [*state["waiting"], *(fd for fds in state["requests"].values() for fd in fds)]
    found += [held[0] for held in state["listeners"].values()]
    found += [fd for kept in state["proxies"].values() for fd in kept["fds"]]
    for copy in copies(state):
        found += [copy["notify"], *copy["pipes"].values()]
        found += [copy["private"]] if copy["private"] >= 0 else []
    return found
