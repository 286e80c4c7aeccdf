"""What a build left, looked at before it becomes part of a release.

1. All that was to be kept is there, as files and folders of their own.
2. Nothing that could not be brought to a host: devices, pipes, links back to where it was built,
   which is gone when the release runs.
3. No value of a secret: what a build was trusted with is not for every host to have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gapless.drivers.releases.build_work import BUILT_AT

_CHUNK = 1 << 20
_SHORTEST = 6
"""Letters of a secret below which anything may hold it by chance."""


def objection(
    left: Path, keep: Sequence[str], secrets: Mapping[str, str]
) -> tuple[str, str] | None:
    """What is wrong with it and what helps; None when all is well."""
    values = {n: v.encode() for n, v in secrets.items() if len(v) >= _SHORTEST}
    return next(_objections(left, keep, values), None)


def _objections(
    left: Path, keep: Sequence[str], secrets: Mapping[str, bytes]
) -> Iterator[tuple[str, str]]:
    for name in keep:
        if (left / name).is_symlink():
            yield f"{name} is a link", "build.keep names files and folders"
        elif not (left / name).exists():
            yield f"the build left no {name}", "build.keep names what it leaves"
    for path in sorted(left.rglob("*")):
        name = str(path.relative_to(left))
        if path.is_symlink():
            target = os.readlink(path)  # noqa: PTH115 - as it is written
            if target.startswith("/") and BUILT_AT in target:
                yield (
                    f"{name} is a link to {target}, where it was built",
                    "let the build make links that are relative, or copies",
                )
        elif path.is_file():
            for secret in _held(path, secrets):
                yield (
                    f"{name} holds the value of the secret {secret}",
                    "let the build use it without writing it down, or take it out at its end",
                )
        elif not path.is_dir():
            yield f"{name} is neither file, folder nor link", "let the build remove it"


def _held(path: Path, secrets: Mapping[str, bytes]) -> Iterator[str]:
    """Names of secrets whose value is in a file."""
    if not secrets:
        return
    overlap = max(len(value) for value in secrets.values()) - 1
    found: dict[str, None] = {}
    with path.open("rb") as file:
        before = b""
        while data := file.read(_CHUNK):
            text = before + data
            found.update(dict.fromkeys(n for n, value in secrets.items() if value in text))
            before = text[-overlap:]
    yield from found
