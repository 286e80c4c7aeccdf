"""Whether a copy could be handed over now: asked before anything is changed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from gapless.drivers.handover.folder import SharedFolder
from gapless.drivers.handover.view import Copy, Sight, State, name_of
from gapless.drivers.runtimes.paired import beside
from gapless.model import Command, Instance, Verdict, VerdictStatus

_ASKED = "GET /handover of the copy that serves"


async def examine(folder: SharedFolder, instance: Instance, *, forced: bool) -> tuple[Verdict, ...]:
    """Another handover, the copy that serves, lock and folder for both accounts; and what a person
    may answer for: memory and budget."""
    sight = await folder.look(instance.host)
    slot = instance.slot or await folder.live(instance.host)
    me = sight.of(slot) if slot else None
    runs = bool(slot) and await folder.runs(instance.host, slot)
    found = [_alone(sight), _speaks(folder, instance, sight, slot if runs else "")]
    if all(verdict.passed for verdict in found):
        found += await _lock(folder, instance, slot, me)
        if not forced:
            found += _memory(folder, sight, me)
            found += await _budget(folder, instance)
    return tuple(found)


def _alone(sight: Sight) -> Verdict:
    """One handover at a time, and by gapless."""
    written, asked = sight.known, "state.json"
    if sight.mark and sight.written is None:
        return _fail("handover", asked, "it is no handover/1", "a file that gapless may write")
    foreign = written.phase != "done" and not written.owner.startswith("gapless")
    if foreign:
        answer = f"phase {written.phase}, by {written.owner or 'somebody'}"
        return _fail("handover", asked, answer, "no other handover; let its owner finish it")
    if len(sight.copies) > 1:
        answer = "; ".join(map(str, sight.copies))
        return _fail("handover", asked, answer, "one copy; gapless resume or gapless abort")
    return _pass("handover", asked, f"phase {written.phase}")


def _speaks(folder: SharedFolder, instance: Instance, sight: Sight, slot: str) -> Verdict:
    """What runs has to say so, or it could not be told anything."""
    me = sight.of(slot) if slot else None
    if me is not None and me.state is State.ACTIVE:
        return _pass("active copy", _ASKED, str(me))
    if me is not None:
        return _fail("active copy", _ASKED, str(me), "ACTIVE")
    elsewhere = sight.of(beside(slot)) if slot else None
    where = folder.path(instance.host)
    if elsewhere is not None:
        answer = f"{elsewhere}; but copy {slot} is the one that runs"
        return _fail("active copy", _ASKED, answer, f"that it runs with HANDOVER_DIR={where}")
    if not slot:
        return _pass("active copy", _ASKED, "none runs")
    name = name_of(folder.service, slot, 0).removesuffix("-0")
    wanted = (
        f"a program that speaks handover/1; start it anew once, with HANDOVER_DIR={where}"
        f" and HANDOVER_ID={name} in its environment"
    )
    return _fail("active copy", _ASKED, f"copy {slot} does not answer in {where}", wanted)


def _memory(folder: SharedFolder, sight: Sight, me: Copy | None) -> Iterator[Verdict]:
    needed = round((me.peak if me else 0) * folder.config.memory)
    if me is None or not needed:
        return
    answer = f"{sight.memory >> 10} MiB available, the copy that serves had up to {me.peak >> 10}"
    wanted = f"at least {needed >> 10} MiB for the second copy (handover.memory)"
    made = _pass if sight.memory >= needed else _fail
    yield made("memory", "MemAvailable", answer, wanted)


async def _lock(
    folder: SharedFolder, instance: Instance, slot: str, me: Copy | None
) -> Sequence[Verdict]:
    """The same for both copies, and both accounts can use it; a folder that is not there yet is
    made for them."""
    if me is None:
        return []
    transport = folder.transport(instance.host)
    new = folder.config.user or await folder.copy(instance.host, slot).account(transport)
    known = [str(me.uid)] if me.uid >= 0 else []
    accounts = tuple(dict.fromkeys([*known, *([new] if new or not known else [])]))
    namespace = _namespace(folder, instance)
    told = await folder.orders.try_lock(instance.host, folder.config.lock, namespace, accounts)
    asked = f"a file in {folder.path(instance.host)}, a claim in {folder.config.lock}"
    wrong = [f"{account or 'root'}: {why}" for account, why in told.items() if why]
    if wrong:
        wanted = "that the accounts of both copies can write there"
        return [_fail("event lock", asked, "; ".join(wrong), wanted)]
    shared = (folder.config.lock, namespace)
    if me.claims and me.claims != shared:
        asked = f"HANDOVER_LOCK and HANDOVER_NAMESPACE of {me.id}"
        answer = f"it claims events in {' as '.join(me.claims)}"
        ours = f"{' as '.join(shared)}, where the new one would: each would handle every event;"
        return [_fail("event lock", asked, answer, f"{ours} stop the service to change its lock")]
    return [_pass("event lock", asked, f"as {', '.join(told) or 'root'}")]


def _namespace(folder: SharedFolder, instance: Instance) -> str:
    return folder.config.namespace or PurePosixPath(folder.path(instance.host)).name


async def _budget(folder: SharedFolder, instance: Instance) -> Sequence[Verdict]:
    budget = folder.config.budget
    if budget is None:
        return []
    asked = shlex.join(budget.run)
    command = Command(budget.run, timeout=budget.timeout)
    done = await folder.transport(instance.host).run(command)
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    answer = lines[0] if lines else f"status {done.status}"
    wanted = "status 0: there is budget for one more connection"
    return [(_pass if done.ok else _fail)("budget", asked, answer, wanted)]


def _pass(check: str, asked: str, answer: str, wanted: str = "") -> Verdict:
    return Verdict(VerdictStatus.PASS, check, asked, answer, wanted)


def _fail(check: str, asked: str, answer: str, wanted: str) -> Verdict:
    return Verdict(VerdictStatus.FAIL, check, asked, answer, wanted)
