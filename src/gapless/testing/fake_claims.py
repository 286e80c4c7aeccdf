"""Who owns which service on a fake host, by the same rules as on a real one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gapless.drivers.transports.base import Claim, Claimed
from gapless.errors import FenceRefused
from gapless.model import Fence

if TYPE_CHECKING:
    from gapless.testing.fake_transport import FakeTransport


@dataclass
class _Record:
    number: int = 0
    rollout: str = ""
    claim: Claim | None = None
    session: FakeTransport | None = None
    released: bool = True

    @property
    def owned(self) -> bool:
        return bool(self.number) and not self.released

    def fence(self, service: str) -> Fence:
        return Fence(service, self.rollout, self.number)


class FakeClaims:
    """Claims and fences of one host; they survive a reboot."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._records: dict[str, _Record] = {}

    def claim(
        self, claim: Claim, session: FakeTransport, *, take_over: bool, over: str = ""
    ) -> Claimed:
        """Grant the next number, or name the owner."""
        record = self._records.setdefault(claim.service, _Record())
        if record.owned and record.rollout not in (claim.rollout, over) and not take_over:
            return Claimed(None, record.claim, self._live(record), self._host)
        record.number += 1
        record.rollout, record.claim, record.session = claim.rollout, claim, session
        record.released = False
        return Claimed(record.fence(claim.service), None, True, self._host)

    def release(self, fence: Fence) -> None:
        """Give back; an old fence gives nothing back."""
        record = self._records.get(fence.service)
        if record is not None and record.owned and record.fence(fence.service) == fence:
            record.released = True

    def holder(self, service: str) -> Claimed:
        """Who owns it now."""
        record = self._records.get(service, _Record())
        if not record.owned:
            return Claimed(None, place=self._host)
        return Claimed(record.fence(service), record.claim, self._live(record), self._host)

    def admit(self, fence: Fence | None) -> None:
        """Refuse an old fence and remember a new one."""
        if fence is None:
            return
        record = self._records.setdefault(fence.service, _Record())
        ours = record.rollout == fence.rollout
        if (
            record.number > fence.number
            or (record.owned and not ours)
            or (record.number == fence.number and (record.released or not ours))
        ):
            raise FenceRefused(
                f"fence {fence.number} of rollout {fence.rollout} is not the newest",
                where=self._host,
                evidence=f"the host obeys {record.number} of rollout {record.rollout}",
            )
        if record.number < fence.number:
            record.number, record.rollout, record.released = fence.number, fence.rollout, False

    @staticmethod
    def _live(record: _Record) -> bool:
        return record.session is not None and record.session.connected
