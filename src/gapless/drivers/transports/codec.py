"""The model's facts as they travel to a helper and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.transports.base import Claim, Claimed, HostFacts, Probe
from gapless.hostside.wire import pack_bytes
from gapless.model import Command, Completed, Fence, Settled, Settlement, Verdict, VerdictStatus


def command_to_json(command: Command) -> dict[str, Any]:
    """A command; its environment travels here and nowhere else."""
    return {
        "argv": list(command.argv),
        "timeout": command.timeout,
        "input": pack_bytes(command.input),
        "cwd": command.cwd,
        "env": {**command.env, **command.secrets},
        "hidden": [pack_bytes(form) for form in secret_forms(command.secrets.values())],
        "privileged": command.privileged,
        "user": command.user,
        "output_limit": command.output_limit,
        "check": command.check,
        "interpreted": command.interpreted,
    }


def completed(data: Mapping[str, Any]) -> Completed:
    """What a command left behind."""
    return Completed(
        argv=tuple(data["argv"]),
        status=data["status"],
        stdout=data["stdout"],
        stderr=data["stderr"],
        elapsed=data["elapsed"],
        timed_out=data["timed_out"],
        dropped=data["dropped"],
    )


def settled(data: Mapping[str, Any]) -> Settled:
    """What became of a critical action."""
    return Settled(Settlement(data["status"]), tuple(completed(one) for one in data["completed"]))


def fence_to_json(fence: Fence | None) -> dict[str, Any] | None:
    """A fence, or its absence."""
    if fence is None:
        return None
    return {"service": fence.service, "rollout": fence.rollout, "number": fence.number}


def claimed(data: Mapping[str, Any]) -> Claimed:
    """The host's answer to a claim."""
    fence, holder = data["fence"], data["holder"]
    return Claimed(
        fence=Fence(**fence) if fence else None,
        holder=Claim(**holder) if holder else None,
        live=data["live"],
        place=data["place"],
    )


def probe_to_json(probe: Probe) -> dict[str, Any]:
    """A question."""
    return {
        "name": probe.name,
        "kind": probe.kind,
        "spec": dict(probe.spec),
        "answer": probe.answer,
    }


def verdicts(data: Sequence[Mapping[str, Any]]) -> tuple[Verdict, ...]:
    """Answers."""
    return tuple(
        Verdict(
            VerdictStatus(one["status"]),
            one["check"],
            one["asked"],
            one["answer"],
            one["wanted"],
            one["elapsed"],
        )
        for one in data
    )


def host_facts(data: Mapping[str, Any]) -> HostFacts:
    """What preflight wanted to know."""
    return HostFacts(
        clock=data["clock"],
        booted=data["booted"],
        user=data["user"],
        privileged=data["privileged"],
        systemd=data["systemd"],
        python=data["python"],
        disk_free=data["disk_free"],
        problems=tuple(data["problems"]),
        place=data["place"],
    )
