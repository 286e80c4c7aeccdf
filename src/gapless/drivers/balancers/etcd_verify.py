"""What a load balancer itself says of an instance whose keys it follows: etcd holds wishes only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from gapless.config.balancer_etcd import EtcdConfig, EtcdVerifyConfig
from gapless.drivers.balancers.base import MemberState
from gapless.drivers.balancers.http_api import Ask, HttpApi
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.fill import fill, filled
from gapless.errors import TrafficError
from gapless.model import Command, Instance

_PYBAL = re.compile(r"(enabled|disabled)/([a-z ]+)/(pooled|not pooled)\s*")
_WORD = re.compile(r"(up|drained|draining|down|missing)(?:\s+(\d+))?(?:\s|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Standing:
    """``traffic``: it is sent new requests (None: the answer does not tell). ``count``: what is
    open there, None when nobody counted."""

    state: MemberState
    traffic: bool | None
    raw: str
    count: int | None = None


def standing(text: str) -> Standing | None:
    """The standing in an answer: PyBal's three words, or those of a state command; None when it is
    neither. PyBal keeps pooled what is down or disabled once too many others are."""
    pybal = _PYBAL.fullmatch(text.strip())
    if pybal:
        enabled, health, pooled = pybal.groups()
        serves = (enabled, health, pooled) == ("enabled", "up", "pooled")
        state = MemberState.UP if serves else MemberState.DOWN
        return Standing(state, pooled == "pooled", text.strip())
    word = _WORD.match(text.strip())
    if word is None:
        return None
    state = MemberState(word[1].lower())
    traffic = None if state is MemberState.DOWN else state is MemberState.UP
    count = int(word[2]) if word[2] is not None else None
    return Standing(state, traffic, text.strip().splitlines()[0][:200], count)


class Verification:
    """The question to the load balancer of one host."""

    def __init__(
        self,
        host: NodeHost,
        config: EtcdConfig,
        verify: EtcdVerifyConfig,
        address: Callable[[str], str],
    ) -> None:
        self._host = host
        self._verify = verify
        self._timeout = config.timeout
        self._address = address

    async def ask(self, instance: Instance) -> Standing:
        """How the instance stands there now."""
        if self._verify.command is not None:
            asked, text = await self._run(self._verify.command, instance)
        else:
            asked, text = await self._get(instance)
        found = standing(text)
        if found is None:
            raise TrafficError(
                f"the load balancer on {self._host.label} answers nonsense",
                where=self._host.balancer,
                evidence=f"{asked} → {text.strip()[:200] or '(nothing)'}",
                next="it has to say enabled/up/pooled and the like, or up, drained, draining, down",
            )
        return found

    async def _get(self, instance: Instance) -> tuple[str, str]:
        parts = urlsplit(self._verify.url)
        path = quote(fill(parts.path or "/", instance, self._address), safe="/:@,;=+~")
        api = HttpApi(
            self._host,
            f"{parts.scheme}://{parts.netloc}",
            product="the load balancer",
            hint="see that it runs there and what 'verify' of the balancer asks",
            timeout=self._timeout,
        )
        query = f"?{fill(parts.query, instance, self._address)}" if parts.query else ""
        ask = Ask("GET", path + query, headers={"Accept": "*/*"})
        answer = await api.ask(ask)
        if answer.status == 404:
            return str(ask), MemberState.MISSING.value
        return str(ask), answer.body.decode("utf-8", "replace") if answer.ok else str(answer)

    async def _run(self, argv: tuple[str, ...], instance: Instance) -> tuple[str, str]:
        command = Command(filled(argv, instance, self._address), timeout=self._timeout)
        done = await self._host.talk(
            lambda transport: transport.run(command),
            what=f"{command.argv[0]} could not be run on {self._host.label}",
            hint="gapless doctor",
        )
        if not done.ok:
            late = f"did not end in {command.timeout:g} s"
            end = late if done.timed_out else f"ended with {done.status}"
            raise TrafficError(
                f"{command.argv[0]} {end} on {self._host.label}",
                where=self._host.balancer,
                evidence=f"{command}\n{done.evidence()}".strip(),
                next=f"run it by hand on {self._host.label}",
            )
        return str(command), done.stdout
