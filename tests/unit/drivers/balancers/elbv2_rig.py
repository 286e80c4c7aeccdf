"""AWS target groups: moto's, with what it lacks on top: draining, initial, health, refusals."""

from __future__ import annotations

import functools
import importlib.util
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from gapless.clock import LoopClock
from gapless.config.balancer_elbv2 import Elbv2Config
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.aws_api import connect
from gapless.drivers.balancers.elbv2 import Elbv2Balancer
from gapless.drivers.transports.base import Transport
from gapless.model import Instance

GROUPS = ("shop", "shop-internal")
PORT = 3001
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}


def need_moto() -> None:
    """Skip without it, unless everything has to run."""
    if importlib.util.find_spec("moto") is None:
        missing = "moto is not installed (pip install 'moto[elbv2]')"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class Targets:
    """What one group does by itself: checks take ``checking`` s, draining lasts ``delay`` s."""

    def __init__(self, delay: float, checking: float) -> None:
        self.delay = delay
        self.checking = checking
        self.sick: set[str] = set()
        self.since: dict[str, float] = {}
        """When a target was registered."""
        self.left: dict[str, float] = {}
        """When a target was deregistered."""
        self.silent = self.refuses = False

    def state(self, target: str) -> tuple[str, str]:
        """State and reason of a registered target."""
        if time.monotonic() - self.since.get(target, -1e9) < self.checking:
            return "initial", "Elb.InitialHealthChecking"
        return (
            ("unhealthy", "Target.ResponseCodeMismatch") if target in self.sick else ("healthy", "")
        )

    def draining(self, target: str) -> bool:
        return time.monotonic() - self.left.get(target, -1e9) < self.delay


class Overlaid:
    """A client of moto with the states of ``Targets`` in its answers."""

    def __init__(self, client: Any, groups: dict[str, Targets]) -> None:
        self._client = client
        self._groups = groups
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def register_targets(self, TargetGroupArn: str, Targets: list[dict[str, Any]]) -> Any:
        group = self._obeying(TargetGroupArn, "RegisterTargets")
        with self._lock:
            before = self._registered(TargetGroupArn)
            answer = self._client.register_targets(TargetGroupArn=TargetGroupArn, Targets=Targets)
        for target in Targets:
            if target["Id"] not in before:
                group.since[target["Id"]] = time.monotonic()
            group.left.pop(target["Id"], None)
        return answer

    def deregister_targets(self, TargetGroupArn: str, Targets: list[dict[str, Any]]) -> Any:
        group = self._obeying(TargetGroupArn, "DeregisterTargets")
        with self._lock:
            answer = self._client.deregister_targets(TargetGroupArn=TargetGroupArn, Targets=Targets)
        group.left.update({target["Id"]: time.monotonic() for target in Targets})
        return answer

    def describe_target_health(
        self, TargetGroupArn: str, Targets: list[dict[str, Any]] | None = None
    ) -> Any:
        group = self._group(TargetGroupArn)
        more = {"Targets": Targets} if Targets else {}
        with self._lock:
            answer = self._client.describe_target_health(TargetGroupArn=TargetGroupArn, **more)
        found = answer["TargetHealthDescriptions"]
        registered = {one["Target"]["Id"] for one in found}
        for one in found:
            name = one["Target"]["Id"]
            if one["TargetHealth"].get("Reason") == "Target.NotRegistered":
                continue
            state, reason = group.state(name)
            one["TargetHealth"] = {"State": state, **({"Reason": reason} if reason else {})}
        for name in group.left:
            if Targets is None and name not in registered and group.draining(name):
                health = {"State": "draining", "Reason": "Target.DeregistrationInProgress"}
                found.append({"Target": {"Id": name, "Port": PORT}, "TargetHealth": health})
        return answer

    def _registered(self, arn: str) -> set[str]:
        found = self._client.describe_target_health(TargetGroupArn=arn)
        return {one["Target"]["Id"] for one in found["TargetHealthDescriptions"]}

    def _group(self, arn: str) -> Targets:
        from botocore.exceptions import EndpointConnectionError

        group = self._groups[arn.split("/")[-2]]
        if group.silent:
            raise EndpointConnectionError(endpoint_url="https://elb.example")
        return group

    def _obeying(self, arn: str, verb: str) -> Targets:
        from botocore.exceptions import ClientError

        group = self._group(arn)
        if group.refuses:
            words = {"Error": {"Code": "AccessDenied", "Message": "not authorized"}}
            raise ClientError(words, verb)
        return group


class Elbv2Rig:
    """See BalancerRig: two target groups in a region of moto's."""

    can = frozenset({"checks", "silence", "floor", "words", "maintenance", "refusal"})
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, delay: float, checking: float) -> None:
        self.addresses = {self.instance.host: "10.0.0.1", self.other.host: "10.0.0.2"}
        self.groups = {name: Targets(delay, checking) for name in GROUPS}
        self.client = Overlaid(_client(), self.groups)
        self._turn = 0
        self.arns: dict[str, str] = {}
        vpc = self._network()
        for name in GROUPS:
            made = self.client.create_target_group(
                Name=name, Protocol="HTTP", Port=PORT, VpcId=vpc, TargetType="ip"
            )
            self.arns[name] = made["TargetGroups"][0]["TargetGroupArn"]
            self.client.modify_target_group_attributes(
                TargetGroupArn=self.arns[name],
                Attributes=[
                    {"Key": "deregistration_delay.timeout_seconds", "Value": str(int(delay))}
                ],
            )
            targets = [{"Id": address, "Port": PORT} for address in self.addresses.values()]
            self.client.register_targets(TargetGroupArn=self.arns[name], Targets=targets)

    def _network(self) -> str:
        made: str = _network_client().create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        return made

    def balancer(self, **limits: Any) -> Elbv2Balancer:
        elbv2 = {"target_group": list(GROUPS), **limits.pop("elbv2", {})}
        config = BalancerConfig.model_validate({"elbv2": elbv2, **limits})
        return Elbv2Balancer(
            "edge",
            config,
            _no_transport,
            LoopClock(),
            address=lambda host: self.addresses.get(host, host),
            connect=lambda _: self.client,
            poll=0.1,
        )

    async def ask(self, node: int) -> str:
        arn = self.arns[GROUPS[node]]
        found = self.client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        hosts = {address: host for host, address in self.addresses.items()}
        up = [one["Target"]["Id"] for one in found if one["TargetHealth"]["State"] == "healthy"]
        self._turn += 1
        return hosts[up[self._turn % len(up)]] if up else ""

    async def healthy(self, healthy: bool) -> None:
        for group in self.groups.values():
            if healthy:
                group.sick.discard("10.0.0.1")
            else:
                group.sick.add("10.0.0.1")

    async def maintenance(self, node: int) -> None:
        targets = [{"Id": "10.0.0.1", "Port": PORT}]
        arn = self.arns[GROUPS[node]]
        self.client.deregister_targets(TargetGroupArn=arn, Targets=targets)

    async def refuse(self, node: int, refuses: bool) -> None:
        self.groups[GROUPS[node]].refuses = refuses

    async def stop(self, node: int) -> None:
        self.groups[GROUPS[node]].silent = True

    async def hold(self, node: int) -> Any:
        raise NotImplementedError

    restart = nonsense = hold


def _no_transport(host: str) -> Transport:
    raise AssertionError("AWS is asked from here, not through a host")


@functools.cache
def _client() -> Any:
    """Made once: that is slow. What it is told is forgotten with each ``mock_aws``."""
    return connect(Elbv2Config(target_group=GROUPS))


@functools.cache
def _network_client() -> Any:
    import boto3

    return boto3.client("ec2")


@contextmanager
def _aws() -> Iterator[None]:
    from moto import mock_aws

    with patch.dict(os.environ, KEYS), mock_aws():
        yield


@asynccontextmanager
async def elbv2_rig(delay: float = 0.3, checking: float = 0.1) -> AsyncIterator[Elbv2Rig]:
    with _aws():
        yield Elbv2Rig(delay, checking)
