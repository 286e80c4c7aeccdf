"""The configuration files of one service, on any of its hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gapless.config.project import ProjectConfig
from gapless.config.secrets import SecretValue, resolve_secrets
from gapless.config.template_names import references_for
from gapless.drivers.config_files.base import ABSENT, LiveFile, RenderedFile
from gapless.drivers.config_files.host import look
from gapless.drivers.config_files.marks import Marks
from gapless.drivers.config_files.rendering import Rendering, Written, needed
from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.transports.base import Transport
from gapless.hostside.veil import veil


@dataclass(frozen=True, slots=True)
class RenderedConfig:
    """All files of one instance, and the mark of them together."""

    mark: str
    files: tuple[RenderedFile, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """What is on a host at the paths of all files, and the mark of that."""

    mark: str
    files: tuple[LiveFile, ...]


class ConfigSecrets:
    """Values that templates ask for, read once for all hosts; shown to nobody."""

    def __init__(self) -> None:
        self._values: dict[str, SecretValue] = {}

    async def read(self, references: Iterable[str]) -> None:
        """Read those that were not read yet. Raises UsageError, which names the reference."""
        wanted = {name: name for name in references if name not in self._values}
        found = await resolve_secrets(wanted)
        self._values.update((name, SecretValue(value)) for name, value in found.items())

    def value(self, reference: str) -> str:
        """One of those that were read."""
        return self._values[reference].reveal()


class ConfigFiles:
    """Renders, and looks; ``secrets`` are shared by the services of a rollout. ``written``: see
    ``Rendering``."""

    def __init__(
        self,
        project: ProjectConfig,
        service: str,
        marks: Marks,
        secrets: ConfigSecrets,
        written: Written | None = None,
    ) -> None:
        self._project = project
        self._service = service
        self._secrets = secrets
        self._rendering = Rendering(project, secrets.value, written)
        self._owners = {f.to: f.owner or "" for f in project.services[service].config}
        self.marks = marks

    async def render(self, hosts: Iterable[str], release: str) -> Mapping[str, RenderedConfig]:
        """By host. Raises UsageError (a secret cannot be read) or ConfigError with the problems of
        all hosts. Templates, files and secrets are read once: what is edited while a rollout is
        under way is of no concern to it."""
        wanted = list(hosts)
        await self._secrets.read(needed(self._project, ((self._service, h) for h in wanted)))
        found = {host: self._rendering.files(self._service, host, release) for host in wanted}
        self._rendering.raise_if_any()
        return {host: RenderedConfig(self.marks.of_rendered(f), f) for host, f in found.items()}

    async def live(self, transport: Transport) -> LiveConfig:
        """What is there now."""
        files = await look(transport, self._owners)
        return LiveConfig(self.marks.of_live(files), files)

    async def copied(self, transport: Transport, copies: Mapping[str, str]) -> str:
        """The mark of files of which copies lie elsewhere on the host, as if they were in their
        places. ``copies``: path to where its copy lies; the other paths had nothing there."""
        owners = {copy: self._owners[path] for path, copy in copies.items()}
        found = {file.path: file for file in await look(transport, owners)} if owners else {}
        return self.marks.of_live(
            replace(found[copies[path]], path=path) if path in copies else LiveFile(path, ABSENT)
            for path in self._owners
        )

    def veiled(self, host: str, text: str) -> str:
        """What a program said about a file, without the secrets that may be in it."""
        references = references_for(self._project, self._service, host).values()
        hidden = secret_forms(self._secrets.value(reference) for reference in references)
        return veil(text.encode("utf-8", "replace"), hidden).decode("utf-8", "replace")
