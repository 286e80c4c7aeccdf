"""``release:`` and ``migrate:`` — what is deployed and what its data needs."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from gapless.config.base import Section
from gapless.config.quantities import Argv, Count, Flag, Limit, Names, Positive, Secret


class SchemaConfig(Section):
    """Which schema version a release needs, so that going back past a migration is refused."""

    version: Count | None = None
    """The version this release works with."""
    file: str | None = None
    """File in the release that holds the version (an integer)."""
    reads: tuple[Count, Count] | None = None
    """Oldest and newest version this release can live with; default: exactly its own."""
    at_start: Flag = False
    """Whether the service itself applies its schema when it starts, without a migration."""
    current: Argv | None = None
    """Prints the live schema version (an integer), in the folder of the live release; default:
    migrate.current."""
    bump: Argv | None = None
    """Run in the folder of an older release before it is gone back to, on every host: makes it
    declare {version}, one more than the release that is taken back, so that data which refuses
    lower versions takes it. Must be harmless when it was done already."""

    @model_validator(mode="after")
    def _one_version(self) -> Self:
        if (self.version is None) == (self.file is None):
            raise ValueError("give exactly one of version, file")
        if self.reads and self.reads[0] > self.reads[1]:
            raise ValueError("reads is the oldest, then the newest version")
        if self.bump and not self.current:
            raise ValueError("bump needs current: only a schema that really rose is bumped over")
        return self


class ReleaseConfig(Section):
    """What is deployed and where to."""

    directory: str | None = None
    """Directory on the machine gapless runs on; its content is the release."""
    to: str
    """Folder on the host: holds releases/NAME and the link ``current``; with in_place the content
    itself."""
    in_place: Flag = False
    """Copy over the live folder instead of switching a link; the old content is kept aside for the
    way back."""
    exclude: Names = ()
    """rsync patterns left out."""
    keep: Positive = 5
    """Releases kept on the host besides the current and the last good one."""
    owner: str | None = None
    """user:group of the files; default: the login's."""
    schema_: Annotated[SchemaConfig | None, Field(alias="schema")] = None
    """Schema version the release declares."""

    @model_validator(mode="after")
    def _a_source(self) -> Self:
        if self.directory is None:
            raise ValueError("give the release's source: directory")
        return self

    @model_validator(mode="after")
    def _bumped_beside(self) -> Self:
        if self.in_place and self.schema_ and self.schema_.bump:
            raise ValueError(
                "schema.bump changes an older release beside the live one: not in_place"
            )
        return self


class MigrateConfig(Section):
    """A schema change, run once per service before its first instance."""

    run: Argv
    """The migration; runs in the new release on the first host."""
    cwd: str | None = None
    """Working directory; default: the new release, else the unit's own WorkingDirectory, else the
    login's home."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables; what must stay secret belongs to secrets."""
    secrets: dict[str, Secret] = Field(default_factory=dict)
    """Environment variables read from env:, file: or command: at the moment of use."""
    user: str | None = None
    """Run as this user."""
    timeout: Limit = 600.0
    """Limit; a migration that does not end is stopped with all its processes and counts as
    failed."""
    current: Argv | None = None
    """Prints the live schema version (an integer)."""
    down: Argv | None = None
    """Takes the schema back to {version}; without it going back past a migration is refused."""
