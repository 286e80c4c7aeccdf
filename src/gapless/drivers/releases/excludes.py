"""Which files of a release's source are left out, by the rules of rsync's --exclude.

1. ``name`` or ``*.log`` is compared with the last part of a path, at any depth.
2. A slash at the end matches folders only.
3. A slash at the start binds the pattern to the top of the release.
4. A slash inside compares with the end of the path: ``tmp/cache`` also matches ``a/tmp/cache``.
5. ``*`` and ``?`` stop at a slash, ``**`` does not.
6. What is below an excluded folder is excluded with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from gapless.drivers.releases.removing import remove


class Excludes:
    """A compiled list of patterns."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._rules = [_compile(pattern) for pattern in patterns if pattern.strip("/")]

    def match(self, path: str, *, folder: bool) -> bool:
        """Whether this very path (relative, no slash at either end) is left out."""
        return any(
            rule.search(path) is not None and (folder or not folders_only)
            for rule, folders_only in self._rules
        )

    def covers(self, path: str, *, folder: bool = False) -> bool:
        """Whether the path or a folder above it is left out."""
        parts = path.split("/")
        above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
        return any(self.match(name, folder=True) for name in above) or self.match(
            path, folder=folder
        )


def take_out(files: Path, patterns: Sequence[str]) -> list[str]:
    """Remove what is left out from a folder; the removed names, of each tree the highest."""
    excludes, removed = Excludes(patterns), []
    for folder, folders, names in os.walk(files):
        above = os.path.relpath(folder, files)
        for name in (*folders, *names):
            path = name if above == "." else f"{above}/{name}"
            full = Path(folder, name)
            if excludes.match(path, folder=full.is_dir() and not full.is_symlink()):
                removed.append(path)
                remove(full)
        folders[:] = [name for name in folders if Path(folder, name).is_dir()]
    return removed


def _compile(pattern: str) -> tuple[re.Pattern[str], bool]:
    folders_only = pattern.endswith("/")
    core = pattern.rstrip("/")
    start = "^" if core.startswith("/") else "(?:^|/)"
    return re.compile(f"{start}{_translate(core.lstrip('/'))}$"), folders_only


_PARTS = re.compile(r"\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


def _translate(glob: str) -> str:
    return "".join(_expression(part) for part in _PARTS.findall(glob))


_WILD = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def _expression(part: str) -> str:
    if part.startswith("[") and len(part) > 1:
        return part.replace("[!", "[^", 1)
    return _WILD.get(part) or re.escape(part)
