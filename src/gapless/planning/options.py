"""What a person may say about one rollout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gapless.config.ordering import parse_canary
from gapless.config.quantities import parse_amount
from gapless.drivers.config_files.files import RenderedConfig
from gapless.drivers.config_files.marks import Marks
from gapless.drivers.releases.base import ReleaseRef
from gapless.errors import UsageError
from gapless.planning.catch_up import CatchUp


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Options of the command line that change a plan; None leaves what the file says."""

    batch: int | str | None = None
    canary: int | str | tuple[str, ...] | None = None
    """How many go first; or which, as a ``--hosts`` expression."""
    max_failed: int | None = None
    on_failure: str | None = None
    skip_migrations: bool = False
    no_way_back: bool = False
    """Whether a schema may rise past what the replaced release can live with."""
    force: str = ""
    """Reason for going on without health gates."""

    def __post_init__(self) -> None:
        for name, parse in (("batch", parse_amount), ("canary", parse_canary)):
            object.__setattr__(self, name, _parsed(name, getattr(self, name), parse))
        if self.batch == 0:
            raise UsageError("--batch 0 replaces nothing", next="give 1 or more, or a share: 25%")
        if self.max_failed is not None and self.max_failed < 0:
            raise UsageError("--max-failed cannot be negative", next="give 0 or more")
        if self.on_failure not in (None, "rollback", "stop", "pause"):
            raise UsageError(
                "--on-failure is one of rollback, stop, pause", next="gapless explain on_failure"
            )


def _parsed(name: str, value: object, parse: Callable[[object], object]) -> object:
    try:
        return None if value is None else parse(value)
    except ValueError as error:
        raise UsageError(f"--{name}: {error}", next=f"gapless explain rollout.{name}") from None


@dataclass(frozen=True, slots=True)
class Target:
    """What a deploy brings to a service.

    ``unit_file`` is the sha256 of the unit or run file that comes with it, "" when there is none.
    """

    release: ReleaseRef | None = None
    unit_file: str = ""
    promoted: str = ""
    """Where it was verified before, when it is promoted."""
    catch_up: CatchUp | None = None
    """Who missed it, when hosts are caught up: only those get it."""
    config: Mapping[str, RenderedConfig] = field(default_factory=dict)
    """Configuration files by host."""
    marks: Marks | None = None
    """What marks configuration, where it is brought."""
    notes: tuple[str, ...] = ()
    """What the plan says of it."""
