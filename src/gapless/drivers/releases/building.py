"""The build of a release: once for each key, in a clean place, before any host is touched.

1. The key is a digest of the lock files' names and contents, the command, what it leaves, its
   environment (of secrets: their names) and the platform.
2. What was built for the key before is used again, after a look at its digest.
3. Two builds of one key at the same time are one: the second waits and uses the first's.
4. The command runs in a fresh copy of the source, with nothing of our environment.
5. What it leaves is examined (``build_examined``) and becomes an artifact: kept privately, called
   after its content.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gapless.config.building import BuildConfig
from gapless.config.secrets import resolve_secrets
from gapless.drivers.releases.build_examined import objection
from gapless.drivers.releases.build_here import BuildHere, platform_here
from gapless.drivers.releases.build_there import BuildThere
from gapless.drivers.releases.build_work import Place, Work
from gapless.drivers.releases.built import Artifact, Artifacts
from gapless.drivers.releases.telling import tell
from gapless.drivers.releases.workshop import locked
from gapless.drivers.transports.base import Transport
from gapless.errors import BuildFailed, UsageError
from gapless.hostside.files import digest_of
from gapless.model import Command, Completed

_LINES = 20
_SLACK = 600.0
_SHOWN = 12
_NAMED = 10


class Building:
    """The build of one service."""

    def __init__(
        self,
        config: BuildConfig,
        connect: Callable[[str], Transport],
        artifacts: Artifacts,
        service: str,
    ) -> None:
        self._config = config
        self._connect = connect
        self._service = service
        self.artifacts = artifacts

    def platform_here(self) -> str:
        """What the output would be tied to, as far as that is known without asking a host."""
        return self._config.platform or (self._config.on or platform_here())

    async def artifact(self, source: Path, time: int) -> Artifact:
        """What the build leaves of ``source``, built if need be; ``time`` is the source's."""
        place = self._place()
        try:
            platform = self._config.platform or await place.platform()
            key = self.key(source, platform)
            known = await asyncio.to_thread(self.artifacts.of, key)
            if known is not None:
                return known
            async with locked(
                self.artifacts.lock(key), self._config.timeout + _SLACK, self._waiting
            ):
                known = await asyncio.to_thread(self.artifacts.of, key)
                return known or await self._build(place, key, source, time)
        finally:
            await place.close()

    def key(self, source: Path, platform: str) -> str:
        """What decides the output."""
        config, total = self._config, hashlib.sha256()
        settings = [config.run, config.keep, sorted(config.env.items()), sorted(config.secrets)]
        total.update(json.dumps([settings, platform]).encode())
        for name in self._locks(source):
            total.update(f"\0{name}\0{digest_of(str(source / name))}".encode())
        return total.hexdigest()[:32]

    def _locks(self, source: Path) -> Iterator[str]:
        for pattern in self._config.key:
            found = sorted(str(path.relative_to(source)) for path in source.glob(pattern))
            if not found:
                raise self._without(pattern, sorted(path.name for path in source.iterdir()))
            yield from found

    def _without(self, pattern: str, there: Sequence[str]) -> UsageError:
        more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
        held = f"{', '.join(there[:_NAMED])}{more}" if there else "nothing"
        return UsageError(
            f"release.build.key: nothing in the release matches {pattern}",
            where=self._service,
            evidence=f"looked for {', '.join(self._config.key)}\nthe release holds {held}",
            next=f"correct release.build.key, then gapless build {self._service}",
        )

    def _place(self) -> Place:
        if self._config.on is None:
            return BuildHere()
        return BuildThere(self._connect(self._config.on))

    def _waiting(self, holder: str) -> None:
        tell(f"{self._service}: the same is being built already ({holder}); waiting for it")

    async def _build(self, place: Place, key: str, source: Path, time: int) -> Artifact:
        config = self._config
        where = f" on {config.on}" if config.on else ""
        tell(f"{self._service}: building {', '.join(config.keep)}{where} (key {key[:_SHOWN]})")
        with self.artifacts.incoming() as incoming:
            left = incoming / "left"
            left.mkdir()
            work = Work(source, incoming, left, config.keep)
            secrets = await resolve_secrets(config.secrets)
            env = {"SOURCE_DATE_EPOCH": str(time), **config.env}
            command = Command(config.run, timeout=config.timeout, env=env, secrets=secrets)
            done = await place.build(work, command)
            if not done.ok:
                raise self._failed(done)
            if found := await asyncio.to_thread(objection, left, config.keep, secrets):
                raise self._refused(*found)
            artifact = self.artifacts.accept(key, left, config.keep, done.elapsed)
        tell(f"{self._service}: {artifact.told()}")
        return artifact

    def _failed(self, done: Completed) -> BuildFailed:
        limit = f"did not end within {self._config.timeout:g} s"
        what = limit if done.timed_out else f"ended with status {done.status}"
        where = f" on {self._config.on}" if self._config.on else ""
        return self._refused(
            f"the build{where} {what}", f"$ {Command(done.argv)}\n{last_lines(done)}".rstrip()
        )

    def _refused(self, what: str, evidence: str) -> BuildFailed:
        again = f"gapless build {self._service}"
        return BuildFailed(what, where=self._service, evidence=evidence, next=again)


def last_lines(done: Completed) -> str:
    """The end of both streams: compilers complain on either."""
    told = [*done.stdout.splitlines()[-_LINES:], *done.stderr.splitlines()[-_LINES:]]
    return "\n".join(told)
