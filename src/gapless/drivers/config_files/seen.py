"""What a plan knows of the configuration on one host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gapless.drivers.config_files.base import FILE, OTHER, Written
from gapless.drivers.config_files.files import ConfigFiles, LiveConfig, RenderedConfig
from gapless.drivers.config_files.host import content
from gapless.drivers.config_files.marks import as_live
from gapless.drivers.transports.base import Transport


@dataclass(frozen=True, slots=True)
class SeenConfig:
    """``contents`` of live files that are to change, None where they cannot be read; ``written`` is
    what the host remembers of what gapless wrote."""

    live: LiveConfig
    contents: Mapping[str, bytes | None] = field(default_factory=dict, repr=False)
    written: Mapping[str, Written] = field(default_factory=dict, repr=False)
    hindered: str = ""
    """What is in the way of the files that are wanted; "" when nothing is."""


def in_the_way(live: LiveConfig) -> str:
    """The first place where no file can be put; "" when there is none."""
    other = (file.path for file in live.files if file.kind == OTHER)
    path = next(other, None)
    return f"{path} is neither a file nor a link" if path else ""


async def see(
    files: ConfigFiles, transport: Transport, remembers: str, wanted: RenderedConfig | None
) -> SeenConfig:
    """Look at one host; ``remembers`` is the name under which it knows the service. Contents are
    read where they are not what is ``wanted``."""
    live = await files.live(transport)
    if wanted is None or wanted.mark == live.mark:
        return SeenConfig(live)
    goal = {file.path: as_live(file).sha256 for file in wanted.files}
    other = [f.path for f in live.files if f.kind == FILE and f.sha256 != goal.get(f.path)]
    contents = {path: await content(transport, path) for path in other}
    written = Written.all_from(await transport.recall(remembers))
    return SeenConfig(live, contents, written, in_the_way(live))
