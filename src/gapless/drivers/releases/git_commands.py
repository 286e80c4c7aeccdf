"""Commands of git as data, the same for this machine and for hosts.

1. Nobody is ever asked for a password, and host keys that are not known are refused.
2. Only the protocols of the configuration are spoken, also by what an address leads to.
3. What came from outside stands behind ``--``, so it is never an option.
4. Fetching goes by the user's own git configuration (credentials, proxies); reading what was
   fetched by none at all, so that the same commit gives the same files everywhere.
5. What is fetched arrives as one pack or not at all: a commit that is there is whole.
6. Hooks never run. Nothing is ever written to the repository that is read.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from gapless.config.git_url import PROTOCOLS, GitSshConfig
from gapless.model import Command

ASK = 60.0
FETCH = 1800.0
READ = 600.0
_REFS = 64 << 20
_SSH = ("ssh", "-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oConnectTimeout=15")
_CALM = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.autoDetach=false",
    "-c", "maintenance.autoDetach=false", "-c", "fetch.unpackLimit=1",
)  # fmt: skip
_EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
KEPT = "refs/gapless/"
"""Refs in our own mirror that keep commits which were brought once."""


def ssh_command(ssh: GitSshConfig | None) -> str:
    """What git calls for ssh: it never asks, and never takes a host key on trust."""
    words = list(_SSH)
    if ssh and ssh.key:
        words += ["-oIdentitiesOnly=yes", "-i", ssh.key]
    if ssh and ssh.known_hosts:
        words.append(f"-oUserKnownHostsFile={ssh.known_hosts}")
    return shlex.join(words)


def environment(ssh: GitSshConfig | None) -> dict[str, str]:
    """What git is told beside its arguments."""
    return {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
        "GIT_SSH_COMMAND": ssh_command(ssh),
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C.UTF-8",
    }


_NO_CONFIGURATION = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
}


class Git:
    """Makes commands; ``env`` is the environment of those that go out."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)

    def advertised(self, url: str) -> Command:
        """Every ref of a repository with its commit; tags also peeled."""
        return self._out("ls-remote", "--quiet", "--", url, timeout=ASK)

    def reached(self, url: str) -> Command:
        """Ends with 0 when the repository answers."""
        return self._out("ls-remote", "--quiet", "--", url, "HEAD", timeout=ASK)

    def make(self, mirror: str) -> Command:
        """An empty bare repository of our own; harmless when it is there."""
        return self._out(*_in(mirror), "init", "--quiet", "--bare", "--template=", timeout=ASK)

    def fetch(self, mirror: str, url: str, refs: Sequence[str] = _EVERYTHING) -> Command:
        """Bring branches and tags, or what ``refs`` names, into the mirror."""
        return self._out(
            *(*_in(mirror), "fetch", "--quiet", "--force", "--prune", "--no-tags"),
            *("--no-write-fetch-head", "--no-recurse-submodules", "--", url, *refs),
            timeout=FETCH,
        )

    def has(self, mirror: str, commit: str) -> Command:
        """Ends with 0 when the commit is in the mirror, whole."""
        return self._read(mirror, "cat-file", "-e", f"{commit}^{{commit}}")

    def find(self, mirror: str, begin: str) -> Command:
        """The one commit that begins so."""
        return self._read(mirror, "rev-parse", "--verify", "--quiet", f"{begin}^{{commit}}")

    def keep(self, mirror: str, commit: str) -> Command:
        """Hold on to a commit when branches move away from it."""
        return self._read(mirror, "update-ref", f"{KEPT}{commit}", commit)

    def told(self, mirror: str, commit: str) -> Command:
        """Time in seconds since the epoch, then the subject line."""
        return self._read(mirror, "show", "--no-patch", "--format=%ct %s", commit, "--")

    def tree(self, mirror: str, commit: str) -> Command:
        """Every entry: mode, kind, object and path, ended by NUL."""
        return self._read(mirror, "ls-tree", "-r", "-z", "--full-tree", commit, limit=_REFS)

    def modules(self, mirror: str, commit: str) -> Command:
        """The settings of .gitmodules, ended by NUL."""
        return self._read(mirror, "config", "--blob", f"{commit}:.gitmodules", "--list", "-z")

    def archive(self, mirror: str, commit: str, file: str) -> Command:
        """The files of a commit as a tar: modes 0644 and 0755, times of the commit."""
        return self._read(
            mirror, "archive", "--format=tar", f"--output={file}", commit, "--", timeout=FETCH
        )  # fmt: skip

    def _out(self, *words: str, timeout: float) -> Command:
        argv = ("git", *_CALM, *words)
        return Command(argv, timeout=timeout, env=self._env, output_limit=_REFS)

    def _read(
        self, mirror: str, *words: str, timeout: float = READ, limit: int = 1 << 20
    ) -> Command:
        argv = ("git", *_CALM, "-c", "tar.umask=0022", *_in(mirror), *words)
        env = {**self._env, **_NO_CONFIGURATION}
        return Command(argv, timeout=timeout, env=env, output_limit=limit)


def _in(mirror: str) -> tuple[str, ...]:
    """This very repository: git never looks for one in the folders above."""
    return (f"--git-dir={mirror}",)


ATTRIBUTES = "* -export-subst\n"
"""For ``info/attributes`` of a mirror: words that git would fill in from the refs of a repository
would not be the same in each."""
