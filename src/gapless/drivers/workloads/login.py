"""Who a client says it is: what ``prove.workloads`` says, else what ``cluster`` says."""

from __future__ import annotations

from gapless.config.workload import WorkloadConfig
from gapless.drivers.clusters.password import Password
from gapless.errors import ClusterError
from gapless.prove.workload import NotDone


class Login:
    """``user`` and ``password`` (a reference) are those of the cluster's own keys."""

    def __init__(
        self, service: str, client: WorkloadConfig, user: str = "", password: str | None = None
    ) -> None:
        own = bool(client.user) or client.password is not None
        self.user = client.user if own else user
        self._password = Password(service, self.user, client.password if own else password)

    async def words(self) -> tuple[str, ...]:
        """User, where there is one, and password; () where nobody has to log in. Raises NotDone,
        which names the reference."""
        try:
            return await self._password.login()
        except ClusterError as error:
            raise NotDone(error.what) from None

    def forget(self) -> None:
        """It was refused: the next time it is read anew."""
        self._password.forget()
