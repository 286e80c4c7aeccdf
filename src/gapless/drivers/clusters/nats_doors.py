"""The client ports of all servers: who may order there what, and whether they are open at all.

1. A group can be told to hand over where its account is: by the user that is given for it, and in
   ``$G`` by nobody in particular, unless one is given. The meta group is told by a user of the
   system account.
2. Before a member is stopped its client port is tried with each user that may be needed there: of
   every group that it has a replica of, for it may be elected before its turn comes. A server that
   takes no clients, though its monitoring port answers, is in lame duck mode, or about to begin;
   and one that is another process than that of the monitoring port would be told in vain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from gapless.clusters.finding import Finding
from gapless.config.cluster_nats import NatsClusterConfig
from gapless.drivers.clusters.member_api import Silent
from gapless.drivers.clusters.nats_protocol import Order, Said
from gapless.drivers.clusters.nats_round import Round
from gapless.drivers.clusters.nats_talk import NatsLogin, NatsTalk
from gapless.drivers.clusters.nats_view import META, account_of
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence

_GLOBAL = "$G"
_REFUSED = "login-refused"


class Doors:
    """``addresses``: that of each host's server, as that host reaches it."""

    def __init__(
        self,
        cluster: str,
        config: NatsClusterConfig,
        addresses: Mapping[str, str],
        transports: Callable[[str], Transport],
    ) -> None:
        self._talks = {
            host: NatsTalk(cluster, host, address, partial(transports, host), config)
            for host, address in addresses.items()
        }
        accounts = {_GLOBAL: None, **config.accounts}
        self._logins = {name: NatsLogin(cluster, one) for name, one in accounts.items()}
        if config.system is not None:
            self._logins[META] = NatsLogin(cluster, config.system)

    @property
    def open(self) -> frozenset[str]:
        """Accounts, and the meta group, whose leaders can be told."""
        return frozenset(self._logins)

    def no_login(self, group: str) -> str:
        """Why nobody can tell the leader of this group."""
        if group == META:
            return "no user of the system account is given; it hands over when it stops"
        return f"no user of the account {account_of(group)} is given"

    async def order(self, host: str, group: str, order: Order, fence: Fence | None) -> str:
        """Why the server there refused; "" where it took the order. Raises ClusterError."""
        said = await self._talks[host].say(self._logins[account_of(group)], order, fence=fence)
        return said.refusal

    async def closed(self, seen: Round, member: str) -> tuple[Finding, ...]:
        """What speaks against telling a member what will have to be told."""
        host, server = seen.places.get(member, ""), seen.servers.get(member)
        if server is None or host not in self._talks:
            return ()  # silent: that is said already
        led = [group for group, leader in seen.leaders.items() if leader == member]
        mute = [group for group in led if account_of(group) not in self.open and group != META]
        # What it only follows now it may have been elected to lead when its turn comes.
        held = [group for group, members in seen.members_of.items() if member in members]
        needed = {account_of(group) for group in held} & self.open
        found = [self._unmovable(group, member) for group in mute]
        for account in sorted(needed) or [_any(self._logins)]:
            trouble = await self._tried(host, account, server.life, member)
            # Who will never be told anything need not let us in.
            if trouble is not None and (needed or trouble.code != _REFUSED):
                found.append(trouble)
        return tuple(found)

    def _unmovable(self, group: str, member: str) -> Finding:
        return Finding(
            "no-login",
            group,
            f"{member} leads it, and cannot be told to hand over: {self.no_login(group)}",
            f"users are given for: {', '.join(sorted(self.open))}",
            "give one under 'accounts' of the cluster in gapless.yaml; --force with a reason has it"
            " elected anew when the server stops",
        )

    async def _tried(self, host: str, account: str, life: str, member: str) -> Finding | None:
        talk = self._talks[host]
        try:
            said = await talk.say(self._logins[account])
        except Silent as error:
            what = f"{error.what}, though its monitoring port answers"
            return Finding("no-clients", member, what, error.evidence, error.next, member=member)
        except ClusterError as error:
            return Finding(_REFUSED, member, error.what, error.evidence, error.next)
        return _another(said, talk, life, member) or _lame(said, talk, member)


def _any(logins: Mapping[str, NatsLogin]) -> str:
    """An account to knock with, where nothing will have to be told: one with a user, if there is
    any, for a server that wants one logs who has none."""
    return next((name for name in logins if name != _GLOBAL), _GLOBAL)


def _another(said: Said, talk: NatsTalk, life: str, member: str) -> Finding | None:
    told = str(said.info.get("server_id", ""))
    if told == life:
        return None
    return Finding(
        "another-server",
        member,
        f"another process listens on {talk.address} than on its monitoring port",
        f"INFO → {told}, GET /varz → {life}",
        "compare 'address' and 'monitor' of the cluster in gapless.yaml with its configuration",
        absolute=True,
    )


def _lame(said: Said, talk: NatsTalk, member: str) -> Finding | None:
    if said.info.get("ldm") is not True:
        return None
    return Finding(
        "lame-duck",
        member,
        "is in lame duck mode already: it ends by itself",
        f"INFO on {talk.address} → ldm true",
        "wait until it has ended, and start it",
        member=member,
    )
