"""A source whose releases are made on the controller and kept there.

1. The source says what is meant (a commit, an archive); with the settings that decides the content.
2. What was made of the same before is used again, after a look at its digest.
3. Otherwise: its files into an empty folder, without what is excluded; the build's output beside
   them; then the digest, and by it the name.
4. A release is had again by its name: what was kept, else what the source still has of it, if that
   comes to the very same digest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.aside import finish
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.building import Building
from gapless.drivers.releases.built import Artifact, Artifacts, add
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.releases.directory_source import Source
from gapless.drivers.releases.excludes import take_out
from gapless.drivers.releases.kept_store import KeptStore, Record
from gapless.drivers.releases.origin import Identity, Origin
from gapless.drivers.releases.workshop import Workshop, explained, short_hash
from gapless.errors import GaplessError, ReleaseGone, StalePlan
from gapless.hostside.files import digest_of

SHORT = 8
"""Hex digits of the digest behind a label."""


class KeptSource:
    """The releases of one service; what is meant now is found out once a process."""

    def __init__(
        self,
        config: ReleaseConfig,
        service: str,
        places: Places,
        workshop: Workshop,
        origin: Origin,
    ) -> None:
        self.where = origin.where
        self._config = config
        self._service = service
        self._places = places
        self._origin = origin
        self._workshop = workshop
        # The same service out of the same source is the same in every environment.
        self._shelf = f"{service}-{short_hash(origin.where)[:SHORT]}"
        self._lock = Lock()
        self._resolved: dict[str, ReleaseRef] = {}

    @cached_property
    def store(self) -> KeptStore:
        """What is kept; nothing is made on this machine before it is asked for."""
        return KeptStore(self._workshop.place("releases", self._shelf))

    @cached_property
    def _building(self) -> Building | None:
        build = self._config.build
        if build is None:
            return None
        artifacts = Artifacts(self._workshop.place("artifacts", self._shelf))
        return Building(build, self._workshop.connect, artifacts, self._service)

    def resolve(self, name: str = "") -> ReleaseRef:
        """What is meant now, or the release called ``name``; ReleaseGone when it is not to be
        had."""
        with self._lock:
            if name not in self._resolved:
                with explained(self._workshop.folder):
                    made = finish(self._named(name) if name else self._now())
                self._resolved[name] = self._resolved[made.name] = made
            return self._resolved[name]

    def folder(self, ref: ReleaseRef) -> Path:
        """The files of a release that was resolved."""
        return self.store.folder(ref.name)

    def check(self, ref: ReleaseRef) -> None:
        """Have the release that was planned; StalePlan when it is not the same any more.

        A rollout takes its time, and others make releases meanwhile: what is being brought is in
        use, and what went all the same is made again."""
        if not self.folder(ref).is_dir():
            self._resolved.pop(ref.name, None)
        made = self.resolve(ref.name)
        self.store.used(ref.name)
        if made.digest != ref.digest:
            raise StalePlan(
                "the release is not the one that was planned",
                where=self.where,
                evidence=f"planned {ref.name} ({ref.digest}), is {made.name} ({made.digest})",
                next=f"gapless plan deploy {self._service}",
            )

    def digest_now(self, ref: ReleaseRef) -> str:
        """What the files to be sent are, now."""
        return digest_of(str(self.folder(ref)))

    def more(self, ref: ReleaseRef) -> dict[str, Any]:
        """What source and build said of a kept release."""
        record = self.store.told(ref.name)
        return dict(record.more) if record else {}

    def needed_by(self, host: str, names: tuple[str, ...]) -> None:
        """Write down what a host needs; what nobody needs goes when the next release is made."""
        with contextlib.suppress(OSError):  # then it is kept for longer, which harms nobody
            self.store.needed_by(f"{host} {self._places.top}", names)

    async def _now(self) -> ReleaseRef:
        with self._of_the_service():
            identity = await self._origin.identify()
        return await self._made(identity)

    async def _named(self, name: str) -> ReleaseRef:
        kept = await asyncio.to_thread(self.store.named, name)
        if kept is not None:
            self.store.used(name)
            return replace(self._placed(kept.ref), built=_artifact(kept, again=True))
        with self._of_the_service():
            identity = await self._origin.recall(name)
        if identity is None:
            raise self._gone(name, f"neither kept nor in {self.where}")
        made = await self._made(identity)
        if made.name != name:
            raise self._gone(name, f"{self.where} with today's settings gives {made.name}")
        return made

    async def _made(self, identity: Identity) -> ReleaseRef:
        recipe = self._recipe(identity)
        record = await asyncio.to_thread(self.store.made_by, recipe)
        known = record is not None
        record = record or await self._make(identity, recipe)
        self.store.used(record.ref.name)
        built = _artifact(record, again=known)
        notes = (*identity.notes, *((built.told(),) if built else ()))
        return replace(self._placed(record.ref), notes=notes, built=built)

    async def _make(self, identity: Identity, recipe: str) -> Record:
        with self.store.incoming() as beside:
            files = beside / "files"
            files.mkdir()
            with self._of_the_service():
                await self._origin.unpack(identity, files, beside)
            Source(self._config, self._service, self._places).check_patterns()
            removed = await asyncio.to_thread(take_out, files, self._config.exclude)
            artifact = await self._build(files, identity)
            ref = await asyncio.to_thread(self._read, files, identity, artifact)
            more: dict[str, Any] = {
                "parts": [[part.path, part.url, part.commit] for part in identity.parts],
                "excluded": removed,
                **(artifact.to_json() if artifact else {}),
            }
            record = Record(ref, recipe, more)
            await asyncio.to_thread(self.store.accept, files, record)
        self.store.used(record.ref.name)
        await asyncio.to_thread(self._prune)
        return record

    def _prune(self) -> None:
        """Leave the newest, and what a host runs or would go back to."""
        self.store.prune(self._config.keep)
        if self._building is not None:
            held = {record.ref.artifact for record in self.store.records()}
            self._building.artifacts.prune(held, self._config.keep)

    async def _build(self, files: Path, identity: Identity) -> Artifact | None:
        if self._building is None:
            return None
        artifact = await self._building.artifact(files, identity.time)
        await asyncio.to_thread(add, artifact, files)
        return artifact

    def _read(self, files: Path, identity: Identity, artifact: Artifact | None) -> ReleaseRef:
        """Nothing is left out here any more."""
        whole = self._config.model_copy(update={"directory": str(files), "exclude": ()})
        ref = Source(whole, self._service, self._places).resolve()
        name = f"{identity.label}-{ref.digest[:SHORT]}" if identity.label else ref.name
        return replace(
            ref,
            name=name,
            path=self._places.version(name),
            commit=identity.commit,
            artifact=artifact.digest if artifact else "",
        )

    def _recipe(self, identity: Identity) -> str:
        build = self._config.build.model_dump(mode="json") if self._config.build else None
        settings = {
            "exclude": list(self._config.exclude),
            "build": build,
            "schema": self._config.schema_.model_dump(mode="json")
            if self._config.schema_
            else None,
            "platform": self._building.platform_here() if self._building else "",
        }
        return short_hash(identity.key, json.dumps(settings, sort_keys=True))

    def _placed(self, ref: ReleaseRef) -> ReleaseRef:
        return replace(ref, path=self._places.version(ref.name))

    @contextlib.contextmanager
    def _of_the_service(self) -> Iterator[None]:
        """The source knows itself alone: whose release it was to be stands in its errors, too."""
        try:
            yield
        except GaplessError as error:
            error.where = f"{self._service}, release from {error.where or self.where}"
            raise

    def _gone(self, name: str, evidence: str) -> ReleaseGone:
        return ReleaseGone(
            f"release {name} cannot be had any more",
            where=self._service,
            evidence=evidence,
            next=f"gapless plan deploy {self._service}",
        )


def _artifact(record: Record, *, again: bool) -> Artifact | None:
    """What the build left, and whether it was built for this or ``again`` used."""
    if not record.ref.artifact:
        return None
    artifact = Artifact.from_json(record.more)
    return replace(artifact, built=False) if again else artifact
