"""One target group: an instance is in traffic while it is registered there and found healthy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from gapless.config.balancer_elbv2 import Elbv2Config
from gapless.drivers.balancers.aws_api import AwsApi
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.sight import Sight, examined
from gapless.drivers.fill import fill
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict
from gapless.places import machine_of

_DELAY = "deregistration_delay.timeout_seconds"
_DRAINING = frozenset(("draining", "unhealthy.draining"))
_UNREGISTERED = "Target.NotRegistered"
_IDLE_GROUP = "Target.NotInUse"
_PUBLIC = {"healthy": MemberState.UP, "unavailable": MemberState.UP, "initial": MemberState.DOWN}


class TargetGroup:
    """A node of the balancer: the API is its only way in, and answers for all of its machines."""

    def __init__(
        self,
        balancer: str,
        group: str,
        config: Elbv2Config,
        api: AwsApi,
        address: Callable[[str], str],
    ) -> None:
        self._balancer = balancer
        self._group = group
        self._config = config
        self._api = api
        self._address = address
        self._known: tuple[str, int] | None = None

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._group.rpartition(":targetgroup/")[2].partition("/")[0] or self._group

    async def delay(self) -> float:
        """Seconds for which a target stays ``draining`` after it was taken out, idle or not."""
        arn, _ = await self._resolved()
        answer = await self._api.call("describe_target_group_attributes", TargetGroupArn=arn)
        values = {one["Key"]: one["Value"] for one in answer["Attributes"]}
        return float(values.get(_DELAY, 300))

    async def see(self, instance: Instance) -> Sight:
        """The instance's target as the group reports it."""
        target = await self._target(instance)
        found = await self._health()
        health = found.get(_key(target)) or await self._unregistered(target)
        others = sum(
            one["State"] == "healthy" for key, one in found.items() if key != _key(target)
        )  # fmt: skip
        return self._sight(target, health, others)

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances are registered and healthy."""
        found = await self._health()
        keys = {_key(await self._target(instance)) for instance in instances}
        return sum(
            _PUBLIC.get(found[key]["State"]) is MemberState.UP for key in keys & found.keys()
        )

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """The API answers, the group is there and in use; who is registered."""
        asked = f"describe_target_health {self.label}"
        try:
            sights = [await self.see(instance) for instance in instances]
        except TrafficError as error:
            return (examined(asked, "", error),)
        told = (examined(asked, str(sight), sight.trouble) for sight in sights)
        return tuple(told) or (examined(asked, "it answers"),)

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """Deregister: nothing new; what is under way has the group's delay to end."""
        await self._order("deregister_targets", instance)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """Register: the group checks it anew (``initial``) before it gets anything."""
        await self._order("register_targets", instance)

    async def _order(self, what: str, instance: Instance) -> None:
        arn, _ = await self._resolved()
        await self._api.call(what, TargetGroupArn=arn, Targets=[await self._target(instance)])

    async def _target(self, instance: Instance) -> dict[str, Any]:
        _, port = await self._resolved()
        named = self._config.targets.get(machine_of(instance.host))
        return {
            "Id": named or fill(self._config.target, instance, self._address),
            "Port": self._config.port or port,
        }

    async def _resolved(self) -> tuple[str, int]:
        """ARN and port of the group; they do not change."""
        if self._known is None:
            key = "TargetGroupArns" if self._group.startswith("arn:") else "Names"
            answer = await self._api.call("describe_target_groups", **{key: [self._group]})
            [found] = answer["TargetGroups"]
            self._known = (found["TargetGroupArn"], int(found.get("Port") or 0))
        return self._known

    async def _health(self) -> dict[tuple[str, int], Mapping[str, str]]:
        """State of every target that is registered or still draining."""
        arn, _ = await self._resolved()
        answer = await self._api.call("describe_target_health", TargetGroupArn=arn)
        return {
            _key(one["Target"]): one["TargetHealth"] for one in answer["TargetHealthDescriptions"]
        }

    async def _unregistered(self, target: dict[str, Any]) -> Mapping[str, str]:
        """What the group says of a target that is not among its own."""
        arn, _ = await self._resolved()
        answer = await self._api.call(
            "describe_target_health", TargetGroupArn=arn, Targets=[target]
        )
        [found] = answer["TargetHealthDescriptions"]
        health: Mapping[str, str] = found["TargetHealth"]
        return health

    def _sight(self, target: dict[str, Any], health: Mapping[str, str], others: int) -> Sight:
        state, reason = health["State"], health.get("Reason", "")
        gone = reason == _UNREGISTERED
        out = gone or state in _DRAINING
        shown = _PUBLIC.get(state, MemberState.DOWN)
        if out:
            shown = MemberState.DRAINED if gone else MemberState.DRAINING
        said = ", ".join(filter(None, (state, reason, health.get("Description", ""))))
        name = f"{target['Id']}:{target['Port']}"
        up = shown is MemberState.UP
        # "unavailable" is a group without health checks: up, and nobody looked
        checked = state == "healthy"
        member = Member(self.label, name, shown, checked=checked, raw=f"{name} {said}")
        return Sight(
            member,
            out=out,
            idle=gone,
            shut=out,
            accepted=up,
            counted=False,
            others=others,
            trouble=self._in_use(name, said) if reason == _IDLE_GROUP else None,
        )

    def _in_use(self, name: str, said: str) -> TrafficError:
        return TrafficError(
            f"target group {self.label} gets no traffic: no listener uses it",
            where=self._balancer,
            evidence=f"{name} {said}",
            next="forward a listener to it, or take it out of target_group",
        )


def _key(target: Mapping[str, Any]) -> tuple[str, int]:
    return str(target["Id"]), int(target.get("Port") or 0)
