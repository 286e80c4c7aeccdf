"""Making one SSH connection: ~/.ssh/config, keys, jump hosts, and host keys without exception."""

from __future__ import annotations

import asyncio
import os.path
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from gapless.clock import within
from gapless.config.hosts import HostConfig
from gapless.drivers.transports import ssh_errors
from gapless.drivers.transports.known_hosts import GLOBAL, USER, TrustedKeys
from gapless.drivers.transports.ssh_errors import Target
from gapless.drivers.transports.ssh_way import Hop, Way
from gapless.errors import AuthenticationFailed, HostKeyRejected, TransportError, Unreachable

_KEEPALIVE = 15
_KEEPALIVE_COUNT = 3
# Much cheaper to begin with than the post-quantum exchanges, for hosts by the hundred.
_KEX = "^curve25519-sha256,curve25519-sha256@libssh.org"
_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
_JUMP = " (jump host "
_MOST_JUMPS = 5


class Client(asyncssh.SSHClient):
    """Remembers the key it was shown and tells when the connection has ended."""

    def __init__(self, on_lost: Callable[[Exception | None], None]) -> None:
        self.presented: asyncssh.SSHKey | None = None
        self.address = ""
        self._on_lost = on_lost

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Asked for keys that are not known: never accepted."""
        self.presented, self.address = key, addr
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._on_lost(exc)


@dataclass(frozen=True, slots=True)
class FromSshConfig:
    """What ~/.ssh/config says beyond what asyncssh takes from it by itself."""

    address: str
    port: int = 22
    jump: str | None = None
    known_hosts: tuple[str, ...] = ()
    own_kex: bool = False
    own_ciphers: bool = False
    own_host_keys: bool = False


class Connector:
    """Connects to one host as its HostConfig says."""

    def __init__(self, name: str, config: HostConfig, ssh_config: Sequence[str] | None) -> None:
        self._name = name
        self._config = config
        self._ssh_config: Any = () if ssh_config is None else list(ssh_config)

    async def connect(
        self, on_lost: Callable[[Exception | None], None]
    ) -> asyncssh.SSHClientConnection:
        """The connection, through the jump host if there is one."""
        found = await self._read_ssh_config()
        trusted = await asyncio.to_thread(self._trusted, found)
        target = self._target(found, trusted)
        jump = self._config.jump or found.jump
        try:
            async with within(self._config.connect_timeout):
                tunnel = await self._jump(jump) if jump else None
                connection = await self._open(target, trusted, found, tunnel, on_lost)
        except TimeoutError as error:
            raise ssh_errors.connection_error(target, error) from error
        if tunnel is not None:
            connection.set_tunnel(tunnel)
        return connection

    async def _jump(self, jump: str) -> asyncssh.SSHClientConnection:
        if self._name.count(_JUMP) >= _MOST_JUMPS:
            raise Unreachable("the jump hosts lead round in a circle", where=self._name)
        # With the same strictness; the last of a chain is reached through those before it.
        hop = Hop.last_of(jump)
        there = {
            "address": hop.host,
            "user": hop.user or None,
            "port": hop.port,
            "jump": hop.before or None,
            "host_key": None,
        }
        config = self._config.model_copy(update=there)
        connector = Connector(f"{self._name}{_JUMP}{hop.host})", config, self._ssh_config or None)
        return await connector.connect(lambda _error: None)

    async def _open(
        self,
        target: Target,
        trusted: TrustedKeys,
        found: FromSshConfig,
        tunnel: asyncssh.SSHClientConnection | None,
        on_lost: Callable[[Exception | None], None],
    ) -> asyncssh.SSHClientConnection:
        client = Client(on_lost)
        options = self._options(trusted, found)
        asked_for = self._config.address or self._name  # ~/.ssh/config is about this name
        try:
            return await asyncssh.connect(
                asked_for, client_factory=lambda: client, tunnel=tunnel, **options
            )
        except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
            raise _rejected(target, trusted, client, error) from error
        except asyncssh.PermissionDenied as error:
            raise await self._turned_away(target, error) from error
        except (asyncssh.Error, OSError, ValueError) as error:
            if _is_about_login(error):
                raise await self._turned_away(target, error) from error
            raise ssh_errors.connection_error(target, error) from error

    def _options(self, trusted: TrustedKeys, found: FromSshConfig) -> dict[str, Any]:
        config = self._config
        options: dict[str, Any] = {
            "config": self._ssh_config,
            "known_hosts": trusted.known,
            "keepalive_interval": _KEEPALIVE,
            "keepalive_count_max": _KEEPALIVE_COUNT,
            "connect_timeout": config.connect_timeout,
            "login_timeout": config.connect_timeout,
            "compression_algs": None,
            "password_auth": False,
            "kbdint_auth": False,
            "agent_forwarding": False,
        }
        if not found.own_kex:
            options["kex_algs"] = _KEX
        if not found.own_ciphers:
            options["encryption_algs"] = _CIPHERS
        algorithms = trusted.algorithms(found.address, found.port)
        if algorithms and not found.own_host_keys:
            options["server_host_key_algs"] = algorithms
        return {**options, **self._login(), **self._keys()}

    def _login(self) -> dict[str, Any]:
        given = {"port": self._config.port, "username": self._config.user}
        return {name: value for name, value in given.items() if value is not None}

    def _keys(self) -> dict[str, Any]:
        # Hosts count refused keys, so only a configured one is offered; the agent is asked for it
        # too, since it may hold what the file only has encrypted.
        if not self._config.key:
            return {}
        path = os.path.expanduser(self._config.key)  # noqa: PTH111 - ~nobody stays as it is
        public = f"{path}.pub"
        if os.path.exists(public):  # noqa: PTH110 - says no where it may not look
            return {"client_keys": [path], "ignore_encrypted": True, "agent_identities": [public]}
        return {"client_keys": [path], "agent_path": None}

    def _has_ssh_config(self) -> bool:
        return self._ssh_config != () or Path("~/.ssh/config").expanduser().exists()

    async def _read_ssh_config(self) -> FromSshConfig:
        if not self._has_ssh_config():
            return FromSshConfig(self._config.address or self._name, self._config.port or 22)
        options = await asyncssh.SSHClientConnectionOptions.construct(
            host=self._config.address or self._name,
            config=self._ssh_config,
            client_keys=None,
            **self._login(),
        )
        jump = options.tunnel if isinstance(options.tunnel, str) else None
        files = options.known_hosts  # None stands for "none": trust nobody, not everybody
        return FromSshConfig(
            address=options.host or self._config.address or self._name,
            port=options.port,
            jump=None if jump == "none" else jump,
            known_hosts=tuple(str(file) for file in files) if isinstance(files, list) else (),
            own_kex=bool(options.config.get("KexAlgorithms", ())),
            own_ciphers=bool(options.config.get("Ciphers", ())),
            own_host_keys=bool(options.config.get("HostKeyAlgorithms", ())),
        )

    def _trusted(self, found: FromSshConfig) -> TrustedKeys:
        if self._config.host_key:
            try:
                return TrustedKeys.pinned(self._config.host_key)
            except ValueError as error:
                raise HostKeyRejected(str(error), where=self._name) from error
        if self._config.known_hosts:
            return TrustedKeys.in_files([self._config.known_hosts])
        return TrustedKeys.in_files([*(found.known_hosts or (USER,)), GLOBAL])

    def _target(self, found: FromSshConfig, trusted: TrustedKeys) -> Target:
        config = self._config
        return Target(
            host=self._name,
            address=found.address,
            port=found.port,
            way=Way(
                name=config.address or self._name,
                port=config.port,
                user=config.user or "",
                key=config.key or "",
                jump=config.jump or found.jump or "",
                known_hosts=config.known_hosts or "",
            ),
            known_hosts=trusted.file,
            limit=config.connect_timeout,
        )

    async def _turned_away(self, target: Target, error: Exception) -> AuthenticationFailed:
        if isinstance(error, FileNotFoundError) and error.filename:
            return ssh_errors.no_key_file(target, str(error.filename))
        keys: list[str] = []
        agent = ""
        try:
            options = await asyncssh.SSHClientConnectionOptions.construct(
                host=target.address,
                config=self._ssh_config,
                **self._keys(),
            )
            keys = [_pair_name(pair) for pair in options.client_keys or ()]
            agent = options.agent_path or ""
        except (asyncssh.Error, OSError, ValueError) as problem:
            keys = [str(problem)]
        return await ssh_errors.authentication_failed(target, error, keys, agent)


def _pair_name(pair: Any) -> str:
    comment = pair.get_comment() or ""
    return f"{pair.get_algorithm()} {comment}".strip()


def _is_about_login(error: Exception) -> bool:
    text = str(error)
    about_keys = isinstance(error, asyncssh.KeyImportError | asyncssh.KeyEncryptionError)
    return about_keys or "authentication" in text.lower() or isinstance(error, FileNotFoundError)


def _rejected(
    target: Target, trusted: TrustedKeys, client: Client, error: asyncssh.DisconnectError
) -> TransportError:
    known = trusted.of(target.address, client.address, target.port)
    if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" not in str(error).lower():
        return ssh_errors.connection_error(target, error)
    return ssh_errors.host_key_rejected(target, client.presented, known, str(error))
