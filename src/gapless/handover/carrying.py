"""What is done about one event, the same in both faces: steps for a driver that can wait.

1. Without a lock that is on, the handler is called.
2. At most once: claim as done, act. At least once, and with the event's key: claim as pending, act,
   mark as done. In a transaction: claim, act and commit are one.
3. A claim that was not won is left to the other copy. While it is pending, the event is watched;
   when its owner is dead, it is claimed again.
4. No answer is neither: the policy says what happens, and it is counted.
5. A handler that raised has handled its event. One that was cancelled has not: the claim stays
   pending, for the one who survives.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gapless.handover.claims.store import Answer, NoAnswer
from gapless.handover.copy import Copy
from gapless.handover.work import Outcome, Work

TRANSACTION_LIMIT = 10.0
"""Seconds that a claim waits for the handler of another copy."""


@dataclass(frozen=True)
class Ask:
    """The lock. Raises NoAnswer."""

    call: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    limit: float = 1.0


@dataclass(frozen=True)
class Act:
    """The handler."""

    handle: Callable[..., Any]
    arguments: tuple[Any, ...]


Script = Generator[Ask | Act, Any, Outcome]


class _Verdict(Enum):
    WON = "won"
    UNCLAIMED = "no claim is needed, or none can be had and the policy is open"
    LEFT = "another copy has it"
    DROP = "no claim can be had and the policy is closed"


def carry_out(copy: Copy, work: Work) -> Script:
    """For an event that this copy is to handle."""
    if work.level == "transactional":
        return _in_transaction(copy, work)
    return _claimed_first(copy, work) if copy.claims_needed else _acted(copy, work)


def claim_again(copy: Copy, work: Work) -> Script:
    """What was watched, whether or not the lock is still on."""
    return _claimed_first(copy, work)


def _acted(copy: Copy, work: Work) -> Script:
    try:
        yield Act(work.handle, _arguments(work))
    finally:
        copy.count("handled")
    return Outcome.HANDLED


def _arguments(work: Work) -> tuple[Any, ...]:
    return (work.event, work.id) if work.level == "idempotent-key" else (work.event,)


def _claimed_first(copy: Copy, work: Work) -> Script:
    verdict = yield from _claim(copy, work)
    if verdict is _Verdict.LEFT:
        return Outcome.LEFT
    if verdict is _Verdict.DROP:
        return Outcome.DROPPED
    if verdict is _Verdict.UNCLAIMED or work.level == "at-most-once":
        return (yield from _acted(copy, work))
    try:
        outcome = yield from _acted(copy, work)
    except Exception:
        yield from _finished(copy, work)
        raise
    yield from _finished(copy, work)
    return outcome


def _claim(copy: Copy, work: Work) -> Generator[Ask | Act, Any, _Verdict]:
    store = copy.store
    assert store is not None
    try:
        answer: Answer = yield Ask(_claiming(copy, work))
        owner = _rival(copy, work, answer)
        if owner and not (yield Ask(store.is_alive, (owner,))):
            answer = yield Ask(store.take_over, (work.id, owner))
    except NoAnswer as error:
        return _Verdict.UNCLAIMED if copy.no_answer(error) else _Verdict.DROP
    if answer.won:
        copy.count("claims_won")
        return _Verdict.WON
    if rival := _rival(copy, work, answer):
        copy.watch(work, rival)
    else:
        copy.count("claims_lost")
    return _Verdict.LEFT


def _rival(copy: Copy, work: Work, answer: Answer) -> str:
    """Who may die before the event is done. Nobody where it may not be handled a second time."""
    if work.level == "at-most-once" or answer.pending_of == copy.owner:
        return ""
    return answer.pending_of


def _claiming(copy: Copy, work: Work) -> Callable[[], Answer]:
    store = copy.store
    assert store is not None
    return lambda: store.claim(work.id, done=work.level == "at-most-once")


def _finished(copy: Copy, work: Work) -> Generator[Ask | Act, Any, None]:
    assert copy.store is not None
    try:
        yield Ask(copy.store.finish, (work.id,))
    except NoAnswer as error:
        # the effect is there; if this process dies, another one doubles it
        copy.count("lock_errors")
        copy.lock_fails(error)


def _in_transaction(copy: Copy, work: Work) -> Script:
    transaction: Any = None
    claimed, needed = False, copy.claims_needed
    try:
        transaction = yield Ask(copy.begin, (), TRANSACTION_LIMIT)
        # to begin may have taken long: the lock is on or off by now
        if needed or copy.claims_needed:
            if not (yield Ask(transaction.claim, (work.id,), TRANSACTION_LIMIT)):
                yield Ask(transaction.rollback)
                copy.count("claims_lost")
                return Outcome.LEFT
            claimed = True
        yield Act(work.handle, (work.event, transaction.connection))
        yield Ask(transaction.commit)
    except NoAnswer as error:
        # there is no handling without the database
        copy.dropped(error)
        if transaction is not None:
            yield Ask(transaction.rollback)
        return Outcome.DROPPED
    except BaseException:
        if transaction is not None:
            yield Ask(transaction.rollback)
        raise
    if claimed:
        copy.count("claims_won")
    copy.count("handled")
    return Outcome.HANDLED
