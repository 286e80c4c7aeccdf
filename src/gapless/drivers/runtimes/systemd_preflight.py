"""Whether a unit is fit to be replaced. Each finding is a verdict with its remedy in ``wanted``;
where nobody can tell it yet, ``look`` says where to look for it.

1. The login may do it, and the host's own state can be written.
2. The unit is there, loaded and not masked.
3. It runs: a unit that is down, still starting or in a crash loop has no good state to go back to.
4. What it requires runs, too.
5. It can reload where nothing but a reload is allowed.
6. It is given the time that it may need to stop, where that is known (members of clusters).
7. Noted, never refused: limits that make it slow, unit files changed behind systemd's back.
8. It runs from the release that deploys bring (see ``systemd_follows``).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from gapless.config.releases import ReleaseConfig
from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes.systemd_follows import follows
from gapless.drivers.runtimes.systemd_view import crashed, limit, state, units, words
from gapless.drivers.transports.base import HostFacts, Transport
from gapless.model import InstanceState, Verdict, VerdictStatus

_DEPENDENCIES = ("Requires", "BindsTo", "Requisite")
_ALWAYS_THERE = (".slice", ".target", ".mount", ".automount", ".scope", ".device", ".swap")
_ASKED = ("LoadState", "ActiveState", "SubState", "Type", "Result")

_NOT_LOADED: Mapping[str, tuple[str, str]] = {
    "not-found": ("there is no such unit", "the unit's file, and: systemctl daemon-reload"),
    "masked": ("the unit is masked", "systemctl unmask {unit}"),
    "bad-setting": ("a setting in the unit's file is wrong", "systemd-analyze verify {unit}"),
    "error": ("systemd cannot read the unit's file", "systemd-analyze verify {unit}"),
}


async def examine(
    transport: Transport,
    config: SystemdConfig,
    shown: Mapping[str, str],
    release: ReleaseConfig | None = None,
    *,
    stops: float = 0.0,
) -> tuple[Verdict, ...]:
    """Every verdict, in the order above; the last where there is a ``release``. ``stops``: seconds
    that it may need to stop, 0 where nobody says."""
    facts, needed = await asyncio.gather(transport.facts(), _dependencies(transport, shown))
    found = [_privilege(facts), *_host_problems(facts), _loaded(config.unit, shown)]
    if found[-1].passed:
        found += [_active(config.unit, shown), *_queued(config.unit, shown)]
        found += [*needed, *_reload(config, shown), *_cut_short(config.unit, shown, stops)]
        found += _notes(config.unit, shown)
    if release is not None and shown.get("LoadState") == "loaded":
        found.append(await follows(transport, config, release, shown))
    return tuple(found)


def _privilege(facts: HostFacts) -> Verdict:
    answer = f"{facts.user}, {'may' if facts.privileged else 'may not'} act as root"
    wanted = "sudo without a password for this login (sudo -n true), or a login as root"
    return _verdict(facts.privileged, "privilege", "sudo -n true", answer, wanted)


def _host_problems(facts: HostFacts) -> Iterator[Verdict]:
    for problem in facts.problems:
        yield _verdict(False, "host", "state of the host", problem, "a host without this problem")


def _loaded(unit: str, shown: Mapping[str, str]) -> Verdict:
    load = shown.get("LoadState", "")
    answer, wanted = _NOT_LOADED.get(load, (f"LoadState {load or 'unknown'}", "LoadState loaded"))
    running_on = load == "not-found" and shown.get("ActiveState") == "active"
    if running_on:
        answer = "it runs, but its file is gone"
    if load == "loaded":
        answer = "loaded"
    return _verdict(
        load == "loaded", "unit", f"systemctl show {unit}", answer, wanted.format(unit=unit)
    )


def _active(unit: str, shown: Mapping[str, str]) -> Verdict:
    asked, runs = f"systemctl is-active {unit}", state(shown) is InstanceState.RUNNING
    if not crashed(shown):
        wanted = f"active; systemctl start {unit}"
        return _verdict(runs, "active", asked, words(shown), wanted)
    count = shown.get("NRestarts", "?")
    answer = f"in a crash loop: systemd has restarted it {count} times"
    told = _verdict(runs, "active", asked, answer, "active, without being restarted")
    return replace(told, look=f"journalctl -u {unit} -n 50")


def _queued(unit: str, shown: Mapping[str, str]) -> Iterator[Verdict]:
    if shown.get("Job", "") not in ("", "0"):
        answer = f"job {shown['Job']} of systemd is waiting for it"
        yield _verdict(False, "job", f"systemctl list-jobs {unit}", answer, "no job under way")


async def _dependencies(transport: Transport, shown: Mapping[str, str]) -> list[Verdict]:
    names = dict.fromkeys(name for kind in _DEPENDENCIES for name in units(shown.get(kind, "")))
    asked = [name for name in names if not name.endswith(_ALWAYS_THERE)]
    answers = await asyncio.gather(*(transport.unit(name, _ASKED) for name in asked))
    return [_dependency(name, answer) for name, answer in zip(asked, answers, strict=True)]


def _dependency(name: str, shown: Mapping[str, str]) -> Verdict:
    # a oneshot that has done its work is inactive and all is well
    finished = shown.get("Type") == "oneshot" and shown.get("Result") == "success"
    holds = shown.get("ActiveState") in ("active", "reloading") or finished
    wanted = f"active; systemctl start {name}"
    return _verdict(
        holds, "dependency", f"systemctl is-active {name}", f"{name} is {words(shown)}", wanted
    )


def _reload(config: SystemdConfig, shown: Mapping[str, str]) -> Iterator[Verdict]:
    if config.reload == "no" or shown.get("CanReload") == "yes":
        return
    asked = f"systemctl show -p CanReload {config.unit}"
    answer = "it cannot reload (no ExecReload=)"
    if config.reload == "only":
        yield _verdict(False, "reload", asked, answer, "ExecReload= in the unit, or reload: try")
    else:
        yield _verdict(True, "reload", asked, f"{answer}; it will be restarted")


def _cut_short(unit: str, shown: Mapping[str, str], stops: float) -> Iterator[Verdict]:
    given = limit(shown, "TimeoutStopUSec")
    if given < stops:
        yield _verdict(
            False,
            "limits",
            f"systemctl show -p TimeoutStopUSec {unit}",
            f"it may need {stops:g} s to stop, and is killed after {given:g} s",
            f"TimeoutStopSec={math.ceil(stops)} or more in the unit: systemctl edit {unit}",
        )


def _notes(unit: str, shown: Mapping[str, str]) -> Iterator[Verdict]:
    stop = limit(shown, "TimeoutStopUSec")
    if stop > 120.0 or shown.get("TimeoutStopUSec") == "infinity":
        answer = f"stopping may take {shown['TimeoutStopUSec']} before it is killed"
        yield _verdict(True, "limits", f"systemctl show -p TimeoutStopUSec {unit}", answer)
    if shown.get("NeedDaemonReload") == "yes":
        answer = "its files changed since systemd read them; the replacement takes them into use"
        yield _verdict(True, "files", f"systemctl show -p NeedDaemonReload {unit}", answer)


def _verdict(holds: bool, check: str, asked: str, answer: str, wanted: str = "") -> Verdict:
    status = VerdictStatus.PASS if holds else VerdictStatus.FAIL
    return Verdict(status, check, asked, answer, wanted)
