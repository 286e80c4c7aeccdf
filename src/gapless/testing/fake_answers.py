"""How a fake host answers health questions: by the state of its units and the real rules."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gapless.drivers.transports.base import Probe
from gapless.hostside.matching import Expectation
from gapless.model import Command, Verdict, VerdictStatus
from gapless.testing.fake_programs import execute

if TYPE_CHECKING:
    from gapless.testing.fake_host import FakeHost
    from gapless.testing.fake_unit import FakeUnit

_NAGIOS = {0: VerdictStatus.PASS, 3: VerdictStatus.INCONCLUSIVE}
UNIT_EVERY = 0.25


async def answer(host: FakeHost, probe: Probe) -> Verdict:
    """Ask once."""
    if probe.kind == "http":
        return await _http(host, probe)
    if probe.kind == "openapi":
        url = probe.spec.get("base") or probe.spec["spec"]
        return await _http(host, replace(probe, spec={"url": url}))
    if probe.kind in ("tcp", "unix"):
        return _connect(host, probe)
    return await _command(host, probe)


async def _http(host: FakeHost, probe: Probe) -> Verdict:
    asked = f"{probe.spec.get('method', 'GET')} {probe.spec['url']}"
    expectation = Expectation(dict(probe.spec.get("expect") or {}))
    url = urlsplit(probe.spec["url"])
    unit = _listener(host, url.port or 80, probe.spec.get("unix") or "")
    words = expectation.words()
    if unit is None or not unit.running:
        return _verdict(VerdictStatus.FAIL, probe, asked, "Connection refused", words)
    if unit.behaviour.answers_after >= probe.answer:
        await asyncio.sleep(probe.answer)
        return _verdict(
            VerdictStatus.FAIL, probe, asked, f"no answer within {probe.answer:g} s", words
        )
    status, headers, body = reply(unit)
    missed = expectation.misses(status, headers, body)
    given = VerdictStatus.FAIL if missed else VerdictStatus.PASS
    return _verdict(given, probe, asked, f"{status} {body}", ", ".join(missed) or words)


def reply(unit: FakeUnit) -> tuple[int, Mapping[str, str], str]:
    """What a running unit answers over HTTP: status, headers and body."""
    wanted = unit.behaviour
    if not unit.healthy:
        return 503, {}, json.dumps({"status": "starting", "version": unit.version})
    body = wanted.body or json.dumps({"status": "healthy", "version": unit.version})
    return wanted.status, dict(wanted.headers), body


def _connect(host: FakeHost, probe: Probe) -> Verdict:
    path = str(probe.spec.get("path", ""))
    unit = _listener(host, int(probe.spec.get("port", 0)), path)
    asked = f"connect to {path or '{host}:{port}'.format(**probe.spec)}"
    if unit is not None and unit.serving:
        return _verdict(VerdictStatus.PASS, probe, asked, "accepted")
    return _verdict(
        VerdictStatus.FAIL, probe, asked, "Connection refused", "an accepted connection"
    )


async def _command(host: FakeHost, probe: Probe) -> Verdict:
    argv = tuple(str(word) for word in probe.spec["argv"])
    try:
        async with asyncio.timeout(probe.answer):
            status, out, err = await execute(host, Command(argv, timeout=probe.answer))
    except TimeoutError:
        text = f"no answer within {probe.answer:g} s"
        return _verdict(VerdictStatus.FAIL, probe, shlex.join(argv), text, "exit 0")
    said = (out.strip() or err.strip()).replace("\n", " ")
    given = _NAGIOS.get(status, VerdictStatus.FAIL)
    return _verdict(given, probe, shlex.join(argv), f"exit {status}: {said}", "exit 0")


def _listener(host: FakeHost, port: int, socket: str) -> FakeUnit | None:
    for unit in host.units.values():
        if (socket and socket in unit.sockets) or (not socket and unit.port in (0, port)):
            return unit
    return None


def _verdict(
    status: VerdictStatus, probe: Probe, asked: str, text: str, wanted: str = ""
) -> Verdict:
    return Verdict(status, probe.name, asked, text, wanted, 0.001)


def steady(probes: Sequence[Probe]) -> bool:
    """Whether the answers change only when a unit of the host does."""
    return all(probe.kind != "command" for probe in probes)


async def ask_all(host: FakeHost, probes: Sequence[Probe]) -> tuple[Verdict, ...]:
    """Every probe, once."""
    return tuple([await answer(host, probe) for probe in probes])


async def ask(
    host: FakeHost, probes: Sequence[Probe], passes: int, every: float, within: float
) -> tuple[Verdict, ...]:
    """Until all passed often enough in a row or the time is over. Where answers change only with
    a unit, failing polls in between are not made, which cost time and tell nothing."""
    loop = asyncio.get_running_loop()
    began, until, in_a_row = loop.time(), loop.time() + within, 0
    while True:
        verdicts = await ask_all(host, probes)
        passed = all(verdict.passed for verdict in verdicts)
        in_a_row = in_a_row + 1 if passed else 0
        if in_a_row >= passes:
            return verdicts
        if loop.time() + every >= until:
            return tuple(_not_enough(v, in_a_row, passes, within) for v in verdicts)
        if passed or not steady(probes):
            await asyncio.sleep(every)
            continue
        await host.next_change(until - every)
        await asyncio.sleep(_to_grid(loop.time() - began, every))


def _to_grid(passed: float, every: float) -> float:
    return every - passed % every


def _not_enough(verdict: Verdict, in_a_row: int, passes: int, within: float) -> Verdict:
    if not verdict.passed or not in_a_row:
        return verdict
    return Verdict(
        VerdictStatus.INCONCLUSIVE,
        verdict.check,
        verdict.asked,
        f"{verdict.answer} ({in_a_row} of {passes} in a row)",
        f"{passes} passes in a row within {within:g} s",
    )


class Soak:
    """``watch``: identity four times a second, probes with their retries, until the end or the
    first failure. Nothing is polled while nothing changes."""

    def __init__(
        self, host: FakeHost, unit: str, probes: Sequence[Probe], identity: Mapping[str, str],
        every: float, retries: int, retry_delay: float,
    ) -> None:  # fmt: skip
        self.host = host
        self.unit = unit
        self.probes = probes
        self.identity = identity
        self.every = every
        self.retries = retries
        self.retry_delay = retry_delay
        self.failures = 0

    async def run(self, seconds: float) -> tuple[Verdict, ...]:
        """Watch for so long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        until = began + seconds
        next_ask = began
        verdicts: tuple[Verdict, ...] = ()
        while True:
            seen = self._compare()
            if seen and not seen[0].passed:
                return seen + (verdicts or await ask_all(self.host, self.probes))
            now = loop.time()
            if now >= next_ask or now >= until:
                verdicts = await ask_all(self.host, self.probes)
                self.failures = 0 if all(v.passed for v in verdicts) else self.failures + 1
                if self.failures > self.retries:
                    return seen + verdicts
                next_ask = now + (self.retry_delay if self.failures else self.every)
            if now >= until and not self.failures:
                return seen + verdicts
            await self._wait(began, max(until, next_ask) if self.failures else until, next_ask)

    async def _wait(self, began: float, until: float, next_ask: float) -> None:
        """To the next look that can tell something new."""
        loop = asyncio.get_running_loop()
        due = next_ask if self.failures or not steady(self.probes) else until
        if await self.host.next_change(min(due, until)):
            await asyncio.sleep(_to_grid(loop.time() - began, UNIT_EVERY))

    def _compare(self) -> tuple[Verdict, ...]:
        if not self.unit:
            return ()
        shown = self.host.show(self.unit)
        changed = [
            f"{name} {wanted} → {shown.get(name, '')}"
            for name, wanted in self.identity.items()
            if shown.get(name, "") != wanted
        ]
        same = ", ".join(f"{name}={shown.get(name, '')}" for name in self.identity)
        status = VerdictStatus.FAIL if changed else VerdictStatus.PASS
        wanted = ", ".join(f"{name}={value}" for name, value in self.identity.items())
        asked = f"systemctl show {self.unit}"
        return (Verdict(status, "unit", asked, ", ".join(changed) or same, wanted),)


def probe_data(probe: Probe) -> dict[str, Any]:
    """A probe as the helper on a host gets it."""
    return {
        "name": probe.name, "kind": probe.kind, "spec": dict(probe.spec), "answer": probe.answer,
    }  # fmt: skip
