"""Asking until healthy, and watching that it stays so: on the host, without round trips."""

from __future__ import annotations

import threading
import time

from gapless.hostside import probes, units
from gapless.hostside.calls import Call
from gapless.hostside.faults import Cancelled, Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_UNIT_EVERY = 0.25
_BETWEEN = 0.02
"""Seconds between looks for an answer that is the last to come."""
_BLIND_FOR = 5.0
"""Seconds systemd may fail to answer (it re-executes itself on updates) before we give up."""


def ask(call: Call) -> list[dict[str, Any]]:
    """The verb."""
    args = call.args
    began = time.monotonic()
    until = began + args["within"]
    in_a_row = 0
    while True:
        left = until - time.monotonic()
        limit = max(left, 1.0) if args["within"] else float("inf")
        verdicts = ask_all(args["probes"], limit, call)
        in_a_row = in_a_row + 1 if all(v["status"] == probes.PASS for v in verdicts) else 0
        if in_a_row >= args["passes"]:
            return verdicts
        pause = _pause(args, time.monotonic() - began)
        if time.monotonic() + pause >= until:
            return [_not_enough(verdict, in_a_row, args) for verdict in verdicts]
        call.sleep(pause)


def _pause(args: dict[str, Any], waited: float) -> float:
    every: float = args["every"]
    return min(every, max(every / 5, waited / 20)) if args["eager"] else every


def ask_all(questions: list[dict[str, Any]], limit: float, call: Call) -> list[dict[str, Any]]:
    """All probes at once, once."""
    found: dict[int, dict[str, Any]] = {}

    def one(index: int) -> None:
        found[index] = probes.probe(questions[index], limit, call.cancelled)

    threads = [_thread(one, index) for index in range(1, len(questions))]
    if questions:
        one(0)
    for thread in threads:
        thread.join()
    call.check()
    return [found[index] for index in range(len(questions))]


def watch(call: Call) -> list[dict[str, Any]]:
    """The verb."""
    return Watch(call).run()


class Watch:
    """One soak: the unit's properties in this thread, each probe in one of its own."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.args = call.args
        self.until: float = time.monotonic() + call.args["seconds"]
        self.over = threading.Event()
        questions = call.args["probes"]
        self.verdicts = [_not_asked(question) for question in questions]
        self.silent = set(range(len(questions)))
        """Questions that were not answered once."""

    def run(self) -> list[dict[str, Any]]:
        """Until something failed, or the time is over and every question was answered: each answer
        has its own limit, which may be longer than the watch."""
        threads = [_thread(self._ask, index) for index in range(len(self.args["probes"]))]
        try:
            unit = self._watch_unit() if self.args["unit"] else None
            while not unit and not self._ended():
                self._pause(_UNIT_EVERY if self._left() > 0 else _BETWEEN)
        finally:
            self.over.set()
        for thread in threads:
            thread.join()
        self.call.check()
        return ([unit] if unit else []) + self.verdicts

    def _watch_unit(self) -> dict[str, Any]:
        seen_at = time.monotonic()
        while True:
            try:
                verdict = compare(self.args["unit"], self.args["identity"])
                seen_at = time.monotonic()
            except Fault as fault:
                verdict = _unseen(self.args["unit"], fault)
            blind = time.monotonic() - seen_at > _BLIND_FOR
            changed = verdict["status"] == probes.FAIL
            if blind or changed or self._ended():
                return verdict
            self._pause(_UNIT_EVERY)

    def _ask(self, index: int) -> None:
        question = self.args["probes"][index]
        while True:
            failures = 0
            while not self._passed(index, question):
                failures += 1
                if failures > self.args["retries"]:
                    self.over.set()
                    return
                if self._wait(self.args["retry_delay"]):
                    return
            if self._left() <= 0 or self._wait(min(self.args["every"], self._left())):
                return

    def _passed(self, index: int, question: dict[str, Any]) -> bool:
        # ``over`` ends a command probe early; what it would have said then is not knowledge.
        try:
            verdict = probes.probe(question, question["answer"], self.over)
            if not self.over.is_set() or verdict["status"] == probes.PASS:
                self.verdicts[index] = verdict
        finally:
            self.silent.discard(index)
        return bool(verdict["status"] == probes.PASS)

    def _wait(self, seconds: float) -> bool:
        return self.over.wait(seconds)

    def _pause(self, seconds: float) -> None:
        if self.call.cancelled.is_set():
            raise Cancelled
        left = self._left()
        self.over.wait(min(seconds, left) if left > 0 else seconds)

    def _ended(self) -> bool:
        return self.over.is_set() or (self._left() <= 0 and not self.silent)

    def _left(self) -> float:
        return self.until - time.monotonic()


def compare(unit: str, identity: dict[str, str]) -> dict[str, Any]:
    """Whether a unit still is what it was."""
    began = time.monotonic()
    names = list(identity) or ["ActiveState"]
    shown = units.show(unit, names)
    changed = [
        f"{name} {wanted} → {shown.get(name, '')}"
        for name, wanted in identity.items()
        if shown.get(name, "") != wanted
    ]
    same = ", ".join(f"{name}={shown.get(name, '')}" for name in names)
    return {
        "status": probes.FAIL if changed else probes.PASS,
        "check": "unit",
        "asked": f"systemctl show {unit}",
        "answer": ", ".join(changed) or same,
        "wanted": ", ".join(f"{name}={wanted}" for name, wanted in identity.items()),
        "elapsed": round(time.monotonic() - began, 6),
    }


def _unseen(unit: str, fault: Fault) -> dict[str, Any]:
    answer = probes.one_line(f"{fault.what}: {fault.evidence}")
    verdict = {"status": probes.INCONCLUSIVE, "check": "unit", "asked": f"systemctl show {unit}"}
    return {**verdict, "answer": answer, "wanted": "an answer", "elapsed": 0.0}


def _not_enough(verdict: dict[str, Any], in_a_row: int, args: dict[str, Any]) -> dict[str, Any]:
    # All may have passed just now, yet not often enough: that must not be taken for health.
    if verdict["status"] != probes.PASS or not in_a_row:
        return verdict
    answer = f"{verdict['answer']} ({in_a_row} of {args['passes']} in a row)"
    wanted = f"{args['passes']} passes in a row within {args['within']:g} s"
    return {**verdict, "status": probes.INCONCLUSIVE, "answer": answer, "wanted": wanted}


def _not_asked(question: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": probes.INCONCLUSIVE,
        "check": question["name"],
        "asked": question["name"],
        "answer": "not answered before the watch ended",
        "wanted": "an answer",
        "elapsed": 0.0,
    }


def _thread(work: Callable[[int], None], index: int) -> threading.Thread:
    thread = threading.Thread(target=work, args=(index,), daemon=True)
    thread.start()
    return thread
