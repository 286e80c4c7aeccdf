"""Which commit a name means, from what a repository advertises.

1. Nothing said: its default branch.
2. ``refs/…`` is exactly that. Any other name is a tag or a branch; when it is both, and they
   differ, nobody guesses.
3. An annotated tag means the commit it leads to.
4. What is neither but looks like a commit is one, and is looked for in the history.
5. Otherwise the nearest names are told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from gapless.errors import UsageError

_COMMIT = re.compile(r"[0-9a-f]{4,64}")
_LENGTHS = (40, 64)
_PEELED = "^{}"
_SHOWN = 5
Refs = Mapping[str, str]
"""Full name of a ref to its object."""


def read(listing: str) -> dict[str, str]:
    """What ``ls-remote`` prints."""
    pairs = (line.split("\t", 1) for line in listing.splitlines() if "\t" in line)
    return {name: commit for commit, name in pairs}


def is_whole(ref: str) -> bool:
    """Whether it is a commit with all its digits."""
    return len(ref) in _LENGTHS and _COMMIT.fullmatch(ref) is not None


def commit_of(ref: str | None, refs: Refs, url: str) -> str:
    """The commit that ``ref`` names, "" when only the history can tell. Raises UsageError."""
    if ref is None or ref == "HEAD":
        return _default(refs, url)
    if ref.startswith("refs/"):
        found = {ref: _peeled(ref, refs)}
    else:
        found = {name: _peeled(name, refs) for name in (f"refs/tags/{ref}", f"refs/heads/{ref}")}
    commits = {name: commit for name, commit in found.items() if commit}
    if len(set(commits.values())) > 1:
        names = " and ".join(commits)
        raise UsageError(
            f"{ref} is a tag and a branch, and they differ",
            where=url,
            evidence="\n".join(f"{name} is {commit}" for name, commit in commits.items()),
            next=f"write one of {names} as ref",
        )
    if commits:
        return next(iter(commits.values()))
    if _COMMIT.fullmatch(ref):
        return ""
    raise unknown(ref, refs, url)


def unknown(ref: str, refs: Refs, url: str) -> UsageError:
    """There is nothing of that name; the nearest are told."""
    names = [_short(name) for name in refs if not name.endswith(_PEELED) and name != "HEAD"]
    near = get_close_matches(ref, names, n=3, cutoff=0.5)
    branches = [_short(name) for name in refs if name.startswith("refs/heads/")]
    more = f" and {len(branches) - _SHOWN} more" if len(branches) > _SHOWN else ""
    listed = f"branches: {', '.join(branches[:_SHOWN])}{more}" if branches else "it has no branches"
    hint = f"did you mean {' or '.join(near)}?\n" if near else ""
    return UsageError(
        f"there is no branch, tag or commit '{ref}'",
        where=url,
        evidence=hint + listed,
        next=f"git ls-remote {url}",
    )


def _default(refs: Refs, url: str) -> str:
    if "HEAD" in refs:
        return refs["HEAD"]
    what = "its default branch does not exist" if refs else "the repository is empty"
    raise UsageError(what, where=url, next="write a branch, a tag or a commit as ref")


def _peeled(name: str, refs: Refs) -> str:
    return refs.get(name + _PEELED) or refs.get(name, "")


def _short(name: str) -> str:
    return re.sub(r"^refs/(?:heads|tags)/", "", name)
