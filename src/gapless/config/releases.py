"""``release:`` and ``migrate:`` — what is deployed and what its data needs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gapless.config.base import Section
from gapless.config.building import BuildConfig
from gapless.config.git_url import GitRef, GitSshConfig, GitUrl
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
    """Prints the live schema version (an integer), in the folder of the live release; before the
    first one it may be missing. Default: migrate.current."""
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
        if self.bump and not any("{version}" in word for word in self.bump):
            raise ValueError("bump needs {version}: what the older release is to declare")
        if self.bump and not self.current:
            raise ValueError("bump needs current: only a schema that really rose is bumped over")
        return self


SOURCES = ("directory", "git", "archive")
"""What a release may come from."""
_BELONGS = {"ref": "git", "fetch": "git", "submodules": "git", "ssh": "git", "sha256": "archive"}


class ReleaseConfig(Section):
    """What is deployed and where to."""

    directory: str | None = None
    """Directory on the machine gapless runs on; its content is the release."""
    git: GitUrl | None = None
    """Git repository: a path on the machine gapless runs on, or an address (file, ssh, https). It
    is only read."""
    ref: GitRef | None = None
    """Branch, tag or commit of the repository; default: its default branch. It is looked up once,
    when the plan is made."""
    fetch: Literal["controller", "host"] = "controller"
    """Who brings a commit to hosts: ``controller`` sends its files over the connection there is,
    with ``host`` each host fetches it from the repository itself, which needs git there."""
    submodules: Flag = True
    """Whether submodules come along."""
    ssh: GitSshConfig | None = None
    """How git reaches the repository by ssh, where its defaults do not do."""
    archive: str | None = None
    """Archive (.tar, .tar.gz, .tar.xz, .tar.zst or .zip): a file on the machine gapless runs on, or
    an https address, which needs sha256."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """What the archive's content must be."""
    build: BuildConfig | None = None
    """What is made of the source once, such as its dependencies."""
    to: str
    """Folder on the host: holds releases/NAME and the link ``current``; with in_place the content
    itself."""
    in_place: Flag = False
    """Copy over the live folder instead of switching a link; the old content is kept aside for the
    way back."""
    exclude: Names = ()
    """rsync patterns left out."""
    keep: Positive = 5
    """Releases kept on the host besides the current and the last good one. Of what is made on the
    machine gapless runs on (git, archive, build) as many are kept there, and what a host needs."""
    owner: str | None = None
    """user:group of the files; default: the login's."""
    schema_: Annotated[SchemaConfig | None, Field(alias="schema")] = None
    """Schema version the release declares."""

    @model_validator(mode="after")
    def _a_source(self) -> Self:
        given = [kind for kind in SOURCES if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one source of the release: {', '.join(SOURCES)}")
        for key, kind in _BELONGS.items():
            if given != [kind] and key in self.model_fields_set:
                raise ValueError(f"{key} belongs to {kind}")
        if self.archive and self.archive.startswith("http://"):
            raise ValueError("an archive comes from a file or an https address")
        if self.archive and self.archive.startswith("https://") and self.sha256 is None:
            raise ValueError("an archive from an address needs its sha256")
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
    """Takes the schema back to {version}, when a rollout goes back and the schema rose; needs
    current, which tells the version before. Without it the schema stays; a release that declares
    its schema version and could not go back past it is refused beforehand."""
