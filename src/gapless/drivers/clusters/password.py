"""The password of a server: read where its reference points, kept while it is good."""

from __future__ import annotations

from gapless.config.secrets import SecretValue, resolve_secret
from gapless.errors import ClusterError, UsageError


class Password:
    """``reference`` None is a server without one. Read once and kept: what is awaited is asked for
    a hundred times a second, and a program that prints a secret may take seconds."""

    def __init__(self, cluster: str, user: str, reference: str | None) -> None:
        self._cluster = cluster
        self._user = user
        self._reference = reference
        self._value: SecretValue | None = None

    async def login(self) -> tuple[str, ...]:
        """User, where there is one, and password; () where nobody has to log in. Raises
        ClusterError, which names the reference."""
        if self._reference is None:
            return ()
        if self._value is None:
            try:
                self._value = await resolve_secret(self._reference)
            except UsageError as error:
                raise ClusterError(error.what, where=self._cluster, next=error.next) from None
        given = self._value.reveal()
        return (self._user, given) if self._user else (given,)

    def forget(self) -> None:
        """It was refused: the next time it is read anew."""
        self._value = None
