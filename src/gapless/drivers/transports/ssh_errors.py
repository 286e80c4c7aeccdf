"""Why an SSH connection could not be made, with what a person can do about it."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
from dataclasses import dataclass

import asyncssh

from gapless.drivers.transports.ssh_way import Way
from gapless.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    HostKeyRejected,
    TransportError,
    Unreachable,
)

PINNED = "host_key"
"""In place of a known_hosts file, when the key is in gapless.yaml."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connection goes, for errors to name."""

    host: str
    address: str
    port: int
    way: Way
    known_hosts: str
    limit: float

    @property
    def place(self) -> str:
        """As known_hosts writes it."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"


def host_key_rejected(
    target: Target, presented: asyncssh.SSHKey | None, known: list[asyncssh.SSHKey], reason: str
) -> HostKeyRejected:
    """The host showed a key that is unknown, or another than it should have."""
    shown = _describe(presented) if presented else reason
    if not known:
        return HostKeyRejected(
            f"the host key of {target.place} is unknown",
            where=target.host,
            evidence=f"presented: {shown}",
            next=f"compare the fingerprint, then: {_made_known(target)}",
        )
    expected = ", ".join(dict.fromkeys(_describe(key) for key in known))
    if target.known_hosts == PINNED:
        remedy = "correct host_key in gapless.yaml"
    else:
        place = shlex.quote(target.place)
        remedy = f"ssh-keygen -f {shlex.quote(target.known_hosts)} -R {place}"
    return HostKeyRejected(
        f"{target.place} is not the host we know: its key has changed",
        where=target.host,
        evidence=f"presented: {shown}\nexpected: {expected}",
        next=f"find out why; if it was reinstalled: {remedy}",
    )


async def authentication_failed(
    target: Target, error: Exception, keys: list[str], agent: str
) -> AuthenticationFailed:
    """The host does not let us in; says with what we tried."""
    offered = keys + await _agent_keys(agent)
    return AuthenticationFailed(
        f"{target.way.user or 'the login'} was not let in at {target.place}",
        where=target.host,
        evidence=f"{error}\noffered: {'; '.join(offered) or 'no keys at all'}",
        next=target.way.by_hand(),
    )


def no_key_file(target: Target, path: str) -> AuthenticationFailed:
    """The key that is to be offered is not on this machine."""
    return AuthenticationFailed(
        f"there is no key file {path} on this machine",
        where=target.host,
        next="correct key: in gapless.yaml, or IdentityFile in ~/.ssh/config",
    )


def connection_error(target: Target, error: BaseException) -> TransportError:
    """Everything else that ends a connection before it was one."""
    if isinstance(error, TimeoutError):
        what = f"no connection to {target.place} within {target.limit:g} s"
        return DeadlineExceeded(what, where=target.host, next=f"by hand: {target.way.by_hand()}")
    return Unreachable(
        f"cannot connect to {target.place}: {_reason(error)}",
        where=target.host,
        next=_remedy(target, error),
    )


def _remedy(target: Target, error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        asked = f"getent hosts {shlex.quote(target.address)}"
        return f"{asked}; or say where it is: {{address: …}}, of this machine {{transport: local}}"
    if isinstance(error, ConnectionRefusedError):
        return f"is sshd running there, on port {target.port}? By hand: {target.way.by_hand()}"
    return f"by hand: {target.way.by_hand()}"


def _made_known(target: Target) -> str:
    """What adds the key; behind a jump host nobody but ssh itself gets to see it."""
    if target.way.jump:
        return target.way.by_hand()
    file, address = shlex.quote(target.known_hosts), shlex.quote(target.address)
    return f"ssh-keyscan -p {target.port} {address} >> {file}"


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)  # asyncio's own words name a call, not the reason
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _describe(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


async def _agent_keys(path: str) -> list[str]:
    if not path:
        return []
    with contextlib.suppress(OSError, ValueError, asyncssh.Error):
        async with asyncssh.SSHAgentClient(path) as agent:
            return [f"agent: {key.get_comment()}" for key in await agent.get_keys()]
    return [f"agent at {path} does not answer"]
