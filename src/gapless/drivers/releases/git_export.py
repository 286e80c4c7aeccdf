"""The files of a commit and of its submodules, on this machine and in the words a host needs.

1. A submodule is what .gitmodules of the commit says; an address beginning with ``./`` or ``../``
   is seen from the repository's own.
2. Such an address is somebody else's text: it speaks what the configuration may, and leads to files
   of this machine only where the repository lies here itself.
3. Submodules of submodules come, too, up to a depth nobody means to reach.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gapless.config.git_url import protocol_of
from gapless.drivers.releases.git_mirror import Mirror
from gapless.drivers.releases.unpack import Rules
from gapless.drivers.releases.unpack_formats import unpack_tar
from gapless.errors import Refused

_DEEPEST = 10
_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Part:
    """One commit of one repository, at ``path`` below the release ("" is the release itself)."""

    path: str
    url: str
    commit: str


async def parts_of(
    top: Mirror, commit: str, mirror: Callable[[str], Mirror], *, submodules: bool
) -> list[Part]:
    """The commit and, below it, all submodules; every commit is in its mirror afterwards."""
    found = [Part("", top.url, commit)]
    if submodules:
        found += [part async for part in _below(top, commit, "", mirror, _DEEPEST)]
    return found


async def export(
    parts: list[Part], mirror: Callable[[str], Mirror], into: Path, beside: Path
) -> None:
    """Write the files of all parts; ``beside`` is a folder for what is in between."""
    for part in parts:
        target = into / part.path
        with tempfile.TemporaryDirectory(dir=beside, prefix=".export-") as folder:
            tar = Path(folder, "commit.tar")
            await mirror(part.url).archive(part.commit, tar)
            await asyncio.to_thread(_unpack, tar, target, part)


def _unpack(tar: Path, target: Path, part: Part) -> None:
    target.mkdir(exist_ok=True)
    with tar.open("rb") as file:
        unpack_tar(file, target, Rules(f"{part.url} at {part.commit[:12]}", links_outside=True))


async def _below(
    above: Mirror, commit: str, prefix: str, mirror: Callable[[str], Mirror], depth: int
) -> AsyncIterator[Part]:
    links = dict(_links(await above.tree(commit)))
    if not links:
        return
    addresses = _addresses(await _modules(above, commit, links))
    for path, wanted in links.items():
        where = prefix + path
        if path not in addresses:
            raise Refused(
                f"the submodule {where} has no address in .gitmodules",
                where=above.url,
                evidence=f"commit {commit}",
                next="git submodule status, or release.submodules: false",
            )
        if not depth:
            raise Refused(f"submodules are nested too deeply at {where}", where=above.url)
        below = mirror(_address(above.url, addresses[path], where))
        await below.bring(wanted)
        yield Part(where, below.url, wanted)
        async for part in _below(below, wanted, f"{where}/", mirror, depth - 1):
            yield part


async def _modules(above: Mirror, commit: str, links: Mapping[str, str]) -> str:
    try:
        return await above.modules(commit)
    except Refused as error:
        raise Refused(
            f"the submodule {next(iter(links))} has no address: .gitmodules cannot be read",
            where=above.url,
            evidence=error.evidence,
            next="git submodule status, or release.submodules: false",
        ) from error


def _links(tree: str) -> list[tuple[str, str]]:
    """Path and commit of each submodule in a listing of ``ls-tree -z``."""
    entries = (entry.split("\t", 1) for entry in tree.split("\0") if "\t" in entry)
    told = ((head.split(), path) for head, path in entries)
    return [(path, head[2]) for head, path in told if head[0] == _SUBMODULE]


def _addresses(modules: str) -> dict[str, str]:
    """Path to address, of ``config --list -z``."""
    named: dict[str, dict[str, str]] = {}
    for entry in modules.split("\0"):
        key, _, value = entry.partition("\n")
        found = re.fullmatch(r"submodule\.(.*)\.(path|url)", key, re.DOTALL)
        if found:
            named.setdefault(found.group(1), {})[found.group(2)] = value
    return {one["path"]: one["url"] for one in named.values() if {"path", "url"} <= one.keys()}


def _address(above: str, written: str, where: str) -> str:
    url = _seen_from(above, written) if written.startswith(("./", "../")) else written
    try:
        kind = protocol_of(url)
        if kind != "file" or (protocol_of(above) == "file" and url.startswith(("/", "file://"))):
            return url
        why = f"{written!r} may not be followed from {above}"
    except ValueError as error:
        why = str(error)
    raise Refused(
        f"the address of the submodule {where} is refused: {why}",
        where=above,
        next="mend .gitmodules, or release.submodules: false",
    )


def _seen_from(above: str, written: str) -> str:
    """As git does: one ``../`` takes one part off the repository's own address."""
    base = above.rstrip("/")
    while True:
        if written.startswith("./"):
            written = written[2:]
        elif written.startswith("../"):
            written = written[3:]
            cut = max(base.rfind("/"), base.rfind(":") if "://" not in base else -1)
            base = base[: cut + (base[cut : cut + 1] == ":")]
        else:
            break
    joint = "" if base.endswith(":") else "/"
    return base + joint + posixpath.normpath(written)
