"""Options of ``docker create`` that decide whether two containers can have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_OURS = {
    "name": "write docker: {name: NAME}",
    "rm": "the container and its last lines would be gone before anybody could look",
    "cidfile": "gapless knows its containers by labels",
    "label gapless.": "labels gapless.* are its own",
}


def values(options: Sequence[str], *names: str) -> Iterator[str]:
    """What an option is given, wherever it stands: ``--publish 80:80``, ``--publish=80:80``,
    ``-p80:80``, ``-itp 80:80``."""
    for index, word in enumerate(options):
        flag, sign, value = word.partition("=")
        after = options[index + 1] if index + 1 < len(options) else ""
        if flag in {f"--{name}" for name in names if len(name) > 1}:
            yield value if sign else after
            continue
        short = next((one for name in names if (one := _short(name, word)) is not None), None)
        if short is not None:
            yield short or after


def _short(name: str, word: str) -> str | None:
    """What stands behind a letter in one word; "" where it is the next word."""
    if len(name) > 1:
        return None
    found = re.match(rf"-[itP]*{name}=?(.*)$", word)
    return found[1] if found else None


def refusals(options: Sequence[str]) -> Iterator[str]:
    """What nobody may give, and why."""
    for name in ("name", "cidfile"):
        if any(True for _ in values(options, name)):
            yield f"--{name} is not an option here: {_OURS[name]}"
    if any(word in ("--rm", "--rm=true") for word in options):
        yield f"--rm is not an option here: {_OURS['rm']}"
    if any(label.startswith("gapless.") for label in values(options, "label", "l")):
        yield f"--label gapless.… is not an option here: {_OURS['label gapless.']}"


def published(options: Sequence[str]) -> Iterator[str]:
    """Ports of the host; one that the engine chooses is none."""
    for given in values(options, "publish", "p"):
        outside = given.rpartition(":")[0]
        port = outside.rpartition(":")[2].partition("/")[0]
        if port and port != "0":
            yield port


def written_to(options: Sequence[str]) -> Iterator[str]:
    """Volumes and folders of the host that the container may write to."""
    for given in values(options, "volume", "v"):
        outside, *rest = given.split(":")
        if rest and not {"ro", "readonly"} & {*rest[-1].split(",")}:
            yield outside
    for given in values(options, "mount"):
        fields = dict(part.partition("=")[::2] for part in given.split(","))
        outside = fields.get("source", fields.get("src", ""))
        fixed = fields.get("readonly", fields.get("ro", "no")) in ("", "true", "1")
        if outside and not fixed and fields.get("type", "volume") in ("bind", "volume"):
            yield outside


def network_mode(options: Sequence[str]) -> str:
    """The last one that is given, as docker takes it."""
    return next(iter(reversed([*values(options, "network", "net")])), "")


def fixed_addresses(options: Sequence[str]) -> Iterator[str]:
    """Those that are there but once."""
    yield from values(options, "ip", "ip6", "mac-address")


def files(options: Sequence[str]) -> Iterator[str]:
    """Files of the host that settings come from."""
    yield from values(options, "env-file", "label-file")
