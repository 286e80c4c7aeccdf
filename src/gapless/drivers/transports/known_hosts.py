"""Which host keys we trust: pinned ones or those of known_hosts files, never any."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import asyncssh

from gapless.drivers.transports.ssh_errors import PINNED

GLOBAL = "/etc/ssh/ssh_known_hosts"
USER = "~/.ssh/known_hosts"
_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


class TrustedKeys:
    """The keys a host may show."""

    def __init__(self, known: asyncssh.SSHKnownHosts, file: str) -> None:
        self.known = known
        self.file = file

    @classmethod
    def pinned(cls, key: str) -> TrustedKeys:
        """Only this one. Raises ValueError when it is not a public key."""
        try:
            asyncssh.import_public_key(key)
        except asyncssh.KeyImportError as error:
            raise ValueError(f"host_key is not a public key: {error}") from error
        return cls(asyncssh.import_known_hosts(f"* {key}"), PINNED)

    @classmethod
    def in_files(cls, files: list[str]) -> TrustedKeys:
        """Those of the files that exist; the first is where a person would add one."""
        paths = [Path(file).expanduser() for file in files]
        stamps = tuple((str(path), path.stat().st_mtime_ns) for path in paths if path.is_file())
        return cls(_read(stamps), str(paths[0]))

    def of(self, host: str, address: str, port: int) -> list[asyncssh.SSHKey]:
        """The keys known for a host."""
        return list(self.known.match(host, address, port if port != 22 else None)[0])

    def algorithms(self, host: str, port: int) -> list[str]:
        """Those of the known keys first, then all others, so that a host whose key is of another
        kind now shows it instead of hanging up. Empty: the usual order."""
        keys, authorities, *_ = self.known.match(host, "", port if port != 22 else None)
        if authorities or not keys:
            return []
        known = [name.decode() for key in keys for name in key.sig_algorithms]
        return list(dict.fromkeys([*known, *_KINDS]))


@lru_cache(maxsize=8)
def _read(stamps: tuple[tuple[str, int], ...]) -> asyncssh.SSHKnownHosts:
    # Read once for all hosts; the time stamps make an edited file a new one.
    known = asyncssh.SSHKnownHosts()
    for file, _ in stamps:
        known.load(Path(file).read_text(errors="replace"))
    return known
