"""Commands that are told to a person, with the -c, -e and --hosts that the person gave.

Whatever shows a command spells it here, and nothing else: what hosts and files say stays as it is.
"""

from __future__ import annotations

import re
import shlex
from contextvars import ContextVar

_given: ContextVar[dict[str, str]] = ContextVar("_given")
_hosts: ContextVar[tuple[str, str]] = ContextVar("_hosts", default=("", ""))
_VERBS = (
    "check|doctor|plan|build|restart|deploy|catch-up|rollback|drain|admit|status|watch|history"
    "|events|pause|resume|promote|abort|lock|prove"
)
COMMAND = re.compile(rf"\bgapless (?P<verb>{_VERBS})(?![-.\w])(?P<said>(?: -[ce] \S+)*)")
_END = re.compile(r" or |, |; |   |\n|\bgapless ")
"""Where a command ends in a sentence."""
_OWN_HOSTS = re.compile(r" (--hosts|--resume|-o)\b|\.json\b|@")
"""Behind a command that needs no --hosts, or takes none."""


def remember(
    config: str, environment: str | None, default: str, verb: str = "", hosts: str | None = None
) -> None:
    """What this command was given; commands told from now on repeat it: ``hosts`` those of the
    same ``verb``, which would else do more than was asked for."""
    words = {"-c": config} if config != default else {}
    words |= {"-e": environment} if environment else {}
    _given.set(words)
    _hosts.set((verb, hosts) if hosts else ("", ""))


def spelled(text: str) -> str:
    """The text with the options behind every verb that takes them, without those it has."""
    return COMMAND.sub(lambda match: _whole(match, text[match.end() :]), text)


def _whole(match: re.Match[str], rest: str) -> str:
    verb, said = match["verb"], match["said"]
    # of another file the environment is another
    given = {} if " -c " in said else _given.get({})
    missing = {option: value for option, value in given.items() if f" {option} " not in said}
    first = shlex.join(word for pair in missing.items() for word in pair)
    more = _hosts_of(verb, _END.split(rest, maxsplit=1)[0])
    return " ".join(filter(None, (f"gapless {verb}", first, said.strip(), more)))


def _hosts_of(verb: str, rest: str) -> str:
    of, hosts = _hosts.get()
    same = verb == of or (verb == "plan" and rest.startswith(f" {of}"))
    return shlex.join(("--hosts", hosts)) if hosts and same and not _OWN_HOSTS.search(rest) else ""
