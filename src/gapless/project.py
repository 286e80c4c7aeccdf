"""A loaded gapless.yaml with its journal and, where they are kept, its connections."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from gapless.clock import Clock, LoopClock
from gapless.config.project import ProjectConfig
from gapless.config.source import Loaded, load_config
from gapless.engine.connections import Connections
from gapless.engine.journal import Journal
from gapless.engine.project_assembly import ProjectAssembly
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.state_home import project_folder


@dataclass
class Project:
    """A loaded gapless.yaml with its journal."""

    loaded: Loaded
    journal: Journal
    folder: Path
    clock: Clock = field(default_factory=LoopClock)
    connections: Connections | None = None
    """Kept between calls; None: each call makes its own. See :func:`connected`."""

    @property
    def config(self) -> ProjectConfig:
        """The whole configuration after overlays and defaults."""
        return self.loaded.project

    @property
    def path(self) -> Path:
        """The file it came from."""
        return self.loaded.path


def load(path: str | Path = "gapless.yaml", environment: str | None = None) -> Project:
    """Read and check a configuration. Raises ConfigError with every problem, or UsageError."""
    loaded = load_config(path, environment)
    folder = project_folder(loaded.project.project, environment)
    return Project(loaded, SqliteJournal(folder), folder)


@contextlib.asynccontextmanager
async def connected(project: Project) -> AsyncIterator[Project]:
    """The project with connections that last as long as the body: a plan and the rollout that
    carries it out then connect to each host once."""
    connections = Connections(project.config.defaults, lasting=True)
    try:
        yield replace(project, connections=connections)
    finally:
        await connections.close()


@contextlib.asynccontextmanager
async def assembled(
    project: Project, config: ProjectConfig | None = None
) -> AsyncIterator[ProjectAssembly]:
    """The drivers of a project (or of another configuration for its hosts), closed after the
    body; kept connections stay open."""
    written = project.loaded.problem if config is None else None
    assembly = ProjectAssembly(
        config or project.config, project.clock, project.connections, written
    )
    try:
        yield assembly
    finally:
        await assembly.close()
