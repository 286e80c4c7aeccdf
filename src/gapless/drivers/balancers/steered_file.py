"""A file on a node that steers its balancer by a program that may refuse it (nginx), replaced as a
whole and never half. Where there is no such program, ``Transport.replace`` does the same.

1. Whoever wants to change it says which content was read. It is compared under a lock that every
   rollout takes (of the file's folder): what somebody else wrote meanwhile is never lost.
2. The new content is written beside the file, with its mode and owner, compared with what was
   sent, synced and renamed over it: a reader sees the old file or the new one.
3. Where the program refuses the new file, the old one is put back the same way.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Sequence

from gapless.model import Command

CHANGED, REFUSED = 75, 65
"""Statuses: somebody else changed the file after it was read, or is at it; the program refused
it."""
_LOCK = ("-w", "10", "-E", str(CHANGED))

# $1 the file, $2 and $3 sha256 of the old and the new content, $4 how many of the words after it
# are the program that may refuse the file; the new content on standard input.
_SWAP = r"""
set -eu
file=$(readlink -f -- "$1") old=$2 new=$3 words=$4
shift 4
digest() { sum=$(sha256sum) && echo "${sum%% *}"; }
first() {
    for word; do
        shift
        [ "$words" = 0 ] || { words=$((words - 1)); set -- "$@" "$word"; }
    done
    "$@"
}
[ "$(digest < "$file")" = "$old" ] || { echo "$file has changed meanwhile" >&2; exit 75; }
trap 'rm -f -- "$file.gapless-new" "$file.gapless-old"' EXIT
cp -p -- "$file" "$file.gapless-new"
cat > "$file.gapless-new"
[ "$(digest < "$file.gapless-new")" = "$new" ] || { echo "$file came incomplete" >&2; exit 74; }
cp -p -- "$file" "$file.gapless-old"
sync -- "$file.gapless-new" "$file.gapless-old"
mv -f -- "$file.gapless-new" "$file"
(first "$@") || { mv -f -- "$file.gapless-old" "$file"; exit 65; }
shift "$words"
"""


def locked(path: str, argv: Sequence[str], mode: str = "-x") -> tuple[str, ...]:
    """The command under the lock of the file's folder: ``-x`` to change it, ``-s`` to read. What
    the command leaves running does not keep the lock."""
    return ("flock", "-o", mode, *_LOCK, posixpath.dirname(path), *argv)


def swap(
    path: str,
    old: bytes,
    new: bytes,
    *,
    accept: Sequence[str],
    then: str,
    words: Sequence[str],
    timeout: float,
) -> Command:
    """Replace the file's content, also by the same. ``accept`` is the program that may refuse it;
    ``then`` is more of the script, run when all of this went well, with ``words`` as its
    arguments."""
    digests = [hashlib.sha256(content).hexdigest() for content in (old, new)]
    script = ("sh", "-c", _SWAP + then, "sh", path, *digests, str(len(accept)), *accept, *words)
    return Command(locked(path, script), timeout=timeout, input=new)
