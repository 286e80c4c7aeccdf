"""What the events of one rollout come to, in numbers.

1. The first event says which rollout it is; the ends of its linked rollbacks are not counted as
   rollouts, their steps are.
2. A step that was found done after a crash took nobody knows how long: it is not counted.
3. The same events give the same figures, however often they are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gapless.drivers.sinks.figures import Figures
from gapless.events.event import Event


class RolloutFigures:
    """Takes events in order."""

    def __init__(self) -> None:
        self.figures = Figures()
        self.rollout = ""
        self.over = False
        self._whole: dict[str, str] = {}
        """Labels of all that is said of it."""
        self._began = 0.0
        self._handlers: Mapping[str, Callable[[Event], None]] = {
            "rollout.planned": self._planned,
            "rollout.started": self._started,
            "rollout.succeeded": self._ended,
            "rollout.failed": self._ended,
            "rollout.aborted": self._ended,
            "rollout.refused": self._ended,
            "step.succeeded": self._step,
            "leaders.moved": self._moved,
            "prove.finished": self._proved,
        }

    def take(self, event: Event) -> bool:
        """Whether it changed a figure, or may have."""
        self.rollout = self.rollout or event.rollout
        handler = self._handlers.get(event.type)
        if handler is None:
            return False
        handler(event)
        return True

    def _planned(self, event: Event) -> None:
        if event.rollout == self.rollout:
            told = {label: str(event.data.get(label) or "") for label in ("project", "environment")}
            self._whole, self._began = told, event.ts

    def _started(self, event: Event) -> None:
        if event.rollout == self.rollout:
            self._began = event.ts

    def _ended(self, event: Event) -> None:
        code = event.data.get("exit_code")
        if event.rollout != self.rollout or self.over or code is None:
            return
        self.over = True
        labels = {**self._whole, "result": str(event.data["outcome"])}
        self.figures.add("gapless_rollouts_total", 1, labels)
        if self._began:
            seconds = max(0.0, event.ts - self._began)
            self._lasted("gapless_rollout_duration_seconds", seconds, labels)
        put, name = self.figures.put, "gapless_last_rollout"
        put(f"{name}_end_timestamp_seconds", event.ts, event.ts, self._whole)
        put(f"{name}_exit_code", event.ts, float(code), self._whole)

    def _step(self, event: Event) -> None:
        seconds, data = event.data.get("seconds"), event.data
        of_step = {**self._of(event.service), "step": event.step}
        if seconds is not None:
            self._lasted("gapless_step_duration_seconds", float(seconds), of_step)
            name = "gapless_step_last_duration_seconds"
            self.figures.put(name, event.ts, float(seconds), of_step)
        if "stopped" in data:
            labels = {**self._of(event.service), "member": event.host}
            name = "gapless_stop_duration_seconds"
            self.figures.put(name, event.ts, float(data["stopped"]), labels)
        for member, held in (data.get("members") or {}).items():
            self._held(event, member, held)

    def _held(self, event: Event, member: str, held: Mapping[str, Any]) -> None:
        labels = {**self._of(event.service), "member": member}
        for key, name in (("leads", "leaders"), ("groups", "groups"), ("in_sync", "in_sync")):
            metric = f"gapless_cluster_member_{name}"
            self.figures.put(metric, event.ts, float(held[key]), labels)

    def _moved(self, event: Event) -> None:
        for key, result in (("moved", "success"), ("failed", "failed")):
            labels = {**self._of(event.service), "result": result}
            count = float(event.data.get(key) or 0)
            self.figures.add("gapless_leadership_transfers_total", count, labels)

    def _proved(self, event: Event) -> None:
        name, data = "gapless_longest_unavailability_seconds", event.data
        if data.get("sent"):
            self.figures.put(name, event.ts, float(data["longest_silence"]), self._whole)
        for client in data.get("workloads") or ():
            if client.get("operations"):
                labels = self._of(client["service"])
                self.figures.put(name, event.ts, float(client["longest_gap"]), labels)

    def _of(self, service: str) -> dict[str, str]:
        return {**self._whole, "service": service}

    def _lasted(self, name: str, seconds: float, labels: Mapping[str, str]) -> None:
        self.figures.add(f"{name}_sum", seconds, labels)
        self.figures.add(f"{name}_count", 1, labels)
