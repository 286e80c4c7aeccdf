"""Every error gapless raises on purpose.

    GaplessError                     code    exit
    ├── UsageError                   GL-101   2   the command line cannot be carried out
    ├── ConfigError                  GL-102   2   gapless.yaml has problems (all are listed)
    ├── Refused                      GL-201   3   nothing was changed, and why
    │   ├── PreflightFailed          GL-202   3   an instance is not fit to be touched
    │   ├── StalePlan                GL-203   3   the world moved since the plan was made
    │   ├── FloorBroken              GL-204   3   too few instances would serve
    │   ├── NoWayBack                GL-205   3   the release cannot be taken back from here
    │   ├── ReleaseGone              GL-206   3   the version asked for cannot be had any more
    │   └── BuildFailed              GL-207   3   the build of a release failed or did not end
    ├── LockHeld                     GL-301   6   another rollout owns the service
    ├── StepError                    GL-401   -   a step did not reach its goal
    │   ├── NotReady                 GL-402   -   checks on the new instance did not pass in time
    │   ├── Unstable                 GL-403   -   crash, restart or failed check during the soak
    │   ├── ActionFailed             GL-404   -   a command on the host answered with an error
    │   ├── MigrationFailed          GL-405   -   the migration failed or did not end
    │   ├── TrafficError             GL-406   -   a balancer did not report the state asked for
    │   ├── NotRestored              GL-407   -   the way back failed: a person is needed
    │   ├── UndoRequested            GL-408   -   a person asked for the current batch to be undone
    │   └── ClusterError             GL-409   -   a cluster did not do what it was told
    ├── TransportError               GL-501   -   the host could not be spoken to
    │   ├── Unreachable              GL-502   -   no connection
    │   ├── HostKeyRejected          GL-503   -   the host is not the one we know
    │   ├── AuthenticationFailed     GL-504   -   the host does not let us in
    │   ├── PrivilegeRefused         GL-505   -   sudo without a password is not allowed
    │   ├── LostContact              GL-506   -   the connection broke while something was under way
    │   ├── DeadlineExceeded         GL-507   -   no answer within the limit
    │   ├── FenceRefused             GL-508   -   the host obeys a newer rollout
    │   └── HostFault                GL-509   -   the host-side helper could not do what was asked
    ├── SourceUnavailable            GL-551   1   a source of evidence does not answer
    └── JournalError                 GL-601   1   the journal cannot be read or written

Each carries what happened, where, the evidence and the next command; ``render`` turns that into
words. The step and transport branches have no exit code of their own: the rollout's outcome has.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from gapless.model import Verdict


class FailureKind(StrEnum):
    """Why a step did not succeed; each is counted and shown apart."""

    FAILED = "failed"
    TIMED_OUT = "timed out"
    LOST_CONTACT = "lost contact"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file, at a place a person can jump to."""

    file: str
    line: int
    column: int
    text: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: {self.text}"
        return f"{place} — {self.hint}" if self.hint else place


class GaplessError(Exception):
    """What happened, where, the evidence, and the command that helps."""

    code: ClassVar[str] = "GL-100"
    exit_code: ClassVar[int] = 1
    kind: ClassVar[FailureKind] = FailureKind.FAILED

    def __init__(self, what: str, *, where: str = "", evidence: str = "", next: str = "") -> None:  # noqa: A002
        super().__init__(what)
        self.what = what
        self.where = where
        self.evidence = evidence
        self.next = next

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class UsageError(GaplessError):
    """The command line cannot be carried out."""

    code = "GL-101"
    exit_code = 2


class ConfigError(GaplessError):
    """The configuration has problems; all of them are listed."""

    code = "GL-102"
    exit_code = 2

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = len(problems)
        super().__init__(
            f"{count} problem{'s' if count != 1 else ''} in the configuration",
            where=problems[0].file if problems else "",
            evidence="\n".join(str(problem) for problem in problems),
            next="gapless check",
        )
        self.problems = problems


class Refused(GaplessError):
    """Nothing was changed, and why."""

    code = "GL-201"
    exit_code = 3
    kind = FailureKind.REFUSED


class PreflightFailed(Refused):
    """An instance is not fit to be touched; ``forcible`` tells whether ``--force`` is for that."""

    code = "GL-202"
    forcible = False


class StalePlan(Refused):
    """The world moved since the plan was made."""

    code = "GL-203"


class FloorBroken(Refused):
    """Too few instances would serve."""

    code = "GL-204"


class NoWayBack(Refused):
    """The release cannot be taken back from here."""

    code = "GL-205"


class ReleaseGone(Refused):
    """The version asked for cannot be had any more: neither from its source nor from what the
    controller kept."""

    code = "GL-206"


class BuildFailed(Refused):
    """The build of a release failed or did not end; no host was touched."""

    code = "GL-207"


class LockHeld(GaplessError):
    """Another rollout owns the service."""

    code = "GL-301"
    exit_code = 6
    kind = FailureKind.REFUSED


class StepError(GaplessError):
    """A step did not reach its goal; ``verdict`` is the answer that decided, where one did, and
    ``log`` what the new copy said last, where that is known already."""

    code = "GL-401"
    exit_code = 5
    verdict: Verdict | None = None
    log: str | None = None


class NotReady(StepError):
    """Checks on the new instance did not pass in time."""

    code = "GL-402"
    kind = FailureKind.TIMED_OUT


class Unstable(StepError):
    """A crash, a restart or a failed check during the soak."""

    code = "GL-403"


class ActionFailed(StepError):
    """A command on the host answered with an error."""

    code = "GL-404"


class MigrationFailed(StepError):
    """The migration failed or did not end."""

    code = "GL-405"


class TrafficError(StepError):
    """A balancer did not report the state asked for."""

    code = "GL-406"


class NotRestored(StepError):
    """The way back failed: a person is needed."""

    code = "GL-407"


class UndoRequested(StepError):
    """A person asked for the current batch to be undone."""

    code = "GL-408"
    kind = FailureKind.CANCELLED


class ClusterError(StepError):
    """A cluster did not do what it was told, or cannot tell how it stands."""

    code = "GL-409"


class TransportError(GaplessError):
    """The host could not be spoken to."""

    code = "GL-501"
    exit_code = 3


class Unreachable(TransportError):
    """No connection to the host."""

    code = "GL-502"


class HostKeyRejected(TransportError):
    """The host is not the one we know."""

    code = "GL-503"
    kind = FailureKind.REFUSED


class AuthenticationFailed(TransportError):
    """The host does not let us in."""

    code = "GL-504"
    kind = FailureKind.REFUSED


class PrivilegeRefused(TransportError):
    """Sudo without a password is not allowed."""

    code = "GL-505"
    kind = FailureKind.REFUSED


class LostContact(TransportError):
    """The connection broke while something was under way."""

    code = "GL-506"
    kind = FailureKind.LOST_CONTACT


class DeadlineExceeded(TransportError):
    """No answer within the limit."""

    code = "GL-507"
    kind = FailureKind.TIMED_OUT


class FenceRefused(TransportError):
    """The host obeys a newer rollout; this controller must stop."""

    code = "GL-508"
    kind = FailureKind.REFUSED


class HostFault(TransportError):
    """The host-side helper could not do what was asked (disk full, read-only, no such file …)."""

    code = "GL-509"


class SourceUnavailable(GaplessError):
    """What counts errors (logs, metrics) does not answer, or answers what nobody can read: nothing
    is known, which is neither good nor bad."""

    code = "GL-551"


class JournalError(GaplessError):
    """The journal cannot be read or written."""

    code = "GL-601"
